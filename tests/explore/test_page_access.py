"""For everybody: by keyboard alone, with a screen reader, on a phone, in the dark; and when something is missing."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from explorers import exploring
from page_browser import DESKTOP, PHONE, WORDS, Opened, opened
from page_explorer import PHOTOS


def open_first(tab: Opened) -> None:
    tab.page.locator("#grid .open").first.click()
    expect(tab.page.get_by_role("dialog")).to_be_visible()


def open_import(tab: Opened) -> None:
    tab.page.click("#import-open")


def show_map(tab: Opened) -> None:
    tab.page.click("#view-map")
    expect(tab.page.locator("#canvas")).to_have_attribute("aria-label", f"Map of {WORDS}: {len(PHOTOS)} points")


def nothing(tab: Opened) -> None:
    del tab


STATES: dict[str, tuple[dict[str, str], Callable[[Opened], None]]] = {
    "start": ({}, nothing),
    "results": ({"text": "a+cat", "distance": "0.95", "tag": "tags:food"}, nothing),
    "dialog": ({"text": "a+cat"}, open_first),
    "import": ({}, open_import),
    "map": ({"text": "a+cat"}, show_map),
    "empty": ({"collection": "Empty"}, nothing),
    "lost": ({"collection": "Lost"}, open_first),
    "film": ({"collection": "Film"}, open_first),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("state", STATES)
def test_nothing_stands_in_the_way_and_all_fits(
    browser: Browser, explorer: str, state: str, size: tuple[int, int], scheme: str
) -> None:
    place, step = STATES[state]
    with opened(browser, explorer, size, color_scheme=scheme, reduced_motion="reduce") as tab:
        tab.go(**{"collection": WORDS, **place})
        step(tab)
        assert tab.violations() == []
        assert tab.width() <= size[0]


@pytest.fixture
def tab(browser: Browser, explorer: str) -> Iterator[Opened]:
    with opened(browser, explorer) as one:
        yield one


def focused(tab: Opened) -> str:
    return str(tab.page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.id"))


def test_by_keyboard_alone(tab: Opened) -> None:
    tab.go()
    press = tab.page.keyboard.press
    press("Tab")
    assert focused(tab) == "skip"
    press("Enter")
    first, second = tab.titles()[:2]
    assert focused(tab) == first
    press("ArrowRight")
    assert focused(tab) == second
    columns = len(tab.page.locator("#grid").evaluate("(grid) => getComputedStyle(grid).gridTemplateColumns").split())
    press("ArrowDown")
    assert focused(tab) == tab.titles()[columns + 1]
    press("End")
    assert focused(tab) == tab.titles()[-1]
    press("Home")
    press("Enter")
    dialog = tab.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(first)
    press("ArrowRight")
    expect(dialog.get_by_role("heading")).to_have_text(second)
    press("Escape")
    expect(dialog).to_be_hidden()
    assert focused(tab) == second
    press("m")
    expect(tab.page.locator("#chip")).to_contain_text(f"like {second}")
    press("/")
    assert focused(tab) == "words"
    tab.page.keyboard.type("a flower")
    press("Enter")
    expect(tab.page.locator("#grid .title").first).to_have_text("flower.jpg")


# What has the focus, and whether it or the line around it has an outline.
OUTLINED = """() => {
  const one = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  const line = one.closest('.query');
  const ringed = line && getComputedStyle(line).boxShadow !== 'none';
  return [one.id || one.className, ringed || (outlineStyle !== 'none' && outlineWidth !== '0px')];
}"""


def test_focus_is_seen(tab: Opened) -> None:
    tab.go(text="a+cat")
    seen = set()
    for _ in range(40):
        tab.page.keyboard.press("Tab")
        name, outlined = tab.page.evaluate(OUTLINED)
        assert outlined or name == "", name
        seen.add(name)
    assert {"skip", "collection", "words", "limit", "open", "theme"} <= seen


def test_results_and_progress_are_said(tab: Opened) -> None:
    tab.go()
    said = tab.page.get_by_role("status").filter(has_text="items in")
    expect(said).to_have_text(f"{len(PHOTOS)} items in {WORDS}")
    tab.go(text="a+cat")
    expect(tab.page.locator("#said")).to_have_text(f"{len(PHOTOS)} hits")


def test_a_service_that_does_not_answer(browser: Browser, lonely_explorer: str) -> None:
    with opened(browser, lonely_explorer) as tab:
        tab.go()
        expect(tab.page.locator("#service-fault")).to_contain_text("multi2vec-clip does not answer")
        expect(tab.page.locator("#service-fault code")).to_have_text("vecmod serve multi2vec-clip --port 9")
        expect(tab.page.locator("#grid > li")).to_have_count(3)
        tab.page.fill("#words", "a cat")
        tab.page.keyboard.press("Enter")
        expect(tab.page.locator("#message [role=alert]")).to_contain_text("multi2vec-clip")
        tab.watch.complaints.clear()  # the browser itself tells of each answer 5xx


def test_a_store_without_collections_and_an_explorer_that_ends(browser: Browser, tmp_path: Path) -> None:
    with ExitStack() as explorers:
        bare = explorers.enter_context(exploring(tmp_path, {}, VECMOD_STORE="memory://"))
        with opened(browser, bare.url, PHONE) as tab:
            tab.page.goto(tab.url)
            commands = tab.page.locator("#message .command code")
            expect(commands).to_contain_text(
                ["vecmod serve multi2vec-clip", "vecmod insert ~/Pictures", "vecmod explore"]
            )
            assert json.loads(tab.page.locator("#message pre").inner_text())["vectorizer"] == "multi2vec-clip"
            assert tab.width() <= PHONE[0]
            assert tab.violations() == []
            explorers.close()
            expect(tab.page.locator("#service-fault")).to_contain_text("start it again with", timeout=20_000)
            tab.watch.complaints.clear()  # the browser itself tells of each connection refused
