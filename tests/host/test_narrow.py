"""Filters as callers write them."""

from typing import Any

import pytest

from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import parse_class
from vecmod.host.host_errors import InvalidQuery
from vecmod.host.narrow import narrow
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order

CLASS = {
    "class": "Photo",
    "vectorizer": "img2vec-neural",
    "moduleConfig": {"img2vec-neural": {"imageFields": ["image"]}},
    "properties": [
        {"name": "image", "dataType": ["blob"]},
        {"name": "Title", "dataType": ["text"]},
        {"name": "tags", "dataType": ["text[]"]},
        {"name": "year", "dataType": "int"},
        {"name": "score", "dataType": ["number"]},
        {"name": "wild", "dataType": ["boolean"]},
        {"name": "place", "dataType": ["geoCoordinates"]},
    ],
}
CONFIG = parse_class(CLASS, known_modules(), "none")
CAT = OneOf("tags", ("cat",), is_list=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ({}, None),
        ({"tags": "cat"}, CAT),
        ({"tags": {"$eq": "cat"}}, CAT),
        ({"tags": {"$in": ["cat", "dog"]}}, OneOf("tags", ("cat", "dog"), is_list=True)),
        ({"tags": {"$all": ["cat", "dog"]}}, And((CAT, OneOf("tags", ("dog",), is_list=True)))),
        ({"title": {"$ne": "x"}}, NoneOf("title", ("x",), is_list=False)),
        ({"title": {"$nin": ("x", "y")}}, NoneOf("title", ("x", "y"), is_list=False)),
        ({"year": {"$gte": 2003, "$lt": 2010}}, And((Order("year", ">=", 2003), Order("year", "<", 2010)))),
        ({"score": {"$lte": 1}}, Order("score", "<=", 1)),
        ({"wild": True, "tags": "cat"}, And((OneOf("wild", (True,), is_list=False), CAT))),
        ({"$or": [{"tags": "cat"}, {"year": {"$gt": 1}}]}, Or((CAT, Order("year", ">", 1)))),
        ({"$and": [{"tags": "cat"}]}, And((CAT,))),
    ],
)
def test_filters(given: Any, expected: Filter | None) -> None:
    assert narrow(CONFIG, given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nothing": 1}, r"declares no property 'nothing' .*it declares: score, tags, title, wild, year"),
        ({"image": "x"}, "declares no property 'image'"),
        ({"place": "x"}, "declares no property 'place'"),
        ({"tags": 5}, r"tags is text\[\], so it is not compared with 5"),
        ({"tags": ["cat"]}, r"tags is text\[\], so it is not compared with \['cat'\]"),
        ({"year": "2003"}, "year is int"),
        ({"year": True}, "year is int"),
        ({"year": 2.5}, "year is int"),
        ({"year": 2**63}, "year is int"),
        ({"score": float("nan")}, "score is number"),
        ({"wild": 1}, "wild is boolean"),
        ({"title": None}, "title is text"),
        ({"title": {"$gt": "a"}}, r"\$gt compares numbers, but title is text"),
        ({"year": {"$near": 1}}, r"year has '\$near', which is none of \$eq"),
        ({"year": {}}, "year has {}, which is none"),
        ({"tags": {"$in": []}}, "at least one value"),
        ({"tags": {"$in": "cat"}}, "needs a list"),
        ({"$or": []}, r"\$or needs a list"),
        ({"$or": {"tags": "cat"}}, r"\$or needs a list"),
        ({"$or": [{}]}, "a filter is an object"),
        ({"$or": ["tags"]}, "a filter is an object"),
        ({"$not": {"tags": "cat"}}, r"declares no property '\$not'"),
        ("tags = cat", "a filter is an object"),
    ],
)
def test_what_cannot_be_asked(given: Any, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        narrow(CONFIG, given)


def test_endless_nesting_is_refused() -> None:
    given: dict[str, Any] = {"tags": "cat"}
    for _ in range(100):
        given = {"$or": [given]}
    with pytest.raises(InvalidQuery, match="nested more than 20 deep"):
        narrow(CONFIG, given)


def test_a_list_is_no_filter() -> None:
    empty: Any = []
    with pytest.raises(InvalidQuery, match="a filter is an object"):
        narrow(CONFIG, empty)
