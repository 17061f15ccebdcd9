"""One class: insert objects, ask for the nearest; the same whichever store keeps it."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Unpack

from vecmod.contract.modality import AUDIO, DEPTH, IMAGE, IMU, THERMAL, VIDEO, Modality
from vecmod.host.classconfig import ClassConfig
from vecmod.host.ingest import IngestReport
from vecmod.host.media_input import MediaInput
from vecmod.host.near_text import Move
from vecmod.host.search import PageOptions
from vecmod.host.stores.store import Hit, Record, Vector


class Collection(ABC):
    """A class in a store.

    Attributes:
        config: the class.
    """

    config: ClassConfig

    def insert(self, properties: Mapping[str, Any], object_id: str | None = None) -> str:
        """Store one object, replacing one with the same id; its id, a new UUID if none is given.

        Raises:
            HostError: with the reason, if it is not stored.
        """
        name = str(uuid.uuid4() if object_id is None else object_id)
        self.insert_many([{"id": name, "properties": properties}]).raise_first()
        return name

    @abstractmethod
    def insert_many(
        self, objects: Iterable[Mapping[str, Any]], on_done: Callable[[int], object] = lambda _: None
    ) -> IngestReport:
        """Store many objects, each ``{"id": ..., "properties": {...}}``; ``on_done`` is called as they are done.

        Objects that are there already, equal, are skipped. The report names each object that failed.
        """

    @abstractmethod
    def get(self, object_id: str) -> Record:
        """A stored object with its vector.

        Raises:
            UnknownObject: if there is none of that id.
        """

    @abstractmethod
    def delete(self, object_ids: Sequence[str]) -> None:
        """Delete objects; ids that do not exist are ignored."""

    @abstractmethod
    def find(self, filter: Mapping[str, Any] | None = None, limit: int = 100) -> list[Record]:  # noqa: A002 -- the field's word
        """Objects that meet a filter (see :mod:`vecmod.host.narrow`), in any order, without their vectors.

        Raises:
            InvalidQuery: if the filter cannot be asked.
        """

    @abstractmethod
    def delete_many(self, filter: Mapping[str, Any]) -> int:  # noqa: A002
        """Delete all objects that meet a filter; their number.

        Raises:
            InvalidQuery: if the filter is empty or cannot be asked.
        """

    @abstractmethod
    def page(self, limit: int = 100, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Objects in an order that stays while nobody writes, with their vectors if they are wanted.

        An object that lacks a vector in a store that holds such objects has an empty one.

        Raises:
            InvalidQuery: unless the limit is at least 1, the offset at least 0, and both together below 16384.
        """

    @abstractmethod
    def count(self) -> int:
        """Number of objects."""

    def near_image(self, image: MediaInput, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a picture (path, bytes, binary file, PIL image or base64), nearest first.

        Raises:
            InvalidQuery: if the picture cannot be read or the numbers make no sense.
            ServiceError, ServiceUnreachable: if it cannot be vectorised.
        """
        return self._near(IMAGE, image, page)

    def near_audio(self, audio: MediaInput, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a sound; raises as :meth:`near_image`."""
        return self._near(AUDIO, audio, page)

    def near_video(self, video: MediaInput, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a film; raises as :meth:`near_image`."""
        return self._near(VIDEO, video, page)

    def near_imu(self, imu: MediaInput, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like the readings of a motion sensor (CSV); raises as :meth:`near_image`."""
        return self._near(IMU, imu, page)

    def near_thermal(self, thermal: MediaInput, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a thermal picture; raises as :meth:`near_image`."""
        return self._near(THERMAL, thermal, page)

    def near_depth(self, depth: MediaInput, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a depth picture; raises as :meth:`near_image`."""
        return self._near(DEPTH, depth, page)

    @abstractmethod
    def near_text(
        self,
        text: str | Sequence[str],
        *,
        to: Move | None = None,
        away: Move | None = None,
        **page: Unpack[PageOptions],
    ) -> list[Hit]:
        """Objects like a text, or like the mean of several, nearest first; ``to`` and ``away`` move the query.

        Raises:
            InvalidQuery: if the module reads no text, or the numbers make no sense.
            ServiceError, ServiceUnreachable: if it cannot be vectorised.
        """

    @abstractmethod
    def near_object(self, object_id: str, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a stored one, without that one, nearest first.

        Raises:
            UnknownObject: if there is none of that id.
        """

    @abstractmethod
    def near_vector(self, vector: Sequence[float] | Vector, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects near a vector, nearest first.

        Raises:
            InvalidQuery: if the vector cannot be one of this class.
        """

    @abstractmethod
    def _near(self, modality: Modality, medium: MediaInput, page: PageOptions) -> list[Hit]:
        """Objects like a medium."""
