"""Folders and files go in through the page; what fails is named, the rest is stored."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import running
from crops import crops
from page_browser import PHONE, Opened, opened
from pictures import SAMPLES


@pytest.fixture
def holiday(tmp_path: Path) -> Path:
    """A folder as people have them: pictures, one of them broken, in folders, with other files among them."""
    folder = tmp_path / "holiday"
    (folder / "day 2").mkdir(parents=True)
    for name in ("cat", "lime", "peach"):
        (folder / f"{name}.jpg").write_bytes((SAMPLES / f"photos/{name}.jpg").read_bytes())
    (folder / "day 2" / "temple ä #1.jpg").write_bytes((SAMPLES / "photos/temple.jpg").read_bytes())
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("rain")
    (folder / ".hidden.jpg").write_bytes(b"of no interest")
    return folder


@pytest.fixture
def tab(browser: Browser, empty_explorer: str) -> Iterator[Opened]:
    with opened(browser, empty_explorer) as one:
        one.go("Empty")
        yield one


def counts(tab: Opened) -> dict[str, int]:
    texts = tab.page.locator(".counts div").all_inner_texts()
    return {name: int(number.replace(",", "")) for name, number in (text.split("\n") for text in texts)}


def wait_until_done(tab: Opened) -> None:
    expect(tab.page.locator("#import .line")).to_have_text(re.compile("^Done"), timeout=60_000)


def test_an_empty_collection_says_how_to_fill_it(tab: Opened) -> None:
    expect(tab.page.locator("#message")).to_contain_text("Drop pictures or whole folders anywhere on this page")
    tab.page.locator("#message").get_by_role("button", name="Import").click()
    expect(tab.page.locator("#import").get_by_role("button", name="Choose a folder")).to_be_visible()


def test_a_chosen_folder_with_a_broken_picture(tab: Opened, holiday: Path) -> None:
    tab.page.click("#import-open")
    with tab.page.expect_file_chooser() as chooser:
        tab.page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(holiday)
    wait_until_done(tab)
    assert counts(tab) == {"stored": 4, "unchanged": 0, "failed": 1, "left alone": 1}
    failed = tab.page.locator(".failures li")
    expect(failed).to_have_count(1)
    expect(failed.locator("b")).to_have_text("holiday/broken.jpg")
    tab.page.get_by_role("button", name="Copy the list").click()
    expect(tab.page.locator("#said")).to_have_text("Copied")
    assert tab.page.evaluate("navigator.clipboard.readText()").startswith("holiday/broken.jpg\t")
    expect(tab.page.locator("#summary")).to_contain_text("4 items in Empty")
    assert set(tab.titles()) == {"cat.jpg", "lime.jpg", "peach.jpg", "temple ä #1.jpg"}
    tab.until("[...document.querySelectorAll('#grid img')].every((one) => one.naturalWidth)")
    expect(tab.page.locator("#collection")).to_contain_text("Empty · 4")
    line = tab.page.locator("#status")
    expect(line).to_contain_text(f"img2vec-neural · {running.BUILTIN}")
    expect(line).to_contain_text(re.compile(r"4 items.*[\d.]+ items/s", re.DOTALL))


def test_a_dropped_folder_and_the_same_again(tab: Opened, holiday: Path) -> None:
    tab.drag(holiday, to="import")
    wait_until_done(tab)
    assert counts(tab) == {"stored": 4, "unchanged": 0, "failed": 1, "left alone": 1}
    tab.drag(holiday, to="search")  # nobody searches by a folder
    expect(tab.page.locator(".counts")).to_contain_text("unchanged4", timeout=60_000)
    wait_until_done(tab)
    assert counts(tab) == {"stored": 0, "unchanged": 4, "failed": 1, "left alone": 1}
    expect(tab.page.locator("#summary")).to_contain_text("4 items in Empty")


def test_dropped_files(tab: Opened) -> None:
    tab.drag(SAMPLES / "photos/cat.jpg", SAMPLES / "photos/rocket.jpg", to="import")
    wait_until_done(tab)
    assert counts(tab)["stored"] == 2
    expect(tab.page.locator("#grid > li")).to_have_count(2)


def test_a_folder_without_pictures_is_refused_in_words(tab: Opened, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("words")
    tab.drag(tmp_path / "texts", to="import")
    expect(tab.page.locator("#import [role=alert]")).to_have_text("1 file, none of them pictures.")


def test_an_import_can_be_stopped_and_what_is_stored_stays(tab: Opened, tmp_path: Path) -> None:
    for name, data in crops(400):
        place = tmp_path / "many" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    tab.drag(tmp_path / "many", to="import")
    expect(tab.page.locator("#import .line")).to_have_text(re.compile(r"\d+ of 400 at [\d.]+/s, about .* left"))
    with tab.page.expect_response(lambda answer: answer.request.method == "DELETE") as stopped:
        tab.page.get_by_role("button", name="Stop").click()
    assert stopped.value.ok
    expect(tab.page.locator("#import .line")).to_have_text("Stopped. What was stored stays.")
    stored = counts(tab)["stored"]
    assert 0 < stored < 400
    expect(tab.page.locator("#summary")).to_contain_text(re.compile(r"\d+ items in Empty"))
    tab.page.get_by_role("button", name="Import more").click()
    tab.drag(SAMPLES / "photos/rocket.jpg", to="import")
    wait_until_done(tab)
    assert counts(tab)["stored"] == 1


def test_on_a_phone_it_fits(browser: Browser, empty_explorer: str, holiday: Path) -> None:
    with opened(browser, empty_explorer, PHONE) as tab:
        tab.go("Empty")
        tab.page.click("#import-open")
        with tab.page.expect_file_chooser() as chooser:
            tab.page.get_by_role("button", name="Choose files").click()
        chooser.value.set_files([holiday / "cat.jpg", holiday / "broken.jpg"])
        wait_until_done(tab)
        box = tab.page.locator("#import").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE[0]
        assert tab.width() <= PHONE[0]
