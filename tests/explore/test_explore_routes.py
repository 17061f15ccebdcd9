"""What the explorer answers, route by route, over a real store, real services and real files."""

from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

import running
from explorers import PAGE, Page
from pictures import SAMPLES, b64, photo
from vecmod import __version__

CAT = quote("the/cat 1", safe="")


def titles(items: list[dict[str, Any]]) -> list[str]:
    return [one["title"] for one in items]


def test_the_page_comes_with_a_policy_that_lets_nothing_else_in(page: Page) -> None:
    answer = page("GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:")
    assert "unsafe" not in policy
    assert page("GET", "/static/index.html").body == answer.body
    assert page("HEAD", "/").status == 200


def test_status_tells_all_there_is(page: Page, service: running.Caller, clip_service: running.Caller) -> None:
    status = page.get("/api/status")
    assert status["version"] == __version__
    assert status["store"].endswith("photos.db")
    assert status["store_error"] == ""
    assert status["services"] == [
        {
            "module": "multi2vec-clip",
            "url": clip_service.url,
            "ready": True,
            "reason": "",
            "model": running.CONSE,
            "modalities": ["text", "image"],
        },
        {
            "module": "img2vec-neural",
            "url": service.url,
            "ready": True,
            "reason": "",
            "model": running.BUILTIN,
            "modalities": ["image"],
        },
    ]
    album, photos = status["collections"]
    assert {key: album[key] for key in ("name", "module", "searches", "inserts", "tags", "items", "error")} == {
        "name": "Album",
        "module": "multi2vec-clip",
        "searches": ["text", "image", "object"],
        "inserts": ["image"],
        "tags": ["tags"],
        "items": 6,
        "error": "",
    }
    assert (photos["searches"], photos["items"]) == (["image", "object"], 16)
    assert {".jpg", ".png", ".webp"} < set(photos["suffixes"])
    assert ".mp4" not in photos["suffixes"]


def test_items_come_page_by_page(page: Page) -> None:
    first = page.get("/api/collections/Photo/items?limit=10")
    second = page.get("/api/collections/Photo/items?limit=10&offset=10")
    assert (len(first["items"]), first["more"], len(second["items"]), second["more"]) == (10, True, 6, False)
    found = sorted(titles(first["items"] + second["items"]))
    assert found == sorted(path.name for path in (SAMPLES / "photos").iterdir())
    assert page.get("/api/collections/Photo/items?limit=16")["more"] is False
    assert page.get("/api/collections/Photo/items?offset=16") == {"items": [], "more": False}


def test_an_item_says_what_it_is_and_where_its_files_are(page: Page) -> None:
    url = f"/api/collections/Album/items/{CAT}"
    assert page.get(url) == {
        "id": "the/cat 1",
        "properties": {"path": "cat.jpg", "tags": ["animal", "pet"], "year": 2001},
        "kind": "image",
        "title": "cat.jpg",
        "thumbnail": f"{url}/thumbnail",
        "media": f"{url}/media",
    }
    gone = page.get("/api/collections/Album/items/gone")
    assert (gone["title"], gone["kind"], gone["thumbnail"], gone["media"]) == ("gone.jpg", "image", None, None)
    bare = page.get("/api/collections/Album/items/without-a-file")
    assert (bare["title"], bare["kind"], bare["thumbnail"], bare["media"]) == ("A rocket", "other", None, None)


def test_items_that_meet_a_filter(page: Page) -> None:
    wanted = quote('{"tags": {"$all": ["food", "fruit"]}}')
    found = page.get(f"/api/collections/Album/items?filter={wanted}")
    assert (sorted(titles(found["items"])), found["more"]) == (["lime.jpg", "peach.jpg"], False)
    first, second = (page.get(f"/api/collections/Album/items?filter={wanted}&limit=1&offset={at}") for at in (0, 1))
    assert (first["more"], second["more"]) == (True, False)
    assert sorted(titles(first["items"] + second["items"])) == ["lime.jpg", "peach.jpg"]


def test_search_by_words_by_a_picture_and_by_an_object(page: Page) -> None:
    by_words = page.search("Album", by="text", text="a hot drink", limit=2)
    assert (by_words["hits"][0]["title"], len(by_words["hits"]), by_words["more"]) == ("coffee.jpg", 2, True)
    by_picture = page.search("Photo", by="image", data=b64((SAMPLES / "queries/cat-crop.png").read_bytes()))
    assert by_picture["hits"][0]["title"] == "cat.jpg"
    assert 0 <= by_picture["hits"][0]["distance"] < 0.1
    assert (len(by_picture["hits"]), by_picture["more"]) == (16, False)
    by_object = page.search("Album", by="object", id="the/lime 1", limit=1)
    assert by_object["hits"][0]["title"] == "peach.jpg"
    assert set(by_words) == {"hits", "more", "milliseconds"}
    assert isinstance(by_words["milliseconds"], int)


@pytest.mark.parametrize("form", ["{}", "data:image/jpeg;base64,{}"])
def test_base64_with_and_without_its_beginning(form: str, page: Page) -> None:
    data = b64(photo("cat"))
    for text in (data, data.rstrip("=").translate(str.maketrans("+/", "-_"))):
        (hit,) = page.search("Photo", by="image", data=form.format(text), limit=1)["hits"]
        assert (hit["title"], round(hit["distance"], 4)) == ("cat.jpg", 0)


def test_search_within_a_distance_by_a_filter_page_after_page(page: Page) -> None:
    question = {"by": "text", "text": "citrus fruit", "filter": {"tags": "food"}}
    everything = page.search("Album", **question)
    assert titles(everything["hits"])[0] == "lime.jpg"
    assert len(everything["hits"]) == 3
    near = page.search("Album", **question, distance=everything["hits"][1]["distance"])
    assert titles(near["hits"]) == titles(everything["hits"])[:2]
    pages = [page.search("Album", **question, limit=1, offset=at) for at in range(3)]
    assert [titles(one["hits"]) for one in pages] == [[name] for name in titles(everything["hits"])]
    assert [one["more"] for one in pages] == [True, True, False]


def test_distances_of_all_that_are_near(page: Page) -> None:
    data = b64(photo("cat"))
    border = page.search("Photo", by="image", data=data, limit=4)["hits"][-1]["distance"]
    plain = page.search("Photo", by="image", data=data, limit=3, offset=2, distance=border)
    told = page.search("Photo", by="image", data=data, limit=3, offset=2, distance=border, distances=True)
    assert len(plain["hits"]) == 2
    assert told["hits"] == plain["hits"]
    assert told["more"] == plain["more"]
    assert len(told["distances"]) == 16
    assert told["distances"] == sorted(told["distances"])
    assert told["distances"][2] == round(told["hits"][0]["distance"], 4)


def test_tags_are_counted(page: Page) -> None:
    assert page.get("/api/collections/Album/tags?property=tags")["tags"] == [
        {"value": "food", "count": 3},
        {"value": "fruit", "count": 2},
        {"value": "animal", "count": 1},
        {"value": "pet", "count": 1},
    ]
    answer = page("GET", "/api/collections/Album/tags?property=title")
    assert answer.status == 400
    assert "declares no list of texts 'title' (it declares: tags)" in answer.json()["error"]


def test_thumbnails_are_small_and_cached(page: Page) -> None:
    url = f"/api/collections/Album/items/{CAT}/thumbnail"
    answer = page("GET", f"{url}?size=100")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(BytesIO(answer.body)) as picture:
        assert max(picture.size) == 100
    with Image.open(BytesIO(page("GET", url).body)) as picture:
        assert max(picture.size) == 256
    with Image.open(BytesIO(page("GET", f"{url}?size=4000").body)) as picture, Image.open(BytesIO(photo("cat"))) as cat:
        assert picture.size == cat.size
    assert "max-age" in answer.headers["cache-control"]
    again = page("GET", f"{url}?size=100", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert page("GET", f"{url}?size=101", If_None_Match=answer.headers["etag"]).status == 200


def test_media_come_whole_and_in_ranges(page: Page) -> None:
    url = f"/api/collections/Album/items/{CAT}/media"
    whole = page("GET", url)
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, photo("cat"), "image/jpeg")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"
    part = page("GET", url, Range="bytes=100-199")
    assert (part.status, part.body) == (206, photo("cat")[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(photo('cat'))}"
    assert page("GET", url, Range="bytes=-5").body == photo("cat")[-5:]
    assert page("GET", url, Range=f"bytes={len(photo('cat'))}-").status == 416


@pytest.mark.parametrize("what", ["thumbnail", "media"])
def test_files_that_are_not_there(what: str, page: Page) -> None:
    gone = page("GET", f"/api/collections/Album/items/gone/{what}")
    assert (gone.status, gone.json()["code"]) == (404, "not_found")
    assert "'gone.jpg' is in none of the folders; name its folder with --media" in gone.json()["error"]
    bare = page("GET", f"/api/collections/Album/items/without-a-file/{what}")
    assert (bare.status, bare.json()["code"]) == (404, "not_found")
    unknown = page("GET", f"/api/collections/Album/items/nobody/{what}")
    assert (unknown.status, unknown.json()["code"]) == (404, "unknown_object")


def test_a_map_has_every_object_once(page: Page) -> None:
    made = page.get("/api/collections/Photo/map")
    assert (made["shown"], made["of"], len({one["id"] for one in made["points"]})) == (16, 16, 16)
    assert all(0 <= one[axis] <= 1 for one in made["points"] for axis in "xy")
    cat = next(one for one in made["points"] if one["title"] == "cat.jpg")
    assert page("GET", cat["thumbnail"]).status == 200
    answer = page("GET", "/api/collections/Photo/map")
    assert page("GET", "/api/collections/Photo/map", If_None_Match=answer.headers["etag"]).status == 304


ANSWERS = [
    ("GET", "/api/collections/Nothing/items", 404, "unknown_class"),
    ("GET", "/api/collections/Photo/items/nobody", 404, "unknown_object"),
    ("GET", "/api/collections/Photo/items?limit=0", 400, "malformed"),
    ("GET", "/api/collections/Photo/items?limit=201", 400, "malformed"),
    ("GET", "/api/collections/Photo/items?limit=-1", 400, "malformed"),
    ("GET", "/api/collections/Photo/items?offset=1e3", 400, "malformed"),
    ("GET", "/api/collections/Photo/items?offset=99999999999999999999", 400, "malformed"),
    ("GET", "/api/collections/Photo/items?filter=[", 400, "malformed"),
    ("GET", "/api/collections/Photo/items?filter=[1]", 400, "malformed"),
    ("GET", "/api/collections/Photo/items?filter=" + quote('{"x":1}'), 400, "invalid_query"),
    ("GET", f"/api/collections/Album/items/{CAT}/thumbnail?size=x", 400, "malformed"),
    ("GET", f"/api/collections/Album/items/{CAT}/thumbnail?size=1", 400, "malformed"),
    ("GET", "/api/imports/nothing", 404, "not_found"),
    ("POST", "/api/imports/nothing/end", 404, "not_found"),
    ("DELETE", "/api/imports/nothing", 404, "not_found"),
    ("PUT", "/api/imports/nothing/files?path=a.jpg", 404, "not_found"),
    ("POST", "/api/collections/Nothing/imports", 404, "unknown_class"),
    ("GET", "/api/nothing", 404, "http"),
    ("GET", "/static/nothing.js", 404, "http"),
    ("DELETE", "/api/status", 405, "http"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), ANSWERS)
def test_what_cannot_be_answered(method: str, path: str, status: int, code: str, page: Page) -> None:
    answer = page(method, path, None if method == "GET" else b"{}", **PAGE)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert len(answer.json()["error"]) > 10


QUESTIONS: list[tuple[object, int, str]] = [
    (b"{", 400, "the body is no JSON"),
    (b"[" * 100_000, 400, "the body is no JSON"),
    ([1], 400, "valid dictionary"),
    ({"by": "smell"}, 400, "by: Input should be 'text', 'image'"),
    ({"by": "text"}, 400, "to search by text, send 'text'"),
    ({"by": "text", "text": ""}, 400, "to search by text, send 'text'"),
    ({"by": "text", "text": "x", "id": "y"}, 400, "send 'text' and no other"),
    ({"by": "text", "text": 5}, 400, "text: Input should be a valid string"),
    ({"by": "text", "text": "x", "limit": 0}, 400, "limit: "),
    ({"by": "text", "text": "x", "limit": True}, 400, "limit: "),
    ({"by": "text", "text": "x", "offset": 17_000}, 400, "below 16384"),
    ({"by": "text", "text": "x", "distance": 3}, 400, "distance"),
    (b'{"by": "text", "text": "x", "distance": NaN}', 400, "distance"),
    ({"by": "text", "text": "x", "filter": {"colour": "red"}}, 400, "declares no property 'colour'"),
    ({"by": "text", "text": "x", "colour": "red"}, 400, "colour: Extra inputs"),
    ({"by": "image", "data": "/etc/passwd"}, 422, "is not a picture"),
    ({"by": "image", "data": "http://127.0.0.1:1/x.jpg"}, 400, "'data' is no base64"),
    ({"by": "image", "data": b64(b"no picture")}, 422, "is not a picture"),
    ({"by": "audio", "data": b64(b"x")}, 400, "embeds no audio"),
    ({"by": "object", "id": "nobody"}, 404, "no object 'nobody'"),
]


@pytest.mark.parametrize(("question", "status", "words"), QUESTIONS, ids=str)
def test_questions_that_cannot_be_asked(question: object, status: int, words: str, page: Page) -> None:
    answer = page.post("/api/collections/Album/search", question)
    assert (answer.status, words in answer.json()["error"]) == (status, True), answer.body
