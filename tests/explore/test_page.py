"""The explorer's page in a real browser, on real services and a real store: looking, searching, narrowing, opening."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

import running
from page_browser import DESKTOP, PHONE, Opened, opened
from page_explorer import PHOTOS, TAGS
from pictures import SAMPLES

QUERIES = SAMPLES / "queries"
PAGE = Path(__file__).parents[2] / "modules/vecmod/explore/page"


@pytest.fixture
def tab(browser: Browser, explorer: str) -> Iterator[Opened]:
    with opened(browser, explorer) as one:
        yield one


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_look(browser: Browser, explorer: str, size: tuple[int, int], scheme: str) -> None:
    with opened(browser, explorer, size, color_scheme=scheme) as tab:
        tab.go()
        assert set(tab.titles()) == {f"{name}.jpg" for name in PHOTOS}
        expect(tab.page.locator("#summary")).to_have_text(f"{len(PHOTOS)} items in PhotoInWords")
        expect(tab.page.locator("#status")).to_contain_text("multi2vec-clip · builtin/conse-en")
        ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) > 380) == (scheme == "light")
        tab.until("[...document.querySelectorAll('#grid img')].slice(0, 4).every((one) => one.naturalWidth)")


SHIFTS = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries().reduce((sum, one) => sum + one.value, 0)))
    .observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => resolve(0), 500);
})"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_jumps(browser: Browser, explorer: str, size: tuple[int, int]) -> None:
    with opened(browser, explorer, size) as tab:
        tab.go(text="a+cat")
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.evaluate(SHIFTS) < 0.02


def test_words_find_the_photo_and_back_leads_back(tab: Opened) -> None:
    tab.go()
    tab.page.fill("#words", "a hot drink")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#grid .title").first).to_have_text("coffee.jpg")
    assert tab.distances() == sorted(tab.distances())
    assert "text=a+hot+drink" in tab.page.url
    tab.page.fill("#words", "a cat")
    tab.page.click("#go")
    expect(tab.page.locator("#grid .title").first).to_have_text("cat.jpg")
    tab.page.go_back()
    expect(tab.page.locator("#grid .title").first).to_have_text("coffee.jpg")
    expect(tab.page.locator("#words")).to_have_value("a hot drink")
    tab.page.go_back()
    expect(tab.page.locator("#summary")).to_contain_text("items in")
    tab.page.go_forward()
    expect(tab.page.locator("#grid .title").first).to_have_text("coffee.jpg")
    tab.page.reload()
    expect(tab.page.locator("#grid .title").first).to_have_text("coffee.jpg")


def test_who_goes_back_before_the_answer_sees_what_was_there(tab: Opened) -> None:
    held: list[Route] = []
    tab.go(text="a+cat")
    tab.page.route("**/search", lambda route: held.append(route))
    tab.page.fill("#words", "a hot drink")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#results")).to_have_attribute("aria-busy", "true")
    tab.page.go_back()
    expect(tab.page.locator("#results")).to_have_attribute("aria-busy", "false")
    running.wait_for(lambda: bool(tab.page.evaluate("1") and held))
    held[0].continue_()
    tab.page.wait_for_timeout(500)
    assert tab.titles()[0] == "cat.jpg"
    expect(tab.page.locator("#words")).to_have_value("a cat")


def test_a_dropped_picture_is_searched_by(tab: Opened) -> None:
    tab.go()
    tab.drag(QUERIES / "rocket-rotated.jpg", to="search", drop=False)
    expect(tab.page.locator("#drop-search")).to_have_class(re.compile(r"\bon\b"))
    tab.drag(QUERIES / "rocket-rotated.jpg", to="search")
    expect(tab.page.locator("#grid .title").first).to_have_text("rocket.jpg")
    expect(tab.page.locator("#chip")).to_contain_text("rocket-rotated.jpg")
    assert tab.page.locator("#chip img").evaluate("(image) => image.naturalWidth") > 0
    tab.page.get_by_role("button", name="Remove it from the search").click()
    expect(tab.page.locator("#chip")).to_be_hidden()
    expect(tab.page.locator("#summary")).to_contain_text("items in")


def test_a_pasted_picture_is_searched_by(tab: Opened) -> None:
    tab.go()
    tab.page.evaluate(
        """async () => {
          const picture = await (await fetch(document.querySelector('#grid li img').src)).blob();
          const bitmap = await createImageBitmap(picture);
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          canvas.getContext('2d').drawImage(bitmap, 0, 0);
          const png = await canvas.convertToBlob({ type: 'image/png' });
          await navigator.clipboard.write([new ClipboardItem({ 'image/png': png })]);
        }"""
    )
    first = tab.titles()[0]
    tab.page.keyboard.press("Control+v")
    expect(tab.page.locator("#chip")).to_contain_text("image.png")
    expect(tab.page.locator("#grid .bar").first).to_be_visible()
    expect(tab.page.locator("#grid .title").first).to_have_text(first)
    assert tab.distances()[0] < 0.2


def test_a_picked_picture_is_searched_by_and_gone_after_a_reload(tab: Opened) -> None:
    tab.go(collection="Photo")
    expect(tab.page.locator("#words")).to_be_disabled()
    with tab.page.expect_file_chooser() as chooser:
        tab.page.click("#pick")
    chooser.value.set_files(QUERIES / "temple-webp.webp")
    expect(tab.page.locator("#grid .title").first).to_have_text("temple.jpg")
    tab.page.reload()
    expect(tab.page.locator("#message")).to_contain_text("drop it here once more")


def test_what_cannot_be_searched_by_is_said_beside_the_line(tab: Opened, tmp_path: Path) -> None:
    tab.go()
    note = tmp_path / "note.pdf"
    note.write_bytes(b"%PDF-1.4")
    tab.drag(note, to="search")
    expect(tab.page.locator("#query-error")).to_have_text(
        "PhotoInWords is not searched by files such as note.pdf; give it a picture."
    )
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    tab.drag(broken, to="search")
    expect(tab.page.locator("#message [role=alert]")).to_contain_text("picture")
    tab.watch.complaints.clear()  # the browser itself tells of each answer 4xx


def test_more_like_this(tab: Opened) -> None:
    tab.go()
    card = tab.page.locator("#grid li", has_text="lime.jpg")
    card.hover()
    card.get_by_role("button", name="More like lime.jpg").click()
    expect(tab.page.locator("#chip")).to_contain_text("like lime.jpg")
    expect(tab.page.locator("#summary")).to_contain_text(f"{len(PHOTOS) - 1} hits")
    assert "lime.jpg" not in tab.titles()
    tab.page.reload()
    expect(tab.page.locator("#chip")).to_contain_text("like lime.jpg")


def test_the_slider_tells_live_what_it_leaves_and_the_server_cuts_there(tab: Opened) -> None:
    tab.go(text="citrus fruit")
    distances = tab.distances()
    expect(tab.page.locator("#limit-value")).to_have_text(f"no limit · {len(PHOTOS)}")
    limit = round((distances[2] + distances[3]) / 2, 2)
    tab.page.locator("#limit").evaluate(
        "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        str(limit),
    )
    expect(tab.page.locator("#limit-value")).to_have_text(re.compile(r"≤ .* · 3$"))
    expect(tab.page.locator("#grid .beyond")).to_have_count(len(PHOTOS) - 3)
    expect(tab.page.locator("#grid > li")).to_have_count(3)
    assert tab.distances() == distances[:3]
    assert f"distance={limit}" in tab.page.url
    tab.page.focus("#limit")
    tab.page.keyboard.press("Home")
    expect(tab.page.locator("#message")).to_contain_text("The nearest is")
    tab.page.get_by_role("button", name="Lift the distance limit").click()
    expect(tab.page.locator("#grid > li")).to_have_count(len(PHOTOS))


def test_tags_narrow_items_and_hits(tab: Opened) -> None:
    food = {f"{name}.jpg" for name, tags in TAGS.items() if "food" in tags}
    fruit = {f"{name}.jpg" for name, tags in TAGS.items() if "fruit" in tags}
    tab.go()
    button = tab.page.locator('[data-tag="tags:food"]')
    expect(button).to_have_text(f"food {len(food)}")
    button.click()
    expect(tab.page.locator("#summary")).to_have_text(f"{len(food)} with these tags")
    assert set(tab.titles()) == food
    tab.page.fill("#words", "a cup of coffee")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#summary")).to_contain_text(f"{len(food)} hits")
    assert tab.titles()[0] == "coffee.jpg"
    tab.page.locator('[data-tag="tags:fruit"]').click()
    expect(tab.page.locator("#summary")).to_contain_text(f"{len(fruit)} hits")
    assert set(tab.titles()) == fruit
    tab.page.get_by_role("button", name="Clear the tags").click()
    expect(tab.page.locator("#summary")).to_contain_text(f"{len(PHOTOS)} hits")


def test_an_item_opens_large_with_what_is_known_of_it(tab: Opened) -> None:
    tab.go(text="a rocket launch")
    ranked = tab.titles()
    tab.page.locator("#grid .open").first.click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("rocket.jpg")
    expect(dialog.locator("dl")).to_contain_text("space")
    tab.until("document.querySelector('.stage img').naturalWidth > 300")
    dialog.get_by_role("button", name="Copy the id").click()
    expect(tab.page.locator("#said")).to_have_text("Copied")
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == dialog.locator(".id code").inner_text()
    original = dialog.get_by_role("link", name="Original").get_attribute("href")
    assert tab.page.request.get(f"{tab.url}{original}").body() == (SAMPLES / "photos/rocket.jpg").read_bytes()
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.get_by_role("heading")).to_have_text(ranked[1])
    tab.page.reload()
    expect(dialog.get_by_role("heading")).to_have_text(ranked[1])
    dialog.get_by_role("button", name="More like this").click()
    expect(dialog).to_be_hidden()
    expect(tab.page.locator("#chip")).to_contain_text(f"like {ranked[1]}")


def test_films_play_and_are_searched_by(tab: Opened) -> None:
    tab.go("Film")
    expect(tab.page.locator("#summary")).to_have_text("4 items in Film")
    tab.until("[...document.querySelectorAll('#grid img')].every((one) => one.naturalWidth)")
    tab.drag(SAMPLES / "films/rocket.webm", to="search")
    expect(tab.page.locator("#grid .title").first).to_have_text("rocket.webm")
    expect(tab.page.locator("#chip")).to_contain_text("rocket.webm")
    tab.page.locator("#grid .open").first.click()
    film = tab.page.locator(".stage video")
    film.evaluate("(video) => { video.muted = true; return video.play(); }")
    tab.until("document.querySelector('.stage video').currentTime > 0.1")


def test_a_file_that_is_not_there_is_said_where_the_picture_would_be(tab: Opened) -> None:
    tab.go(collection="Lost")
    expect(tab.page.locator("#grid .thumb > .icon")).to_have_count(1)
    tab.page.locator("#grid .open").click()
    expect(tab.page.locator(".missing")).to_contain_text("vecmod explore --media FOLDER")


def test_an_item_or_a_collection_that_is_not_there(tab: Opened) -> None:
    tab.go(collection="Nowhere")
    expect(tab.page.locator("#message")).to_contain_text("Choose one of them")
    tab.page.select_option("#collection", "Photo")
    expect(tab.page.locator("#summary")).to_contain_text("items in Photo")
    assert tab.watch.complaints == []
    tab.go(like="00000000-0000-0000-0000-000000000000")
    expect(tab.page.locator("#message [role=alert]")).to_be_visible()
    tab.page.get_by_role("button", name="Back to all items").click()
    expect(tab.page.locator("#grid > li")).to_have_count(len(PHOTOS))
    tab.watch.complaints.clear()  # the browser itself tells of each answer 4xx


def test_the_theme_is_kept(tab: Opened) -> None:
    tab.go()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(ground)
    for name in ("light", "dark"):
        tab.page.click("#theme")
        expect(tab.page.locator("#theme")).to_have_attribute("aria-label", f"Theme: {name}")
    dark = tab.page.evaluate(ground)
    assert dark != light
    tab.page.reload()
    assert tab.page.evaluate(ground) == dark


def test_the_page_holds_nothing_that_its_policy_forbids() -> None:
    index = (PAGE / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", index) == []
    addresses = {one for path in PAGE.iterdir() for one in re.findall(r"https?://[^\s\"'`)]+", path.read_text())}
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_its_files_are_small() -> None:
    assert {path.name: n for path in PAGE.iterdir() if (n := len(path.read_text().splitlines())) > 300} == {}
