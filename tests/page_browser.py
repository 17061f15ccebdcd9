"""A real browser on pages of ours; whatever it complains of or asks elsewhere fails the test that made it so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

import running
from machine_tools import find, lacking

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP = (1280, 800)
PHONE = (360, 740)
# The collection that most tests look at: searched in words, with tags.
WORDS = "PhotoInWords"
_AXE = (files("axe_playwright_python") / "axe.min.js").read_text()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, or the one that playwright fetched. Without one tests are skipped, in CI they fail."""
    with sync_playwright() as playwright:
        found = find(*_NAMES)
        if found is None and not Path(playwright.chromium.executable_path).exists():
            lacking("Chromium", advice="apt-get install chromium, or playwright install chromium")
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page did that it must not do."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "blob" and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.elsewhere.append(request.url)


class Opened:
    """One tab; ``go`` and what follows it are about the explorer's page."""

    def __init__(self, page: Page, url: str, watch: Watch) -> None:
        self.page = page
        self.url = url
        self.watch = watch

    def violations(self) -> list[tuple[str, str, str]]:
        """Of axe's rules: which one, by what, and why."""
        self.page.evaluate(_AXE)
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        return [(one["id"], node["html"], node["failureSummary"]) for one in found for node in one["nodes"]]

    def width(self) -> int:
        """Of all there is; more than the window's would be scrolled sideways."""
        return int(self.page.evaluate("document.scrollingElement.scrollWidth"))

    def until(self, expression: str) -> None:
        """Wait for something in the page; the browser's own way needs ``eval``, which the page's policy forbids."""
        running.wait_for(lambda: bool(self.page.evaluate(expression)), 15)

    def go(self, collection: str = WORDS, **place: str) -> None:
        """Go to a place by its address, and wait until its items are there."""
        place["collection"] = collection
        self.page.goto(self.url + "/#" + "&".join(f"{name}={value}" for name, value in place.items()))
        self.settle()

    def settle(self) -> None:
        self.page.locator('#results[aria-busy="false"]').wait_for()

    def titles(self) -> list[str]:
        return self.page.locator("#grid .title").all_text_contents()

    def distances(self) -> list[float]:
        return [float(text) for text in self.page.locator("#grid .bar b").all_text_contents()]

    def drag(self, *files: Path, to: str, drop: bool = True) -> None:
        """Drag files or folders from outside over one half of the page, as a file manager would."""
        size = self.page.viewport_size or {"width": 0, "height": 0}
        x = size["width"] * (0.25 if to == "search" else 0.75)
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        session = self.page.context.new_cdp_session(self.page)
        for step in ("dragEnter", "dragOver", *(["drop"] if drop else [])):
            session.send("Input.dispatchDragEvent", {"type": step, "x": x, "y": size["height"] / 2, "data": data})
        session.detach()


@contextmanager
def opened(browser: Browser, url: str, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Opened]:
    """A tab; afterwards nothing was complained of, and nobody but the server at ``url`` was asked."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    context.set_default_timeout(15_000)
    watch = Watch(url)
    page = context.new_page()
    watch.on(page)
    try:
        yield Opened(page, url, watch)
    finally:
        context.close()
    assert watch.complaints == []
    assert watch.elsewhere == []
