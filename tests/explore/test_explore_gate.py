"""Who is not answered: pages from elsewhere, names that are not this machine's, paths that lead out of the folders."""

import http.client
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

import pytest

from explorers import PAGE, Page, exploring
from pictures import SAMPLES, photo
from vecmod.explore.explore_errors import ExploreFault
from vecmod.explore.media_folders import MediaFolders, safe_place
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost


def raw(page: Page, target: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """A request as it is written: other clients tidy paths up."""
    connection = http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=30)
    connection.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[", "192.168.1.5"]
)
def test_another_host_is_misdirected(host: str, page: Page) -> None:
    for target in ("/", "/api/status", "/static/index.html"):
        assert raw(page, target, Host=host).status == 421
    assert raw(page, "/api/collections/Photo/imports", "POST", Host=host, X_Requested_With="vecmod").status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"])
def test_names_of_this_machine(host: str, page: Page) -> None:
    assert raw(page, "/api/status", Host=host).status == 200


def test_who_listens_everywhere_is_reached_by_addresses_but_by_no_name(
    services: Mapping[str, str], tmp_path: Path
) -> None:
    with exploring(tmp_path, services, address="0.0.0.0", VECMOD_STORE="memory://") as page:  # noqa: S104
        assert raw(page, "/api/status", Host="192.168.1.5:8765").status == 200
        assert raw(page, "/api/status", Host=os.uname().nodename).status == 200
        assert raw(page, "/api/status", Host="evil.example").status == 421


def test_what_changes_something_needs_a_header_that_foreign_pages_cannot_send(page: Page) -> None:
    begun = page.begin("Photo")
    for method, path in (
        ("POST", "/api/collections/Photo/imports"),
        ("POST", "/api/collections/Photo/search"),
        ("PUT", f"/api/imports/{begun}/files?path=a.jpg"),
        ("POST", f"/api/imports/{begun}/end"),
        ("DELETE", f"/api/imports/{begun}"),
    ):
        for headers in ({}, {"X_Requested_With": "XMLHttpRequest"}):
            answer = page(method, path, b"{}", **headers)
            assert (answer.status, answer.json()["code"]) == (403, "foreign_page"), path
    assert page.finish(begun)["received"] == 0
    assert "access-control-allow-origin" not in page("GET", "/api/status", Origin="http://evil.example").headers
    assert page("GET", "/api/status").headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "../../../../../../etc/passwd",
        "..%2f..%2f..%2fexplore_settings.py",
        "%2e%2e/explore_settings.py",
        "..%5cexplore_settings.py",
        "%00index.html",
        "index.html%00.js",
        "//etc/passwd",
        "%2fetc%2fpasswd",
    ],
)
def test_static_files_lead_nowhere_else(path: str, page: Page) -> None:
    assert raw(page, f"/static/{path}").status in (404, 400)


OUTSIDE = [
    "/etc/passwd",
    "../secret.jpg",
    "a/../../secret.jpg",
    "link.jpg",
    "folder-link/secret.jpg",
    "circle.jpg",
    "inside.jpg\0.png",
    "x" * 5000 + ".jpg",
    "folder.jpg",
    "pipe.jpg",
    "",
    ".",
    "..",
    "inside.html",
    "inside.svg",
    "dressed-up.jpg",
]


@pytest.fixture(scope="module")
def besieged(services: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A store whose objects say all kinds of things in ``path``; their ids are numbers, as in OUTSIDE."""
    folder = tmp_path_factory.mktemp("besieged")
    media = folder / "media"
    media.mkdir()
    (folder / "secret.jpg").write_bytes(photo("cat"))
    (media / "inside.jpg").write_bytes(photo("cat"))
    for name in ("inside.html", "inside.svg"):
        (media / name).write_text("<script>alert(1)</script>")
    (media / "link.jpg").symlink_to(folder / "secret.jpg")
    (media / "folder-link").symlink_to(folder)
    (media / "circle.jpg").symlink_to(media / "circle.jpg")
    (media / "dressed-up.jpg").symlink_to(media / "inside.html")
    (media / "good-link.jpg").symlink_to(media / "inside.jpg")
    (media / "folder.jpg").mkdir()
    os.mkfifo(media / "pipe.jpg")
    store = str(folder / "paths.db")
    definition = {
        "class": "Paths",
        "vectorizer": "img2vec-neural",
        "moduleConfig": {"img2vec-neural": {"imageFields": ["image"]}},
    }
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": store})) as host:
        paths = host.create_class(definition)
        named = {"good": "inside.jpg", "linked": "good-link.jpg", **{str(at): path for at, path in enumerate(OUTSIDE)}}
        objects = [{"id": name, "properties": {"image": photo("cat"), "path": path}} for name, path in named.items()]
        objects.append({"id": "number", "properties": {"image": photo("cat"), "path": 5}})
        assert paths.insert_many(objects).failed == []
    with exploring(folder / "own", services, [media], VECMOD_STORE=store) as opened:
        yield opened


@pytest.mark.parametrize("number", range(len(OUTSIDE)), ids=[repr(path[:30]) for path in OUTSIDE])
def test_objects_show_no_file_outside_of_the_folders_and_none_that_browsers_run(number: int, besieged: Page) -> None:
    url = f"/api/collections/Paths/items/{number}"
    assert besieged("GET", f"{url}/media").status == 404
    assert besieged("GET", f"{url}/thumbnail").status == 404
    if OUTSIDE[number] != "dressed-up.jpg":
        assert besieged.get(url)["media"] is None


def test_objects_show_what_is_inside(besieged: Page) -> None:
    for name in ("good", "linked"):
        assert besieged("GET", f"/api/collections/Paths/items/{name}/media").body == photo("cat")
    assert besieged("GET", "/api/collections/Paths/items/number/media").status == 404
    assert besieged.get("/api/collections/Paths/map")["shown"] == len(OUTSIDE) + 3


@pytest.mark.parametrize("name", ["..", "../Photo", "Photo\0", "Photo/../Photo", "photo", "%2e%2e"])
def test_collections_are_names(name: str, page: Page) -> None:
    assert raw(page, f"/api/collections/{quote(name, safe='')}/items").status == 404


BAD_PLACES = [
    "",
    ".",
    "..",
    "/etc/cron.d/x.jpg",
    "../x.jpg",
    "a/../../x.jpg",
    "a//x.jpg",
    "a/./x.jpg",
    "a/",
    "a\0.jpg",
    "a\n.jpg",
    "\x7f.jpg",
    "a" * 300 + ".jpg",
]


@pytest.mark.parametrize("place", BAD_PLACES, ids=repr)
def test_imported_files_lie_below_their_folder(place: str, page: Page) -> None:
    begun = page.begin("Photo")
    answer = page("PUT", f"/api/imports/{begun}/files?path={quote(place)}", photo("cat"), **PAGE)
    assert (answer.status, answer.json()["code"]) == (422, "bad_path")
    assert page.finish(begun)["received"] == 0


def test_places_that_files_may_have() -> None:
    for place in ("cat.jpg", "a/b c/é漢😀.jpg", "..a/b...jpg", "a:b.jpg", "~/x.jpg", "%2e%2e/x.jpg"):
        assert safe_place(place) == PurePosixPath(place)
    with pytest.raises(ExploreFault, match="is no place of a file"):
        safe_place("\ud800.jpg")


def test_a_link_among_the_imported_files_is_not_followed(tmp_path: Path) -> None:
    folders = MediaFolders(tmp_path / "own")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own/Photo").mkdir(parents=True)
    (tmp_path / "own/Photo/trip").symlink_to(tmp_path / "elsewhere")
    staged = folders.staged()
    with pytest.raises(OSError, match="leads out of"):
        folders.keep(staged, "Photo", PurePosixPath("trip/cat.jpg"))
    folders.keep(staged, "Photo", PurePosixPath("other/cat.jpg"))
    assert folders.find("Photo", "other/cat.jpg") == tmp_path / "own/Photo/other/cat.jpg"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    folders.close()
    assert list((tmp_path / "own/.incoming").iterdir()) == []


def test_imported_files_come_before_those_of_the_operator(tmp_path: Path) -> None:
    folders = MediaFolders(tmp_path / "own", [SAMPLES / "photos"])
    assert folders.find("Photo", "cat.jpg") == (SAMPLES / "photos/cat.jpg").resolve()
    staged = folders.staged()
    folders.keep(staged, "Photo", PurePosixPath("cat.jpg"))
    assert folders.find("Photo", "cat.jpg") == tmp_path / "own/Photo/cat.jpg"
    assert folders.find("Album", "cat.jpg") == (SAMPLES / "photos/cat.jpg").resolve()
