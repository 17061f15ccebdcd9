"""The recorded cases of Weaviate's own server: validation, objects, queries, batches.

Where Weaviate loses information (the service's error text, an answer without a vector), shifts weights or panics, ours
does the better thing that the case names; a class that can only go wrong is refused when it is declared.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_service import Sent, always, by_image, by_lists, fake_service
from vecmod.contract.modality import MODALITIES, TEXT
from vecmod.host.catalog import IMG2VEC_NEURAL, known_modules
from vecmod.host.classconfig import ClassConfig, parse_class
from vecmod.host.client import ServiceClient
from vecmod.host.collect import collect
from vecmod.host.combine import combine
from vecmod.host.declaration import check_properties
from vecmod.host.host_errors import HostError, InvalidClass, InvalidQuery
from vecmod.host.ingest import Ingest
from vecmod.host.near_text import Move, TextQuery, text_vector
from vecmod.host.stores.memory_store import MemoryStore
from vecmod.host.stores.store import StoredClass

MODULES = known_modules()
CASES = json.loads((Path(__file__).parents[1] / "fixtures/weaviate_cases.json").read_text())["cases"]
OVERRIDE = "http://override:8080"


def of_kind(kind: str, *, strict: bool = True) -> list[Any]:
    """Cases; those whose class is refused here stand apart."""
    return [
        pytest.param(case, id=case["id"])
        for case in CASES
        if case["kind"] == kind and case.get("strict_create_ok", True) is strict
    ]


def config_of(case: dict[str, Any], *, by_position: bool = False, origin: str = "") -> ClassConfig:
    definition = json.loads(json.dumps(case["class"]).replace(OVERRIDE, origin))
    vector = case.get("target_vector", "")
    return parse_class(definition, known_modules(), "none", by_position=by_position, vector=vector)


def client_for(case: dict[str, Any], config: ClassConfig, origin: str) -> ServiceClient:
    client = ServiceClient(MODULES[case["module"]], origin, 10)
    return client.at(config.origin) if config.origin else client


def reply_of(case: dict[str, Any]) -> Any:
    service = case.get("service", {})
    if "raw" in service:
        return always(service["raw"]["status"], service["raw"].get("body", ""))
    if case["module"] == IMG2VEC_NEURAL.name:
        return by_image(service.get("vectors", {}).get("images", {}))
    return by_lists(service.get("vectors", {}), service.get("extra", {}))


def check_requests(expected: list[dict[str, Any]], requests: list[Sent], *, any_order: bool = False) -> None:
    sent = [(one.method, one.path, one.content_type, one.body) for one in requests]
    if any_order:
        sent.sort()
        expected = sorted(expected, key=lambda one: str(one["body"]))
    assert len(sent) == len(expected)
    for (method, path, content_type, text), one in zip(sent, expected, strict=True):
        assert (method, content_type) == (one["method"], one["content_type"])
        assert path == "/" + one["path"].lstrip("/")  # Python's http.client folds leading slashes
        pattern = re.escape(one["body"]).replace("<UNIX_NANOSECONDS>", r"\d{19}")
        assert re.fullmatch(pattern, text)


def check_error(expected: str, error: Exception) -> None:
    """Ours has Weaviate's words, up to where Go's own words begin, and goes on with the service's text."""
    for words in (" json: ", " invalid character", " unexpected end"):
        expected = expected.partition(words)[0]
    for prefix in ("vectorize keywords: ", "remote client vectorize: ", "vectorize image: "):
        expected = expected.removeprefix(prefix)
    assert expected.rstrip(": ") in str(error)


def test_all_are_here() -> None:
    assert len(CASES) == 118


@pytest.mark.parametrize("case", of_kind("validate"))
def test_validation(case: dict[str, Any]) -> None:
    expected = case["expect"]["create"]
    if expected["ok"]:
        config = config_of(case)
        assert config.name == "Doc"
        check_properties(case["class"], config.fields)
        return
    with pytest.raises(InvalidClass) as caught:
        config_of(case)
    assert str(caught.value).removeprefix(f"module '{case['module']}': ") in expected["messages"]


@pytest.mark.parametrize("case", [*of_kind("validate", strict=False), *of_kind("vectorize", strict=False)])
def test_classes_that_can_only_go_wrong_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidClass):
        config_of(case)


@pytest.mark.parametrize("by_position", [False, True], ids=["declared", "weaviate"])
@pytest.mark.parametrize("case", of_kind("vectorize"))
def test_objects(case: dict[str, Any], by_position: bool) -> None:
    expected = {**case["expect"], **case.get("expect_repaired", {})}
    if not by_position:
        expected.update(case.get("expect_declared_order", {}))
    with fake_service(reply_of(case)) as service:
        config = config_of(case, by_position=by_position, origin=service.origin)
        client = client_for(case, config, service.origin)
        pieces = collect(config, case["object"]["properties"] or {})
        if expected["error"] or expected.get("error_any"):
            with pytest.raises(HostError) as caught:
                combine(pieces, client.vectorize(pieces, case["object"]["id"]))
            better = "" if expected.get("error_any") else expected["error"]
            check_error(BETTER_WORDS.get(case["id"], better), caught.value)
        elif expected["vector"] == []:
            assert pieces == []  # "no vector" is told apart from an empty one
        else:
            vector = combine(pieces, client.vectorize(pieces, case["object"]["id"]))
            np.testing.assert_array_equal(vector, np.array(expected["vector"], np.float32))
        client.close()
    check_requests(expected["requests"], service.requests)


@pytest.mark.parametrize("case", of_kind("query"))
def test_queries(case: dict[str, Any]) -> None:
    with fake_service(reply_of(case)) as service:
        client = client_for(case, config_of(case), service.origin)
        if case["query"].get("concepts") == []:
            with pytest.raises(InvalidQuery, match="at least one text"):  # Weaviate asks for nothing and finds nothing
                ask(case, client)
            assert service.requests == []
            return
        if case["expect"]["error"]:
            with pytest.raises(HostError) as caught:
                ask(case, client)
            check_error(BETTER_WORDS.get(case["id"], case["expect"]["error"]), caught.value)
        else:
            np.testing.assert_array_equal(ask(case, client), np.array(case["expect"]["vector"], np.float32))
        client.close()
    # A force that makes no sense is found before anything is asked for its sake.
    check_requests(case["expect"]["requests"][: 1 if case["id"] == "E05" else None], service.requests)


BETTER_WORDS = {
    "B36": "the vector in the answer is not a list of finite numbers",
    "B37": "the vector in the answer is not a list of finite numbers",
    "B38": "fail with status 500",
    "E07": "1 vectors for 2 inputs in textVectors",
    "E19": "0 vectors for 1 inputs in depthVectors",
    "E12": "2 vectors for 1 inputs in imageVectors",
}


def ask(case: dict[str, Any], client: ServiceClient) -> Any:
    query = case["query"]
    for modality in MODALITIES:
        if query["operator"].lower() == f"near{modality.name}" and modality is not TEXT:
            return client.vectorize_query(modality, query[modality.name])
    stored = {name: np.array(vector, np.float32) for name, vector in case.get("stored_vectors", {}).items()}
    moves = [Move(**query[name]) if name in query else None for name in ("moveTo", "moveAwayFrom")]
    return text_vector(
        client, TextQuery(query["concepts"] if "concepts" in query else [query["query"]], *moves), stored.__getitem__
    )


@pytest.mark.parametrize("case", of_kind("batch"))
def test_batches(case: dict[str, Any]) -> None:
    expected = {**case["expect"], **case.get("expect_repaired", {})}
    config = config_of(case)
    store = MemoryStore()
    dim = max(len(vector) for vector in expected["vectors"] if vector)
    store.create_class("Doc", StoredClass(config.definition, dim))
    skipped = case.get("skip") or [False] * len(case["objects"])
    objects = [one for one, skip in zip(case["objects"], skipped, strict=True) if not skip]
    with fake_service(reply_of(case)) as service:
        report = Ingest(config, client_for(case, config, service.origin), store, 4).run(objects)
    errors = {one.id: str(one.error) for one in report.failed}
    for index, (one, vector) in enumerate(zip(case["objects"], expected["vectors"], strict=True)):
        found = store.get("Doc", [one["id"]])
        assert [record.vector.tolist() for record in found] == ([vector] if vector else [])
        assert errors.get(one["id"]) == (expected["errors"] or {}).get(str(index))
    check_requests(expected["requests"], service.requests, any_order=True)
