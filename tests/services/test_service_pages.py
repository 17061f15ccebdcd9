"""The pages of the services in a real browser: ``/``, which says what a service is and tries it, and ``/docs``."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

import running
from dummy_model import DummyModel
from page_browser import DESKTOP, PHONE, Opened, opened
from pictures import SAMPLES, b64, photo

CAT, LIME, FILM = (SAMPLES / name for name in ("photos/cat.jpg", "photos/lime.jpg", "films/cat.mp4"))
FIXTURES = {running.IMG2VEC: "service", running.CLIP: "clip_service", running.BIND: "film_service"}
MODALITIES = {
    running.IMG2VEC: ["image"],
    running.CLIP: ["text", "image"],
    running.BIND: ["text", "image", "video", "thermal", "depth"],
}
# Pixels of what is drawn of a vector: blue and red above the middle, blue and red below it.
COLOURS = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, 600, 56);
  const found = [0, 0, 0, 0];
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3]) found[(at < data.length / 2 ? 0 : 2) + (data[at] > data[at + 2] ? 1 : 0)] += 1;
  return found;
}"""
TOKEN = "let me in"  # noqa: S105 -- of a test


@pytest.fixture(params=FIXTURES)
def caller(request: pytest.FixtureRequest) -> running.Caller:
    found: running.Caller = request.getfixturevalue(FIXTURES[request.param])
    return found


@pytest.fixture
def clip_tab(browser: Browser, clip_service: running.Caller) -> Iterator[Opened]:
    with opened(browser, clip_service.url) as tab:
        show(tab)
        yield tab


@pytest.fixture
def img2vec_tab(browser: Browser, service: running.Caller) -> Iterator[Opened]:
    with opened(browser, service.url) as tab:
        show(tab)
        yield tab


@pytest.fixture(scope="module")
def closed_service(cache: Path) -> Iterator[running.Caller]:
    """multi2vec-clip, which answers those who know its token."""
    with running.in_thread(running.clip(cache, VECMOD_API_TOKEN=TOKEN)) as found:
        yield found


def show(tab: Opened) -> None:
    tab.page.goto(f"{tab.url}/")
    expect(tab.page.locator("#state")).to_have_text("ready")
    expect(tab.page.locator("#try")).to_be_visible()


def side(tab: Opened, name: str) -> Locator:
    return tab.page.get_by_role("group", name=name, exact=True)


def choose(tab: Opened, name: str, file: Path, modality: str = "image") -> None:
    side(tab, name).get_by_label("Modality").select_option(modality)
    side(tab, name).get_by_label("File").set_input_files(file)


def embed(tab: Opened) -> None:
    tab.page.get_by_role("button", name="Embed").click()
    tab.until("document.getElementById('try').ariaBusy === 'false'")


def copied(tab: Opened, name: str) -> list[float]:
    """The whole vector of one side."""
    side(tab, name).get_by_role("button", name="Copy the vector").click()
    expect(side(tab, name).get_by_role("button", name="Copied")).to_be_visible()
    return list(json.loads(tab.page.evaluate("navigator.clipboard.readText()")))


def cosine(one: list[float], other: list[float]) -> float:
    return float(np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


def test_it_says_what_it_is(browser: Browser, caller: running.Caller) -> None:
    meta = caller("GET", "/meta").json()
    details, limits = meta["details"], meta["limits"]
    with opened(browser, caller.url) as tab:
        show(tab)
        assert tab.page.title() == tab.page.get_by_role("heading", level=1).inner_text() == meta["service"]
        facts = tab.page.locator("#model").inner_text()
        (numbers,) = set(details["dimensions"].values())
        for words in (
            details["family"],
            details["licence"],
            details["revision"],
            f"{numbers} numbers",
            details["engine"]["name"],
        ):
            assert words in facts
        assert ", ".join(MODALITIES[meta["service"]]) in facts
        assert ("of length 1" in facts) == details["normalized"]
        told = tab.page.locator("#limits").inner_text()
        assert f"{limits['max_body_bytes'] >> 20} MiB" in told
        assert f"{limits['max_pixels']:,}" in told
        assert (f"{limits['max_video_seconds']} s" in told) == ("video" in details["modalities"])
        for name in ("A", "B"):
            assert side(tab, name).locator("option").all_inner_texts() == MODALITIES[meta["service"]]
        links = [one.get_attribute("href") for one in tab.page.get_by_role("navigation").get_by_role("link").all()]
        assert links == ["docs", "meta", "metrics", "openapi.json"]
        assert [caller("GET", f"/{link}").status for link in links] == [200] * 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_stands_in_the_way_and_all_fits(
    browser: Browser, caller: running.Caller, size: tuple[int, int], scheme: str
) -> None:
    with opened(browser, caller.url, size, color_scheme=scheme) as tab:
        show(tab)
        assert tab.violations() == []
        choose(tab, "A", CAT)
        choose(tab, "B", LIME)
        embed(tab)
        expect(tab.page.locator("canvas")).to_have_count(2)
        assert tab.violations() == []
        assert tab.width() <= size[0]
        tab.page.get_by_role("link", name="Routes").click()
        expect(tab.page.get_by_role("button", name="Try POST /vectorize")).to_be_visible()
        assert tab.violations() == []
        assert tab.width() <= size[0]


def test_words_and_a_picture(clip_tab: Opened, clip_service: running.Caller) -> None:
    side(clip_tab, "A").get_by_label("Text", exact=True).fill("a cat")
    choose(clip_tab, "B", CAT)
    clip_tab.until("document.querySelectorAll('img.shown')[1].naturalWidth > 100")
    embed(clip_tab)
    answer = clip_service("POST", "/vectorize", {"texts": ["a cat"], "images": [b64(photo("cat"))]}).json()
    words, picture = answer["textVectors"][0], answer["imageVectors"][0]
    np.testing.assert_allclose(copied(clip_tab, "A"), words, atol=1e-5)
    np.testing.assert_allclose(copied(clip_tab, "B"), picture, atol=1e-5)
    said = re.findall(r"-?\d\.\d{4}", clip_tab.page.locator("#alike").inner_text())
    alike = cosine(words, picture)
    np.testing.assert_allclose([float(one) for one in said], [alike, 1 - alike], atol=2e-4)
    first = side(clip_tab, "A").locator(".numbers").inner_text()
    np.testing.assert_allclose([float(one) for one in re.findall(r"-?[\d.]+", first)], words[:6], rtol=0.01)
    expect(side(clip_tab, "A")).to_contain_text("384 numbers, length 1.000")
    blue, wrong, wrong_too, red = clip_tab.page.locator("canvas").first.evaluate(COLOURS)
    assert min(blue, red) > 500
    assert (wrong, wrong_too) == (0, 0)


def test_two_pictures(img2vec_tab: Opened) -> None:
    choose(img2vec_tab, "A", CAT)
    choose(img2vec_tab, "B", CAT)
    embed(img2vec_tab)
    expect(img2vec_tab.page.locator("#alike")).to_have_text("Cosine similarity 1.0000, distance 0.0000")
    choose(img2vec_tab, "B", LIME)
    embed(img2vec_tab)
    expect(img2vec_tab.page.locator("#alike")).not_to_contain_text("1.0000")
    assert cosine(copied(img2vec_tab, "A"), copied(img2vec_tab, "B")) < 0.5


def test_a_film_and_one_of_its_pictures(browser: Browser, film_service: running.Caller) -> None:
    with opened(browser, film_service.url) as tab:
        show(tab)
        choose(tab, "A", FILM, "video")
        choose(tab, "B", CAT)
        embed(tab)
        near = cosine(copied(tab, "A"), copied(tab, "B"))
        choose(tab, "B", LIME)
        embed(tab)
        assert near > cosine(copied(tab, "A"), copied(tab, "B")) + 0.1


def test_vectors_are_copied_where_there_is_no_clipboard(browser: Browser, clip_service: running.Caller) -> None:
    """On any address but localhost, over plain HTTP."""
    with opened(browser, clip_service.url) as tab:
        tab.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        show(tab)
        text = side(tab, "A").get_by_label("Text", exact=True)
        text.fill("a cat")
        embed(tab)
        side(tab, "A").get_by_role("button", name="Copy the vector").click()
        expect(side(tab, "A").get_by_role("button", name="Copied")).to_be_visible()
        text.fill("")
        text.press("Control+v")
        assert len(json.loads(text.input_value())) == 384


def test_one_alone_or_none(clip_tab: Opened) -> None:
    embed(clip_tab)
    expect(clip_tab.page.locator("#alike")).to_have_text("Nothing to embed: write a text, or choose a file.")
    side(clip_tab, "A").get_by_label("Text", exact=True).fill("a cat")
    embed(clip_tab)
    expect(clip_tab.page.locator("#alike")).to_have_text("Give both to see how alike they are.")
    expect(side(clip_tab, "A").locator("canvas")).to_be_visible()


def test_a_file_that_cannot_be_read(clip_tab: Opened, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo("cat")[:9000])
    side(clip_tab, "A").get_by_label("Text", exact=True).fill("a cat")
    choose(clip_tab, "B", broken)
    embed(clip_tab)
    expect(side(clip_tab, "B").locator(".fault")).to_contain_text("is damaged")
    expect(side(clip_tab, "A").locator("canvas")).to_be_visible()
    expect(clip_tab.page.locator("#alike")).to_be_empty()
    (tmp_path / "words.jpg").write_text("no picture")
    choose(clip_tab, "B", tmp_path / "words.jpg")
    embed(clip_tab)
    expect(side(clip_tab, "B").locator(".fault")).to_contain_text("is not a picture")
    expect(side(clip_tab, "B").locator("img")).to_be_hidden()
    clip_tab.watch.complaints.clear()  # the browser itself tells of each answer 4xx


def test_a_text_that_is_cut_is_said(clip_tab: Opened) -> None:
    side(clip_tab, "A").get_by_label("Text", exact=True).fill("cat " * 400)
    embed(clip_tab)
    expect(side(clip_tab, "A").locator(".fault")).to_contain_text("of which the model reads the first")


def focused(tab: Opened) -> str:
    return str(tab.page.evaluate("document.activeElement.name || document.activeElement.innerText"))


def test_by_keyboard_alone(clip_tab: Opened) -> None:
    press = clip_tab.page.keyboard.press
    for link in ("Routes", "Meta", "Metrics", "OpenAPI"):
        press("Tab")
        assert focused(clip_tab) == link
    press("Tab")  # modality of A
    press("Tab")
    assert focused(clip_tab) == "text-A"
    clip_tab.page.keyboard.type("a cat")
    press("Tab")  # modality of B: a picture, as words are there already; up to words, and down again
    press("ArrowUp")
    expect(side(clip_tab, "B").get_by_label("Text", exact=True)).to_be_visible()
    press("ArrowDown")
    press("Tab")
    assert focused(clip_tab) == "file-B"
    with clip_tab.page.expect_file_chooser() as chooser:
        press("Space")
    chooser.value.set_files(CAT)
    press("Tab")
    assert focused(clip_tab) == "Embed"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert clip_tab.page.evaluate(outline) != "none"
    press("Enter")
    expect(clip_tab.page.locator("#alike")).to_contain_text("Cosine similarity 0.")
    press("Shift+Tab")
    assert focused(clip_tab) == "Copy the vector"
    press("Enter")
    expect(side(clip_tab, "B").get_by_role("button", name="Copied")).to_be_visible()


def test_with_a_token(browser: Browser, closed_service: running.Caller) -> None:
    with opened(browser, closed_service.url) as tab:
        show(tab)
        expect(tab.page.locator("#token")).to_be_hidden()
        side(tab, "A").get_by_label("Text", exact=True).fill("a cat")
        embed(tab)
        expect(side(tab, "A").locator(".fault")).to_contain_text("wants its token")
        expect(tab.page.locator("#token")).to_be_focused()
        tab.page.keyboard.type(TOKEN)
        tab.page.keyboard.press("Enter")
        expect(side(tab, "A").locator("canvas")).to_be_visible()
        expect(side(tab, "A").locator(".fault")).to_have_count(0)
        assert tab.violations() == []
        tab.watch.complaints.clear()  # the browser itself tells of each answer 4xx


def test_routes_are_tried_there(browser: Browser, closed_service: running.Caller) -> None:
    with opened(browser, closed_service.url, PHONE) as tab:
        tab.page.goto(f"{tab.url}/docs")
        vectors = tab.page.locator("section").filter(has=tab.page.get_by_role("button", name="Try POST /vectors"))
        vectors.get_by_role("button").click()
        expect(vectors.locator("pre")).to_contain_text("401 in")
        tab.page.get_by_label("Token").fill(TOKEN)
        vectors.get_by_role("button").click()
        expect(vectors.locator("pre")).to_contain_text("200 in")
        expect(vectors.locator("pre")).to_contain_text('"vector":[')
        assert tab.width() <= PHONE[0]
        tab.watch.complaints.clear()  # the browser itself tells of each answer 4xx


def test_it_becomes_ready_and_goes_away(browser: Browser) -> None:
    go = threading.Event()

    def slow() -> DummyModel:
        go.wait(60)
        return DummyModel()

    with ExitStack() as services:
        starting = services.enter_context(running.in_thread(running.service_of(slow), until_ready=False))
        with opened(browser, starting.url) as tab:
            tab.page.goto(f"{tab.url}/")
            expect(tab.page.locator("#state")).to_have_text("starting")
            expect(tab.page.locator("#reason")).to_contain_text("still loading")
            expect(tab.page.locator("#try")).to_be_hidden()
            assert tab.violations() == []
            go.set()
            expect(tab.page.locator("#state")).to_have_text("ready")
            expect(tab.page.locator("#reason")).to_be_hidden()
            expect(tab.page.locator("#try")).to_be_visible()
            services.close()
            expect(tab.page.locator("#state")).to_have_text("does not answer", timeout=30_000)
            tab.page.close()
            tab.watch.complaints.clear()  # the browser itself tells of each answer 5xx, and of each that does not come
