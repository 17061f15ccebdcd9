"""What README shows runs as it stands."""

import re
from pathlib import Path

import pytest

import running
from pictures import SAMPLES, photo

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_commands_are_the_two() -> None:
    commands = re.findall(r"^(make [a-z]+)", README, re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


def test_python_example(
    service: running.Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "cat.jpg").write_bytes(photo("cat"))
    (tmp_path / "query.png").write_bytes((SAMPLES / "queries/cat-crop.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(snippet.replace("http://127.0.0.1:8080", service.url), {})  # noqa: S102 -- our own README
    assert capsys.readouterr().out == "cat 0.06 {'title': 'a cat'}\n"


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
