"""A collection that is looked at."""

from typing import NamedTuple

from vecmod.host.collection import Collection


class Opened(NamedTuple):
    """A collection, and the name by which it was opened.

    In Weaviate a class with several vectors is opened as ``Class_vector``; the objects, and their files, are the same.
    """

    name: str
    collection: Collection

    @property
    def folder(self) -> str:
        """The folder of its imported files, in the explorer's own one."""
        return self.collection.config.name
