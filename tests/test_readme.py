"""What README shows runs as it stands."""

import re
from pathlib import Path

import pytest

import running
from pictures import SAMPLES, photo
from stand_in_weaviate import stand_in_weaviate

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_commands_are_the_two() -> None:
    commands = re.findall(r"^(make [a-z]+)", README, re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat.jpg").write_bytes(photo("cat"))
    (tmp_path / "query.png").write_bytes((SAMPLES / "queries/cat-crop.png").read_bytes())
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("pictures")
def test_python_example(service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    snippet = SNIPPETS[0].replace("http://127.0.0.1:8080", service.url)
    exec(snippet, {})  # noqa: S102 -- our own README
    assert capsys.readouterr().out == "cat 0.06 {'title': 'a cat'}\n"


@pytest.mark.usefixtures("pictures")
def test_weaviate_examples(service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    """On the stand-in: Weaviate's own client, and the first example with another store."""
    (direct,) = (one for one in SNIPPETS if "import weaviate" in one)
    with stand_in_weaviate({"img2vec-neural": service.url}) as url:
        port, grpc = re.findall(r"\d{4,}", url)
        # The client would ask the package index for its newest version.
        local = f'connect_to_local("127.0.0.1", port={port}, grpc_port={grpc}, skip_init_checks=True)'
        assert "connect_to_local(port=8081)" in direct
        exec(direct.replace("connect_to_local(port=8081)", local), {})  # noqa: S102
        exec(SNIPPETS[0].replace("photos.db", url), {})  # noqa: S102
    assert capsys.readouterr().out == "0.06 {'title': 'a cat'}\ncat 0.06 {'title': 'a cat'}\n"


@pytest.mark.usefixtures("pictures")
def test_embeddings_example(clip_service: running.Caller, capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = (one for one in SNIPPETS if "import OpenAI" in one)
    exec(snippet.replace("http://127.0.0.1:8080", clip_service.url), {})  # noqa: S102 -- our own README
    assert capsys.readouterr().out == "True\n"


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
