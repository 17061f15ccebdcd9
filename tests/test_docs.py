"""What README and docs/ show runs as it stands, and prints what they say it prints."""

import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import copy

import openai
import pytest
import typesense

import running
from pictures import SAMPLES
from shell_blocks import blocks
from stand_in_tidb import StandIn
from stand_in_weaviate import stand_in_weaviate
from typesense_server import KEY, TypesenseServer

ROOT = Path(__file__).parents[1]
DOCS = {path.stem: path for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
LINKED = [*DOCS.values(), *ROOT.glob("*2vec-*/README.md"), ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"]
CLIP = "http://127.0.0.1:8081"


def snippets(doc: str) -> list[str]:
    return blocks(DOCS[doc].read_text(), "python")


def output(doc: str) -> str:
    """What stands below the first program."""
    return DOCS[doc].read_text().partition("```python\n")[2].partition("```text\n")[2].partition("```")[0]


def headings(path: Path) -> list[str]:
    """As anchors."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def run(code: str, changes: Mapping[str, str]) -> None:
    for words, others in changes.items():
        assert words in code
        code = code.replace(words, others)
    names: dict[str, object] = {"__name__": f"shown_{uuid.uuid4().hex}"}
    exec(code, names)  # noqa: S102 -- our own documentation
    # What ends with the process there would stay open here.
    for one in names.values():
        if isinstance(one, openai.OpenAI):
            one.close()
        elif isinstance(one, typesense.Client):
            one.api_call.close()


@pytest.fixture(autouse=True)
def _pictures_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for picture in (SAMPLES / "photos").iterdir():
        copy(picture, tmp_path)
    copy(SAMPLES / "queries/cat-crop.png", tmp_path / "query.png")
    monkeypatch.chdir(tmp_path)


def test_the_first_commands_are_the_two() -> None:
    commands = re.findall(r"^(make [a-z]+)", DOCS["README"].read_text(), re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("path", LINKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", path.read_text()):
        place = path.parent / target if target else path
        assert place.exists(), target
        assert not anchor or anchor in headings(place), anchor


def test_every_snippet_has_its_test() -> None:
    shown = {name for name in DOCS if snippets(name)}
    assert shown == {"README", "milvus", "typesense", "tidb", "weaviate", "embeddings-api"}


STORES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "memory": lambda _: "memory://",
    "milvus-lite": lambda _: "photos.db",
    "typesense": lambda request: request.getfixturevalue("typesense").url,
    "tidb-stand-in": lambda request: str(request.getfixturevalue("tidb_stand_in").url),
}


@pytest.mark.parametrize("store", STORES)
def test_one_program_on_every_store(
    store: str, request: pytest.FixtureRequest, clip_service: running.Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = snippets("README")
    changes = {'"photos.db"': repr(STORES[store](request)), CLIP: clip_service.url, "Photo": f"Photo{uuid.uuid4().hex}"}
    run(program, changes)
    assert capsys.readouterr().out == output("README")


def test_the_program_on_weaviate(clip_service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    with stand_in_weaviate({"multi2vec-clip": clip_service.url}) as url:
        run(snippets("README")[0], {'"photos.db"': repr(url), CLIP: clip_service.url})
    assert capsys.readouterr().out == output("README")


def test_weaviate(service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    with stand_in_weaviate({"img2vec-neural": service.url}) as url:
        port, grpc = re.findall(r"\d{4,}", url)
        # The client would ask the package index for its newest version.
        local = f'connect_to_local("127.0.0.1", port={port}, grpc_port={grpc}, skip_init_checks=True)'
        run(snippets("weaviate")[0], {"connect_to_local(port=8081)": local})
    assert capsys.readouterr().out == "0.06 {'title': 'a cat'}\n"


def test_milvus(clip_service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    run(snippets("milvus")[0], {CLIP: clip_service.url})
    assert capsys.readouterr().out == output("milvus")


def test_typesense(
    clip_service: running.Caller, typesense: TypesenseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    collection = f"mine_{uuid.uuid4().hex}"
    changes = {
        CLIP: clip_service.url,
        "8108": str(typesense.port),
        '"KEY"': repr(KEY),
        '"mine"': repr(collection),
    }
    run(snippets("typesense")[0], changes)
    assert capsys.readouterr().out == output("typesense")


# pytidb declares vectors as lists and reads them as arrays, which pydantic remarks at every row.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.usefixtures("closed_litellm")
@pytest.mark.parametrize("function", ["VecmodEmbedding", "EmbeddingFunction"])
def test_tidb(
    function: str, clip_service: running.Caller, tidb_stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    program, stock = snippets("tidb")
    if function == "EmbeddingFunction":
        program = re.sub(r"embed = .*\n", lambda _: stock, program, count=1)
    # pytidb keeps every model of a process by its name.
    name = f"x{uuid.uuid4().hex}"
    changes = {
        CLIP: clip_service.url,
        "4000": str(tidb_stand_in.server_address[1]),
        "photos": name,
        "Photo(": f"{name.upper()}(",
        "=Photo": f"={name.upper()}",
    }
    run(program, changes)
    assert capsys.readouterr().out == "a cat 0.39\na cat 0.01\n"


def test_embeddings_api(clip_service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    run(snippets("embeddings-api")[0], {"http://127.0.0.1:8080": clip_service.url})
    assert capsys.readouterr().out == "True\n"
