"""Files by URL take turns: hosts that are slow, chatty or hostile cost their senders, nobody else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fetching import fault, fetching
from file_server import FileServer, answer, redirect, serving
from pictures import b64, encoded, gradient
from vecmod.serving.media.remote_url import read_url
from vecmod.serving.media.url_rules import UrlRules

PICTURE = encoded(gradient(40, 30))


def held(files: FileServer, count: int, until: threading.Event) -> list[str]:
    return [files.url(f"/held-{number}", lambda _: (until.wait(20), None)[1]) for number in range(count)]


def test_requests_with_urls_leave_room_for_others() -> None:
    release = threading.Event()
    with serving() as files, fetching(files.authority, seconds=2) as caller, ThreadPoolExecutor(80) as callers:
        urls = held(files, 80, release)
        asked = [callers.submit(caller, "POST", "/vectorize", {"images": [url]}) for url in urls]
        start = time.monotonic()
        caller.vector(b64(PICTURE))
        assert time.monotonic() - start < 1
        codes = [one.result().json()["code"] for one in asked]
        release.set()
    # Some had their turn and were given up, some waited for one in vain, the last were not let in.
    assert set(codes) == {"url_unavailable", "busy"}
    assert codes.count("busy") >= 16


def test_a_file_in_crumbs_is_given_up_soon() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving() as files, fetching(files.authority) as caller:
        url = files.url("/crumbs", lambda c: c.sendall(head + b"1\r\nx\r\n" * 20_000))
        assert "it sent the file in crumbs" in fault(caller, url)[2]


def test_redirects_are_named_and_read_as_they_were_meant() -> None:
    with serving() as files, fetching(files.authority) as caller:
        files.files["/b%C3%BCcher.png"] = answer(PICTURE)
        raw = "HTTP/1.1 302 Found\r\nLocation: /bücher.png\r\nContent-Length: 0\r\n\r\n".encode()
        assert caller.vector(files.url("/raw", lambda c: c.sendall(raw))) == caller.vector(b64(PICTURE))
    with serving() as files, fetching("*:" + str(files.port), files.authority) as caller:
        inside = files.url("/in", redirect(f"http://169.254.169.254:{files.port}/latest"))
        assert f"redirected by {files.authority}: is a URL of 169.254.169.254" in fault(caller, inside)[2]


@pytest.mark.parametrize("entry", ["::ffff:127.0.0.1", "::ffff:7f00:0/104", "64:ff9b::7f00:1", "127.0.0.1"])
@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "127.0.0.1", "[64:ff9b::7f00:1]"])
def test_an_address_has_many_forms(entry: str, host: str) -> None:
    url = read_url(f"http://{host}/")
    rules = UrlRules([entry])
    rules.check_host(url)
    assert url.address is not None
    rules.check_address(url, url.address)
