"""A service with a model of no weight that fetches media, and what it says of a URL."""

from contextlib import AbstractContextManager

import running
from dummy_model import DummyModel
from vecmod.serving.media.remote import RemoteFiles, RemoteLimits
from vecmod.serving.media.url_rules import UrlRules


def fetching(
    *entries: str, seconds: float = 5, max_bytes: int = 2**20, model: DummyModel | None = None
) -> AbstractContextManager[running.Caller]:
    remote = RemoteFiles(UrlRules(entries), RemoteLimits(max_bytes, seconds))
    return running.in_thread(running.service_of(lambda: model or DummyModel(), remote=remote))


def fault(caller: running.Caller, url: str) -> tuple[int, str, str]:
    """Status, code and sentence."""
    got = caller("POST", "/vectorize", {"images": [url]})
    assert got.status != 200, "answered with a vector"
    assert len(got.body) < 1000
    sentence = got.json()["error"]
    assert sentence.startswith("images[0] (item 1 of 1): ")
    return got.status, got.json()["code"], sentence
