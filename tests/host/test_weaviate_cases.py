"""The recorded cases of Weaviate's own server for img2vec-neural: validation, objects, queries.

Where Weaviate loses information (the service's error text, an answer without a vector) ours does the better thing
that the case names, and the comparison says so.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_service import Sent, always, by_image, fake_service
from vecmod.host.catalog import IMG2VEC_NEURAL
from vecmod.host.classconfig import parse_class
from vecmod.host.client import ServiceClient
from vecmod.host.collect import collect
from vecmod.host.combine import combine
from vecmod.host.host_errors import InvalidClass, ServiceError

CASES = [
    case
    for case in json.loads((Path(__file__).parents[1] / "fixtures/weaviate_cases.json").read_text())["cases"]
    if case["module"] == IMG2VEC_NEURAL.name
]


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in CASES if case["kind"] == kind]


def reply_of(case: dict[str, Any]) -> Any:
    service = case["service"]
    if "raw" in service:
        return always(service["raw"]["status"], service["raw"].get("body", ""))
    return by_image(service["vectors"].get("images", {}))


def check_requests(case: dict[str, Any], requests: list[Sent]) -> None:
    expected = case["expect"]["requests"]
    assert [(sent.method, sent.path, sent.content_type) for sent in requests] == [
        (one["method"], one["path"], one["content_type"]) for one in expected
    ]
    for sent, one in zip(requests, expected, strict=True):
        pattern = re.escape(one["body"]).replace("<UNIX_NANOSECONDS>", r"\d{19}")
        assert re.fullmatch(pattern, sent.body)


def check_error(case: dict[str, Any], error: ServiceError) -> None:
    """Ours begins like Weaviate's, up to where Go's own words begin, and goes on with the service's text."""
    expected = case["expect"]["error"] or ""
    assert str(error).startswith(expected.partition(" json: ")[0].removeprefix("vectorize image: ").strip()) or str(
        error
    ).startswith(expected)


def test_all_are_here() -> None:
    assert len(CASES) == 18


@pytest.mark.parametrize("case", of_kind("validate"))
def test_validation(case: dict[str, Any]) -> None:
    expected = case["expect"]["create"]
    if expected["ok"]:
        assert parse_class(case["class"], (IMG2VEC_NEURAL.name,), "none").name == "Doc"
        return
    with pytest.raises(InvalidClass) as caught:
        parse_class(case["class"], (IMG2VEC_NEURAL.name,), "none")
    assert str(caught.value).removeprefix("module 'img2vec-neural': ") in expected["messages"]


@pytest.mark.parametrize("case", of_kind("vectorize"))
def test_objects(case: dict[str, Any]) -> None:
    config = parse_class(case["class"], (IMG2VEC_NEURAL.name,), "none")
    expected = {**case["expect"], **case.get("expect_repaired", {})}
    with fake_service(reply_of(case)) as service:
        client = ServiceClient(IMG2VEC_NEURAL, service.origin, 10)
        pieces = collect(config, case["object"]["properties"])
        if expected["error"] or expected.get("error_any"):
            with pytest.raises(ServiceError) as caught:
                client.vectorize(pieces, case["object"]["id"])
            check_error(case, caught.value)
        elif expected["vector"] == []:
            assert pieces == []  # "no vector" is told apart from an empty one
        else:
            vector = combine(client.vectorize(pieces, case["object"]["id"]))
            np.testing.assert_array_equal(vector, np.array(expected["vector"], np.float32))
        client.close()
    check_requests(case, service.requests)


@pytest.mark.parametrize("case", of_kind("query"))
def test_queries(case: dict[str, Any]) -> None:
    with fake_service(reply_of(case)) as service:
        client = ServiceClient(IMG2VEC_NEURAL, service.origin, 10)
        if case["expect"]["error"]:
            with pytest.raises(ServiceError) as caught:
                client.vectorize_query("image", case["query"]["image"])
            assert str(caught.value).startswith(case["expect"]["error"])
        else:
            vector = client.vectorize_query("image", case["query"]["image"])
            np.testing.assert_array_equal(vector, np.array(case["expect"]["vector"], np.float32))
        client.close()
    check_requests(case, service.requests)
