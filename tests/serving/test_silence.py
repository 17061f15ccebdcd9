"""Nothing phones home: a service that starts, embeds and stops asks nobody for anything."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Long enough for a library that sends what it has gathered when it has idled for a while.
_PATIENCE = 15
_SERVE = f"""
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[2:]
import running
from pictures import b64, photo

with running.in_thread(running.clip(Path(sys.argv[1]))) as caller:
    answer = caller("POST", "/vectorize", {{"texts": ["a cat"], "images": [b64(photo("cat"))]}})
    assert answer.status == 200, answer.body
    time.sleep({_PATIENCE})
"""


@contextmanager
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """What every well-made client would ask; notes who does and hangs up."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(2)
                    asked.append(connection.recv(200))

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_service_asks_nobody(cache: Path) -> None:
    with proxy() as (url, asked):
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        environ = {**os.environ, **dict.fromkeys(names, url), "no_proxy": "127.0.0.1"}
        command = [sys.executable, "-c", _SERVE, str(cache), str(Path(__file__).parents[1])]
        subprocess.run(command, env=environ, check=True, timeout=120)
    assert asked == []
