"""Class definitions for Weaviate: said so that it does what they mean, and compared with what it has."""

from collections.abc import Mapping, Sequence
from typing import Any

from vecmod.host.classconfig import BLOB, ClassConfig, lower_first
from vecmod.host.data_types import read_type
from vecmod.host.fieldconfig import with_one_spelling
from vecmod.host.stores.store import FINGERPRINT, ORIGINAL_ID

Json = Mapping[str, Any]

HIDDEN = (FINGERPRINT, ORIGINAL_ID)
_HIDDEN = {"dataType": ["text"], "tokenization": "field", "indexFilterable": False, "indexSearchable": False}
# What of a module's settings decides on vectors.
_MADE_BY = ("weights", "inferenceUrl")


def for_weaviate(definition: Json, configs: Mapping[str, ClassConfig], *, by_position: bool) -> dict[str, Any]:
    """The definition as it is sent; ``configs`` has what was read from it, by vector.

    Texts are compared whole in filters (tokenization ``field``) unless the definition says otherwise; media fields
    are blobs; weights stand in the order in which Weaviate hands them out, unless it is to have them by position; and
    two properties are added, for ids that are no UUIDs and for fingerprints.
    """
    config = next(iter(configs.values()))
    media = frozenset[str]().union(*(one.media() for one in configs.values()))
    kept = {key: value for key, value in definition.items() if key not in ("vectorizer", "moduleConfig")}
    sent = {**kept, "properties": _properties(definition.get("properties") or [], media)}
    vectors = definition.get("vectorConfig")
    if vectors is None:
        module = {config.module: _settings(definition["moduleConfig"][config.module], by_position=by_position)}
        others = definition["moduleConfig"]  # of a reranker, for example
        return {**sent, "class": config.name, "vectorizer": config.module, "moduleConfig": {**others, **module}}
    named = {
        name: {
            "vectorIndexType": "hnsw",
            **vectors[name],
            "vectorizer": {
                module: _settings(settings, by_position=by_position)
                for module, settings in vectors[name]["vectorizer"].items()
            },
        }
        for name in vectors
    }
    return {**sent, "class": class_name(definition), "vectorConfig": named}


def class_name(definition: Json) -> str:
    """The name as Weaviate keeps it."""
    name = str(definition["class"])
    return name[:1].upper() + name[1:]


def vectors_of(definition: Json) -> list[str]:
    """Names of the vectors; one empty name for the vector of a class without named ones."""
    vectors = definition.get("vectorConfig")
    return list(vectors) if isinstance(vectors, Mapping) and vectors else [""]


def without_hidden(definition: Json) -> dict[str, Any]:
    """The definition without the properties that are only ours."""
    shown = [one for one in definition.get("properties") or [] if one["name"] not in HIDDEN]
    return {**definition, "properties": shown}


def difference(sent: Json, stored: Json) -> str:
    """Where a stored class makes other vectors or has properties of other types than the one sent; empty if nowhere.

    Weaviate adds much of its own to a definition, and lets some of it be changed; that is not compared.
    """
    if vectors_of(sent) != [""] and sorted(vectors_of(sent)) != sorted(vectors_of(stored)):
        return f"its vectors are {', '.join(vectors_of(stored))}"
    for name in vectors_of(sent):
        if _made_by(sent, name) != _made_by(stored, name):
            return f"the vectorizer of {name or 'its vector'} is {_made_by(stored, name)}"
    have = {one["name"]: one["dataType"] for one in stored.get("properties") or []}
    for one in sent["properties"]:
        if have.get(one["name"], one["dataType"] if one["name"] in HIDDEN else None) != one["dataType"]:
            return f"its property {one['name']} is {have.get(one['name'], 'missing')}"
    return ""


def _made_by(definition: Json, vector: str) -> Json:
    if vector:
        modules = definition["vectorConfig"][vector]["vectorizer"]
    else:
        module = definition.get("vectorizer")
        modules = {module: (definition.get("moduleConfig") or {}).get(module) or {}}
    return {
        str(module): {key: value for key, value in settings.items() if key.endswith("Fields") or key in _MADE_BY}
        for module, settings in modules.items()
    }


def _settings(settings: Json, *, by_position: bool) -> dict[str, Any]:
    """Weaviate sorts the fields and then gives the first weight to the first: so both are sorted before."""
    sent = dict(with_one_spelling(settings))
    weights = sent.get("weights")
    if by_position or not isinstance(weights, Mapping):
        return sent
    for key, given in weights.items():
        pairs = sorted(zip(sent[key], given, strict=True), key=lambda pair: str(pair[0]))
        sent[key] = [field for field, _ in pairs]
        weights = {**weights, key: [weight for _, weight in pairs]}
    return {**sent, "weights": weights}


def _properties(declared: Sequence[Json], media: frozenset[str]) -> list[dict[str, Any]]:
    sent = [_property(one) for one in declared]
    names = {one["name"] for one in sent}
    sent += [{"name": name, "dataType": [BLOB]} for name in sorted(media - names)]
    return sent + [{"name": name, **_HIDDEN} for name in HIDDEN if name not in names]


def _property(given: Json) -> dict[str, Any]:
    kinds = given["dataType"] if isinstance(given.get("dataType"), list) else [given.get("dataType")]
    # Weaviate keeps its old type "string" as "text".
    kinds = [one.replace("string", "text") if isinstance(one, str) and read_type(one) else one for one in kinds]
    sent = {**given, "name": lower_first(given["name"]), "dataType": kinds}
    if kinds[:1] in (["text"], ["text[]"]):
        sent.setdefault("tokenization", "field")
    return sent
