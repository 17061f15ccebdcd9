"""Class definitions beyond the recorded cases: names, missing parts, properties."""

from typing import Any

import pytest

from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import parse_class
from vecmod.host.host_errors import InvalidClass

MODULE = "img2vec-neural"
KNOWN = known_modules()


def definition(**changes: Any) -> dict[str, Any]:
    whole = {"class": "Photo", "vectorizer": MODULE, "moduleConfig": {MODULE: {"imageFields": ["image"]}}}
    return {**whole, **changes}


def test_a_whole_class() -> None:
    properties = [
        {"name": "image", "dataType": ["blob"]},
        {"name": "thumb", "dataType": ["blob"]},
        {"name": "tags", "dataType": ["text[]"]},
    ]
    config = parse_class(definition(properties=properties), KNOWN, "none")
    assert [(field.name, field.modality.name) for field in config.fields] == [("image", "image")]
    assert config.media() == {"image", "thumb"}


def test_class_names_begin_with_a_capital() -> None:
    config = parse_class(definition(**{"class": "photo"}), KNOWN, "none")
    assert config.name == config.definition["class"] == "Photo"


def test_the_default_vectorizer_is_written_down() -> None:
    without = definition()
    del without["vectorizer"]
    assert parse_class(without, KNOWN, MODULE).definition["vectorizer"] == MODULE
    with pytest.raises(InvalidClass, match='vectorizer: no module with name "none" present'):
        parse_class(without, KNOWN, "none")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class": None}, "None is not a valid class name"),
        ({"class": "1st"}, "'1st' is not a valid class name"),
        ({"class": "A/B"}, "'A/B' is not a valid class name"),
        ({"vectorizer": "text2vec-x"}, 'vectorizer: no module with name "text2vec-x" present'),
        ({"moduleConfig": None}, "no moduleconfig for class Photo present"),
        ({"moduleConfig": {}}, 'no vectorizer found for class "Photo"'),
        ({"moduleConfig": {MODULE: {"imageFields": ["Image"]}}}, "imageFields names 'Image', .* write 'image'"),
        ({"moduleConfig": {MODULE: {"imageFields": None}}}, "module 'img2vec-neural': imageFields must be an array"),
        ({"properties": "image"}, "properties must be a list"),
        ({"properties": [{"dataType": ["text"]}]}, "is not a property"),
        ({"properties": [{"name": "a b"}]}, "is not a property"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidClass, match=message):
        parse_class(definition(**changes), KNOWN, "none")


def named(**vectors: object) -> dict[str, object]:
    return {"class": "Photo", "vectorConfig": vectors}


ONE = {"vectorizer": {MODULE: {"imageFields": ["image"]}}, "vectorIndexType": "hnsw"}
OTHER = {"vectorizer": {MODULE: {"imageFields": ["back"]}}}


def test_named_vectors() -> None:
    """One is the class's own; each of several makes a class."""
    config = parse_class(named(front=ONE), KNOWN, "none")
    assert (config.name, config.module, config.fields[0].name) == ("Photo", MODULE, "image")
    several = named(front=ONE, back=OTHER)
    configs = [parse_class(several, KNOWN, "none", vector=name) for name in ("front", "back")]
    assert [(one.name, one.fields[0].name) for one in configs] == [("Photo_front", "image"), ("Photo_back", "back")]
    assert parse_class(configs[1].definition, KNOWN, "none") == configs[1]


@pytest.mark.parametrize(
    ("given", "vector", "message"),
    [
        (named(front=ONE, back=OTHER), "", "has the vectors front, back; name one of them"),
        (named(front=ONE), "side", "has the vectors front; name one of them"),
        (named(), "", "vectorConfig must be"),
        (named(front={"vectorizer": "none"}), "", r"vectorConfig\.front\.vectorizer must be"),
        (named(front=7), "", r"vectorConfig\.front\.vectorizer must be"),
        (definition(), "front", "has no named vectors"),
    ],
)
def test_named_vectors_that_cannot_be_meant(given: dict[str, object], vector: str, message: str) -> None:
    with pytest.raises(InvalidClass, match=message):
        parse_class(given, KNOWN, "none", vector=vector)
