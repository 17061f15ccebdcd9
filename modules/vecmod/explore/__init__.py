"""The explorer: collections in a browser, seen, searched and filled; it stands on the module host."""
