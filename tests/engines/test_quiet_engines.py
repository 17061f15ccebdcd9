"""No engine calls its maker: no name is looked up, no connection made, nothing left in the home folder."""

import subprocess
import sys
from pathlib import Path

import pytest

import running
from recipes import SMALL_NETWORK
from vecmod.serving.engine.onnx_graph import write_graph

# Child processes would escape the hook; none of these engines needs one.
_PROGRAM = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.exec", "os.posix_spawn"):
        print(event, arguments, flush=True)
sys.addaudithook(watch)
import time
from pathlib import Path
import numpy as np
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.engine.network import ConvertedGraph
graph = ConvertedGraph("small", Path(sys.argv[1]), (3, 8, 8), 3)
engine = load_engine(graph, EngineChoice(sys.argv[2], "cpu", 1, Path(sys.argv[1]).parent))
engine.run(np.zeros((1, 3, 8, 8), np.float32))
time.sleep(1)
"""


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_nobody_is_told(name: str, tmp_path: Path) -> None:
    write_graph(SMALL_NETWORK, tmp_path / "graph.onnx")
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path / "graph.onnx"), name]
    environ = running.environ({"HOME": home, "CI": ""})
    environ.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(home.rglob("*")) == []
