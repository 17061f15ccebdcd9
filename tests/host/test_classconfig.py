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
