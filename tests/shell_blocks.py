"""Commands of the docs, run by bash: what serves is ready before the next line, each at a port that is free."""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import running
from machine_tools import tool

_PRELUDE = """
set -e
declare -A at
leave() { test -z "${at[$1]}" || { kill "${at[$1]}"; wait "${at[$1]}" || true; }; at[$1]=; }
leave_all() { for port in "${!at[@]}"; do leave "$port"; done; }
trap leave_all EXIT
ready() { at[$1]=$!; until curl -sf -o /dev/null "http://127.0.0.1:$1$2"; do kill -0 "${at[$1]}"; sleep 0.2; done; }
"""
_PORTS = re.compile(r"\b(80\d\d|8765)\b")


class _Server(NamedTuple):
    """A command that goes on: its usual port, and what it answers once it is there."""

    port: int
    path: str


_SERVERS = {
    "vecmod serve": _Server(8080, "/.well-known/ready"),
    "vecmod explore": _Server(8765, "/api/status"),
    "vecmod record": _Server(8090, "/.well-known/ready"),
}


def blocks(text: str, language: str = "bash") -> list[str]:
    """All blocks of a language, each in lines of their own."""
    return [code.replace("\\\n", " ") for code in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


def runnable(code: str, not_run: Iterable[str]) -> str:
    """A block as a script, without the lines that begin so; whatever serves at a port makes room for the next there."""
    lines: list[str] = []
    for line in code.splitlines():
        if line.startswith(tuple(not_run)):
            continue
        server = next((one for words, one in _SERVERS.items() if words in line), None)
        if server is None:
            lines.append(line)
            continue
        named = re.search(r"--port (\d+)", line)
        port = named[1] if named else server.port
        lines += [f"leave {port}", f"{line.partition('  #')[0].rstrip(' &')} &", f"ready {port} {server.path}"]
    return "\n".join(lines)


def run(script: str, cwd: Path, variables: Mapping[str, object]) -> subprocess.CompletedProcess[str]:
    """What came of a script in a folder, which is home, too."""
    tool("curl", advice="apt-get install curl")
    ports = {port: str(running.free_port()) for port in {*_PORTS.findall(script), "8080", "8765"}}
    usual = {"VECMOD_PORT": ports["8080"], "VECMOD_EXPLORE_PORT": ports["8765"], "VECMOD_DRAIN_DELAY": 0}
    asked = {"IMAGE_INFERENCE_API": f"http://127.0.0.1:{ports['8080']}"}
    environ = running.environ({**usual, **asked, "VECMOD_OFFLINE": 1, "HOME": cwd, "COLUMNS": 200, **variables})
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    given = _PRELUDE + _PORTS.sub(lambda found: ports[found[1]], script)
    return subprocess.run(["bash", "-c", given], cwd=cwd, env=environ, capture_output=True, text=True, check=False)
