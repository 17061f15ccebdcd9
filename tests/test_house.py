"""The rules of the house that no linter knows: one door for each library, one reader of the environment, sizes."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Building the example leaves a copy beside its package.
EXAMPLE = "examples/vecmod-module-example/vecmod_module_example"
SOURCES = sorted(
    path
    for folder in ("modules", "img2vec-neural", "multi2vec-clip", "multi2vec-bind", EXAMPLE)
    for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}

# Library -> the files that may import it.
DOORS = {
    "onnx": {"onnx_graph", "graph_ops", "int8_graph", "int8_layers"},
    "onnxruntime": {"onnx_engine"},
    "openvino": {"openvino_engine"},
    "torch": {"torch_engine"},
    "safetensors": {"weights"},
    "huggingface_hub": {"hub"},
    "PIL": {
        "image",
        "transforms",
        "excess",
        "medium",  # for the type alone
        "calibration",  # likewise
        "film",
        "thumbnailer",
    },
    "av": {"av_file", "audio", "video", "first_frame"},
    "tokenizers": {"tokenizer"},
    "sentencepiece": {"spiece"},
    "prometheus_client": {"metrics"},
    "redis": {"redis_vectors"},
    "uvicorn": {"server", "protocol", "explore_server"},
    "pymilvus": {"milvus_store"},
    "milvus_lite": {"milvus_store"},
    "weaviate": {"weaviate_store"},
    "typesense": {"typesense_store"},
    "httpx": {"typesense_store", "weaviate_store"},  # for what their clients raise
    "pytidb": {"tidb_store", "tidb_sql", "tidb_embedding"},
    "sqlalchemy": {"tidb_store", "tidb_sql"},
    "urllib3": {"client", "download", "remote", "upstream"},
    "typer": {"cli", "commands"},
}
# Settings are read where a process begins, and travel as values from there.
# One library can be silenced only by a variable.
ENVIRONMENT_READERS = {"cli", "__main__", "onnx_engine"}
# Broad excepts: so that every waiter of a failed batch is answered; and where a library raises nothing narrower.
BROAD = {"batcher": 1, "tokenizer": 1}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("library", DOORS)
def test_one_door_for_each_heavy_library(library: str) -> None:
    assert {path.stem for path, tree in TREES.items() if library in imported(tree)} == DOORS[library]


def test_the_environment_is_read_where_a_process_begins() -> None:
    readers = {
        path.stem
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv")
    }
    assert readers == ENVIRONMENT_READERS


def test_base_names_are_unique() -> None:
    names = Counter(path.name for path in [*SOURCES, *TESTS] if not path.name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


def test_files_and_functions_are_small() -> None:
    assert {path.name: n for path in SOURCES if (n := len(path.read_text().splitlines())) > 300} == {}
    long = {
        f"{path.name}:{function.name}": length
        for path, tree in TREES.items()
        for function in functions(tree)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > 50
    }
    assert long == {}


def test_broad_excepts_are_counted() -> None:
    found = Counter(
        path.stem
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    )
    assert found == BROAD


def test_coroutines_live_at_the_door_and_in_the_flow() -> None:
    places = {
        path.relative_to(ROOT / "modules/vecmod").parent.as_posix()
        for path, tree in TREES.items()
        if any(isinstance(function, ast.AsyncFunctionDef) for function in functions(tree))
    }
    assert places == {"serving/http", "explore/http", "serving/flow"}


def test_init_files_hold_no_logic() -> None:
    for path, tree in TREES.items():
        if path.name == "__init__.py":
            assert all(isinstance(node, ast.Expr | ast.Assign) for node in tree.body), path


def test_every_dependency_earns_its_place_in_the_readme() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {one.partition(">")[0].partition("[")[0] for one in listed} - {"vecmod"}
    readme = (ROOT / "README.md").read_text()
    assert [name for name in sorted(names) if f"| `{name}`" not in readme] == []


def test_every_sample_is_credited() -> None:
    samples = ROOT / "modules/vecmod/samples"
    folders = {
        folder.name: sorted(path.name for path in folder.iterdir()) for folder in samples.iterdir() if folder.is_dir()
    }
    folders.pop("__pycache__", None)
    assert {name: len(found) for name, found in folders.items()} == {"photos": 16, "queries": 4, "films": 4}
    credited = (samples / "CREDITS.md").read_text()
    # A photo by its author and licence; what was made from one, by its photo.
    assert [name for name in folders["photos"] if f"| `{name}` | " not in credited] == []
    assert [name for name in folders["queries"] if f"`{name}` (" not in credited] == []
    assert [name for name in folders["films"] if f"| `{name}` | `{Path(name).stem}.jpg` | " not in credited] == []
