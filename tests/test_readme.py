"""What README shows runs as it stands."""

import re
import uuid
from pathlib import Path

import pytest

import running
from pictures import SAMPLES, photo
from stand_in_tidb import StandIn
from stand_in_weaviate import stand_in_weaviate

README = (Path(__file__).parents[1] / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def snippet_with(words: str) -> str:
    (found,) = [one for one in SNIPPETS if words in one]
    return str(found)


@pytest.fixture
def _pictures_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cat", "rocket"):
        (tmp_path / f"{name}.jpg").write_bytes(photo(name))
    (tmp_path / "query.png").write_bytes((SAMPLES / "queries/cat-crop.png").read_bytes())
    monkeypatch.chdir(tmp_path)


def test_the_first_commands_are_the_two() -> None:
    commands = re.findall(r"^(make [a-z]+)", README, re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


@pytest.mark.usefixtures("_pictures_here")
def test_python_example(service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    snippet = snippet_with("ModuleHost")
    exec(snippet.replace("http://127.0.0.1:8080", service.url), {})  # noqa: S102 -- our own README
    assert capsys.readouterr().out == "cat 0.06 {'title': 'a cat'}\n"


@pytest.mark.usefixtures("_pictures_here")
def test_weaviate_examples(service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    """On the stand-in: Weaviate's own client, and the first example with another store."""
    direct = snippet_with("import weaviate")
    with stand_in_weaviate({"img2vec-neural": service.url}) as url:
        port, grpc = re.findall(r"\d{4,}", url)
        # The client would ask the package index for its newest version.
        local = f'connect_to_local("127.0.0.1", port={port}, grpc_port={grpc}, skip_init_checks=True)'
        assert "connect_to_local(port=8081)" in direct
        exec(direct.replace("connect_to_local(port=8081)", local), {})  # noqa: S102
        exec(snippet_with("ModuleHost").replace("photos.db", url), {})  # noqa: S102
    assert capsys.readouterr().out == "0.06 {'title': 'a cat'}\ncat 0.06 {'title': 'a cat'}\n"


# pytidb declares vectors as lists and reads them as arrays, which pydantic remarks at every row.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.usefixtures("_pictures_here")
@pytest.mark.parametrize("function", ["VecmodEmbedding", "EmbeddingFunction"])
def test_tidb_example(
    function: str, clip_service: running.Caller, tidb_stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    snippet = snippet_with("TiDBClient")
    if function == "EmbeddingFunction":
        snippet = re.sub(r"embed = .*\n", lambda _: snippet_with("import EmbeddingFunction"), snippet, count=1)
    # pytidb keeps every model of a process by its name.
    name = f"x{uuid.uuid4().hex}"
    for words, others in (
        ("http://127.0.0.1:8081", clip_service.url),
        ("4000", str(tidb_stand_in.server_address[1])),
        ("photos", name),
        ("Photo(", f"{name.upper()}("),
        ("=Photo", f"={name.upper()}"),
    ):
        assert words in snippet
        snippet = snippet.replace(words, others)
    exec(snippet, {"__name__": name})  # noqa: S102 -- our own README
    assert capsys.readouterr().out == "a cat 0.39\na cat 0.01\n"


@pytest.mark.usefixtures("_pictures_here")
def test_embeddings_example(clip_service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    snippet = snippet_with("import OpenAI")
    exec(snippet.replace("http://127.0.0.1:8080", clip_service.url), {})  # noqa: S102 -- our own README
    assert capsys.readouterr().out == "True\n"


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
