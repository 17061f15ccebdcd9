"""Makes the table of open_clip's names again, from the installed package: python tests/open_clip_repos.py"""

import importlib
import json
import sys
from importlib.metadata import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import multi2vec_clip
from multi2vec_clip.open_clip import clip_config
from vecmod.serving.model.weights import WeightsNotFound

FILE = Path(str(multi2vec_clip.__file__)).parent / "open_clip_repos.json"


def repositories() -> dict[str, dict[str, str]]:
    """Architecture -> tag -> repository, for the architectures that are read here."""
    folder = package_folder()
    pretrained = module_of("pretrained")
    found: dict[str, dict[str, str]] = {}
    for name, tag in pretrained.list_pretrained():
        hub = pretrained.get_pretrained_cfg(name, tag)["hf_hub"]
        # What does not end so names a single file of a repository, which has no configuration of open_clip's then.
        if hub.endswith("/") and is_read(folder / "model_configs" / f"{name}.json"):
            found.setdefault(name, {})[tag] = hub.rstrip("/")
    return found


def package_folder() -> Path:
    return next(
        Path(str(file.locate())).parent for file in files("open-clip-torch") or [] if file.name == "pretrained.py"
    )


def module_of(name: str) -> Any:
    """One module of open_clip; the package as a whole would want torchvision and timm."""
    package = sys.modules.setdefault("open_clip", ModuleType("open_clip"))
    package.__path__ = [str(package_folder())]
    return importlib.import_module(f"open_clip.{name}")


def tokenizer_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """open_clip's own tokenizer."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "")  # which it sets
    return module_of("tokenizer").SimpleTokenizer()


def is_read(config: Path) -> bool:
    if not config.is_file():
        return False
    try:
        clip_config(json.loads(config.read_text("utf-8")))
    except WeightsNotFound:
        return False
    return True


if __name__ == "__main__":
    FILE.write_text(json.dumps(repositories(), indent=2) + "\n", "utf-8")
