// Before the first paint, so that nobody who chose dark sees a white flash. Not a module: modules run later.
try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing for pages: the system's theme.
}
