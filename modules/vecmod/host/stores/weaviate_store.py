"""Weaviate, which vectorises by itself, through its official client. The one door to weaviate."""

import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import numpy as np
import weaviate
from weaviate.classes.data import DataObject
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter as By
from weaviate.classes.query import MetadataQuery, Move, NearMediaType
from weaviate.collections.classes.filters import FilterReturn
from weaviate.exceptions import (
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateConnectionError,
    WeaviateInsertManyAllFailedError,
)

from vecmod.host.classconfig import CLASS_NAME
from vecmod.host.host_errors import HostError, InvalidClass, InvalidObject, ServiceUnreachable, StoreError
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order
from vecmod.host.stores.store import FINGERPRINT, ORIGINAL_ID, Hit, Record, clamp_distance, in_parts
from vecmod.host.stores.store_url import WeaviateUrl, parse_weaviate_url, shown
from vecmod.host.stores.vectorizing import Handed, Near, NearMedia, NearObject, NearText, Pull, Refusal, Window
from vecmod.host.stores.weaviate_faults import fault_of, words_of
from vecmod.host.stores.weaviate_values import from_weaviate, to_weaviate, uuid_of

# It logs each failed object whole, pictures and all; ours are in the report.
logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)

# Seconds. A batch waits until the service has vectorised all of it.
_TIMEOUTS = Timeout(init=10, query=120, insert=300)
_IDS_AT_ONCE = 1000
_UNAUTHORISED = 401
_NOT_FOUND = 404
_REFUSED = 422
_ALL_FAILED = "Here is the set of all errors: "
_DISTANCE = MetadataQuery(distance=True)


class WeaviateStore:
    """A class is a collection of Weaviate's; ids that are no UUIDs are kept in a property beside one that is.

    Args:
        url: see :func:`vecmod.host.stores.store_url.parse_weaviate_url`.
        key: API key, if the URL has none.

    Raises:
        StoreError: if it cannot be reached, or wants another key.
    """

    def __init__(self, url: str, key: str = "") -> None:
        place = parse_weaviate_url(url)
        place = place._replace(key=place.key or key)
        self._at = shown(url)
        with self._translated(f"connecting to {self._at}"):
            _knock(place)
            # The client's own checks would ask the package index for a newer client.
            self._client = weaviate.connect_to_custom(
                place.host,
                place.port,
                place.secure,
                place.grpc_host,
                place.grpc_port,
                place.secure,
                auth_credentials=Auth.api_key(place.key) if place.key else None,
                additional_config=AdditionalConfig(timeout=_TIMEOUTS),
                skip_init_checks=True,
            )

    def create_class(self, definition: Mapping[str, Any]) -> None:
        """Make a class as Weaviate itself understands it."""
        with self._translated(f"creating class {definition.get('class')}"):
            self._client.collections.create_from_dict(dict(definition))

    def get_class(self, name: str) -> Mapping[str, Any] | None:
        """The definition, with all that Weaviate has added."""
        with self._translated(f"reading class {name}"):
            if not self._client.collections.exists(name):
                return None
            return self._client.collections.export_config(name).to_dict()

    def class_names(self) -> list[str]:
        """Names of all classes, others' too, sorted."""
        with self._translated("listing classes"):
            return sorted(self._client.collections.list_all())

    def drop_class(self, name: str) -> None:
        """Delete a class; the name becomes part of a path, so it must be one."""
        if not CLASS_NAME.fullmatch(name):
            return
        with self._translated(f"dropping class {name}"):
            self._client.collections.delete(name)

    def insert(self, name: str, objects: Sequence[Handed]) -> list[Refusal]:
        """One batch; a batch that fails whole is sent again one by one, as the client then does not say who failed."""
        sendable, refused = [], []
        for one in objects:
            try:
                sendable.append(_data_object(one))
            except InvalidObject as error:
                refused.append(Refusal(one.id, error))
        given = [one.id for one in objects if one.id not in {bad.id for bad in refused}]
        errors = self._insert(name, sendable)
        return refused + [Refusal(given[index], error) for index, error in sorted(errors.items())]

    def _insert(self, name: str, batch: list[DataObject[Any, None]]) -> dict[int, HostError]:
        """Errors by position."""
        action = f"writing to {name}"
        if not batch:
            return {}
        with self._translated(action):
            try:
                result = self._client.collections.use(name).data.insert_many(batch)
            except WeaviateInsertManyAllFailedError as error:
                if len(batch) == 1:
                    return {0: fault_of(action, error.message.partition(_ALL_FAILED)[2])}
            else:
                return {index: fault_of(action, one.message) for index, one in result.errors.items()}
        errors: dict[int, HostError] = {}
        for index, one in enumerate(batch):
            last = errors.get(index - 1)
            alone = last if isinstance(last, ServiceUnreachable) else self._insert(name, [one]).get(0)
            errors |= {index: alone} if alone else {}
        return errors

    def get(self, name: str, object_id: str, vector: str = "") -> Record | None:
        """One object with a vector."""
        with self._translated(f"reading from {name}"):
            query = self._client.collections.use(name).query
            found: Any = query.fetch_object_by_id(uuid_of(object_id), include_vector=[vector] if vector else True)
        return _record(found, vector) if found else None

    def fingerprints(self, name: str, ids: Sequence[str]) -> dict[str, str]:
        """By Weaviate's own ids, which follow from ours."""
        by_uuid = {uuid_of(one): one for one in ids}
        if not ids:
            return {}
        with self._translated(f"reading from {name}"):
            found = self._client.collections.use(name).query.fetch_objects(
                filters=By.by_id().contains_any(list(by_uuid)), limit=len(by_uuid), return_properties=[FINGERPRINT]
            )
        return {by_uuid[str(one.uuid)]: str(one.properties.get(FINGERPRINT) or "") for one in found.objects}

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete objects."""
        for start in range(0, len(ids), _IDS_AT_ONCE):
            self._delete(name, By.by_id().contains_any([uuid_of(one) for one in ids[start : start + _IDS_AT_ONCE]]))

    def delete_meeting(self, name: str, condition: Filter) -> int:
        """Delete the objects that meet the condition."""
        return self._delete(name, _expression(condition))

    def _delete(self, name: str, where: FilterReturn) -> int:
        """Weaviate deletes no more than so many at once, so it is asked until there are none."""
        deleted = 0
        while True:
            with self._translated(f"deleting from {name}"):
                done = self._client.collections.use(name).data.delete_many(where)
            if done.failed:
                raise StoreError(f"deleting from {name} failed for {done.failed} of {done.matches} objects; try again")
            if not done.successful:
                return deleted
            deleted += done.successful

    def find(self, name: str, condition: Filter | None, limit: int) -> list[Record]:
        """Objects that meet the condition."""
        return self._fetch(name, filters=_expression(condition) if condition else None, limit=limit)

    def page(self, name: str, limit: int, offset: int, vector: str | None) -> list[Record]:
        """Objects in the order of Weaviate's ids."""
        include = [vector] if vector else vector == ""
        ask = partial(self._fetch, name, vector or "", include_vector=include)
        return in_parts(lambda size, start: ask(limit=size, offset=start), limit, offset, _IDS_AT_ONCE)

    def _fetch(self, name: str, vector: str = "", **asked: Any) -> list[Record]:  # noqa: ANN401 -- the client's words
        with self._translated(f"reading from {name}"):
            found = self._client.collections.use(name).query.fetch_objects(**asked)
        return [_record(one, vector) for one in found.objects]

    def near(self, name: str, query: Near, window: Window) -> list[Hit]:
        """Nearest objects, as Weaviate finds them: by its index, with its distances."""
        asked: dict[str, Any] = {
            "limit": window.limit,
            "offset": window.offset,
            "distance": window.distance,
            "filters": _expression(window.condition) if window.condition else None,
            "target_vector": window.vector or None,
            "return_metadata": _DISTANCE,
            "return_properties": None if window.properties is None else list(window.properties),
        }
        with self._translated(f"searching {name}"):
            ask = self._client.collections.use(name).query
            match query:
                case NearMedia(kind, value):
                    found = ask.near_media(value, NearMediaType(kind), **asked)
                case NearText(concepts, to, away):
                    found = ask.near_text(list(concepts), move_to=_move(to), move_away=_move(away), **asked)
                case NearObject(object_id):
                    found = ask.near_object(uuid_of(object_id), **asked)
                case _:
                    found = ask.near_vector(query.vector.tolist(), **asked)
        return [
            Hit(_id(one), clamp_distance(one.metadata.distance or 0.0), from_weaviate(one.properties))
            for one in found.objects
        ]

    def count(self, name: str) -> int:
        """Number of objects."""
        with self._translated(f"counting {name}"):
            return self._client.collections.use(name).aggregate.over_all(total_count=True).total_count or 0

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except UnexpectedStatusCodeError as error:
            raise self._refusal(action, error) from error
        except (WeaviateConnectionError, httpx.HTTPError, OSError) as error:
            # What the client itself says of a connection that broke is only what it was about to do.
            reason = error.__cause__ if isinstance(error, WeaviateConnectionError) else error
            raise StoreError(f"{action} failed: {reason or error}; is Weaviate at {self._at} running?") from error
        except WeaviateBaseError as error:
            raise fault_of(action, error.message) from error
        except (KeyError, ValueError, AssertionError) as error:
            raise StoreError(f"{action} failed: the client cannot read the answer of {self._at} ({error!r})") from error

    def _refusal(self, action: str, error: UnexpectedStatusCodeError) -> HostError:
        words = words_of(error.error) or error.message
        if error.status_code == _UNAUTHORISED:
            return StoreError(f"{action} failed: {words}; write the API key into the URL: weaviate://:KEY@host")
        if error.status_code == _REFUSED and action.startswith("creating"):
            return InvalidClass(f"Weaviate refuses the class: {words}")
        if error.status_code == _NOT_FOUND:
            return StoreError(f"{action} failed: it is not there; is it Weaviate at {self._at}?")
        return fault_of(action, words)


def _knock(place: WeaviateUrl) -> None:
    """Fail at once where nobody listens; the client would find out about gRPC a minute after the first query."""
    for what, address in (("REST", (place.host, place.port)), ("gRPC", (place.grpc_host, place.grpc_port))):
        try:
            socket.create_connection(address, timeout=_TIMEOUTS.init).close()
        except OSError as error:
            raise OSError(f"nobody answers for {what} at {address[0]}:{address[1]} ({error})") from error


def _data_object(one: Handed) -> DataObject[Any, None]:
    uuid = uuid_of(one.id)
    properties = to_weaviate(one.properties)
    if uuid != one.id:
        properties[ORIGINAL_ID] = one.id
    return DataObject(properties=properties, uuid=uuid)


def _id(found: Any) -> str:  # noqa: ANN401 -- the client's objects are generic over what they came with
    return str(found.properties.get(ORIGINAL_ID) or found.uuid)


def _record(found: Any, vector: str = "") -> Record:  # noqa: ANN401
    numbers = found.vector.get(vector or "default", ())
    fingerprint = str(found.properties.get(FINGERPRINT) or "")
    return Record(_id(found), np.array(numbers, np.float32), from_weaviate(found.properties), fingerprint)


def _move(pull: Pull | None) -> Move | None:
    return Move(pull.force, [uuid_of(one) for one in pull.objects], list(pull.concepts)) if pull else None


def _expression(condition: Filter) -> FilterReturn:
    """Weaviate's words. "Not equal" holds for objects that lack the property, and for lists that lack the value."""
    match condition:
        case And(parts):
            return By.all_of([_expression(part) for part in parts])
        case Or(parts):
            return By.any_of([_expression(part) for part in parts])
        case OneOf(name, values):
            return By.any_of([By.by_property(name).equal(value) for value in values])
        case NoneOf(name, values):
            return By.all_of([By.by_property(name).not_equal(value) for value in values])
        case Order(name, sign, bound):
            side = By.by_property(name)
            compare = {
                "<": side.less_than,
                "<=": side.less_or_equal,
                ">": side.greater_than,
                ">=": side.greater_or_equal,
            }
            return compare[sign](bound)
