"""Class definitions beyond the recorded cases: names, missing parts, properties."""

from typing import Any

import pytest

from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import parse_class
from vecmod.host.declaration import check_properties
from vecmod.host.host_errors import InvalidClass
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.store import StoredClass

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


def declare(*properties: dict[str, Any], **lists: list[str]) -> None:
    module = "multi2vec-clip"
    settings = {module: lists or {"imageFields": ["image"]}}
    given = {"class": "Photo", "vectorizer": module, "moduleConfig": settings, "properties": [*properties]}
    check_properties(given, parse_class(given, KNOWN, "none").fields)


@pytest.mark.parametrize(
    "kind",
    "text text[] string string[] int int[] number number[] boolean boolean[] date date[] uuid uuid[] blob blobHash "
    "geoCoordinates phoneNumber object object[] Author".split(),
)
def test_every_type_of_weaviates_can_be_declared(kind: str) -> None:
    declare({"name": "x", "dataType": [kind]}, {"name": "y", "dataType": kind})


def test_what_is_vectorised_may_be_declared_or_not() -> None:
    declare({"name": "refs", "dataType": ["Author", "Editor"]})
    image, words = {"name": "Image", "dataType": ["blob"]}, {"name": "words", "dataType": ["text[]"]}
    declare(image, words, imageFields=["image", "other"], textFields=["words", "more"])


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ([{"name": "a", "dataType": ["txt"]}], "property 'a': invalid dataType 'txt'; there are text"),
        ([{"name": "a", "dataType": ["blob[]"]}], "invalid dataType 'blob"),
        ([{"name": "a", "dataType": [""]}], "invalid dataType ''"),
        ([{"name": "a", "dataType": [7]}], "invalid dataType 7"),
        ([{"name": "a", "dataType": [["text"]]}], "invalid dataType"),
        ([{"name": "a"}], "property 'a' has no data type"),
        ([{"name": "a", "dataType": []}], "property 'a' has no data type"),
        ([{"name": "a", "dataType": ["text", "int"]}], "several data types"),
        ([{"name": "a", "dataType": ["int"]}, {"name": "A", "dataType": ["int"]}], "conflict for property 'a'"),
        ([{"name": "id", "dataType": ["int"]}], "property 'id': the store needs"),
        ([{"name": "Vector", "dataType": ["int"]}], "property 'vector': the store needs"),
        ([{"name": "vecmod_fingerprint", "dataType": ["text"]}], "the store needs"),
        ([{"name": "image", "dataType": ["text"]}], "imageFields names 'image', which is declared text: .* blob"),
        ([{"name": "image", "dataType": ["Author"]}], "declared Author"),
        ([{"name": "title", "dataType": ["int"]}], "textFields names 'title', .* declare it text or text"),
        ([{"name": "title", "dataType": ["blob"]}], "textFields names 'title'"),
        ([{"name": "title", "dataType": ["uuid"]}], "textFields names 'title'"),
    ],
)
def test_properties_that_can_only_go_wrong_are_refused(properties: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InvalidClass, match=message):
        declare(*properties, imageFields=["image"], textFields=["title"])


def test_a_host_refuses_them_before_it_asks_for_anything() -> None:
    """What is in a store already is opened as it is."""
    given = definition(properties=[{"name": "a", "dataType": ["txt"]}])
    with ModuleHost(HostSettings.read({"ENABLE_MODULES": MODULE, "VECMOD_STORE": "memory://"})) as host:
        with pytest.raises(InvalidClass, match="invalid dataType 'txt'"):
            host.create_class(given)
        host._store.create_class("Photo", StoredClass(given, 3))  # type: ignore[call-arg,arg-type]
        assert host.create_class(given).count() == host.get_class("Photo").count() == 0
