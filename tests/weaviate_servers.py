"""Weaviates to run tests on: the stand-in always, a real one where WEAVIATE_BINARY or WEAVIATE_URL says so."""

import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

import running
from stand_in_weaviate import stand_in_weaviate

KINDS = ("stand-in", "real")
_VARIABLES = {"img2vec-neural": "IMAGE_INFERENCE_API", "multi2vec-clip": "CLIP_INFERENCE_API"}
_MISSING = (
    "NO REAL WEAVIATE was tested: set WEAVIATE_BINARY=/path/to/weaviate (the tests start it), or WEAVIATE_URL=weaviate://..."
    " (see CONTRIBUTING.md)"
)


@contextmanager
def weaviate_of(kind: str, origins: Mapping[str, str]) -> Iterator[str]:
    """The URL of a store; ``origins`` are services by module."""
    if kind == "stand-in":
        with stand_in_weaviate(origins) as url:
            yield url
    elif binary := os.environ.get("WEAVIATE_BINARY"):
        with _started(binary, origins) as url:
            yield url
    elif given := os.environ.get("WEAVIATE_URL"):
        yield given
    else:
        pytest.skip(_MISSING)


@contextmanager
def _started(binary: str, origins: Mapping[str, str]) -> Iterator[str]:
    """A Weaviate of this machine, on loopback alone, without telemetry; its data go with it."""
    port, grpc, gossip, data, raft, internal = (running.free_port() for _ in range(6))
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            "ENABLE_MODULES": ",".join(origins),
            **{_VARIABLES[module]: origin for module, origin in origins.items()},
            "PERSISTENCE_DATA_PATH": folder,
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
            "DISABLE_TELEMETRY": "true",
            "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_IN_LOCALHOST": "true",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "CLUSTER_GOSSIP_BIND_PORT": gossip,
            "CLUSTER_DATA_BIND_PORT": data,
            "RAFT_PORT": raft,
            "RAFT_INTERNAL_RPC_PORT": internal,
            "RAFT_BOOTSTRAP_EXPECT": 1,
            "GRPC_PORT": grpc,
            "GOMAXPROCS": 2,
        }
        command = [binary, "--host", "127.0.0.1", "--port", str(port), "--scheme", "http"]
        environ = {**os.environ, **{name: str(value) for name, value in variables.items()}}
        process = subprocess.Popen(command, env=environ)
        try:
            running.wait_for(lambda: _is_ready(process, port), 120)
            yield f"weaviate://127.0.0.1:{port}?grpc={grpc}"
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, "the binary stopped; what it said is above"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/.well-known/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
