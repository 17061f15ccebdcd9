"""Which tags objects have, and how many have each."""

from collections import Counter
from typing import Any

from vecmod.host.collection import Collection
from vecmod.host.host_errors import InvalidQuery

_OBJECTS, _TAGS = 5000, 200


def tag_counts(collection: Collection, name: str) -> list[dict[str, Any]]:
    """The 200 most frequent values of a declared list of texts among the first 5,000 objects.

    Raises:
        InvalidQuery: if the class declares no such list.
    """
    config = collection.config
    lists = [one for one, kind in config.types.items() if kind.spelled == "text[]"]
    if name not in lists:
        have = ", ".join(lists) or "none"
        raise InvalidQuery(f"class {config.name} declares no list of texts {name!r} (it declares: {have})")
    found = [one.properties.get(name) for one in collection.page(_OBJECTS)]
    counts = Counter(tag for tags in found if isinstance(tags, list) for tag in set(filter(_is_text, tags)))
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"value": value, "count": count} for value, count in ordered[:_TAGS]]


def _is_text(value: object) -> bool:
    return isinstance(value, str)
