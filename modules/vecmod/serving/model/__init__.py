"""Models: which weights, which preprocessing, which network; knows no media formats and no HTTP."""
