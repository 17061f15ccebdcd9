"""Vectorizer modules for vector databases: services that embed, and a module host that stores and searches."""

__version__ = "0.1.0"
