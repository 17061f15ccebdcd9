"""DEV"""
from dataclasses import dataclass
from collections.abc import Iterator
import os, pytest
from playwright.sync_api import Browser
from page_browser import chromium
TAGS={"cat":["animal"],"coffee":["food","drink"],"lime":["food","fruit"],"melon":["food","fruit"],"peach":["food","fruit"],"watermelon":["food","fruit"],"rocket":["space"],"galaxies":["space"],"nebula":["space"],"astronaut":["space","person"],"photographer":["person"],"temple":["building"],"arches":["building"],"bricks":["building"],"observatory":["building","space"],"flower":["plant"]}
PHOTOS=list(TAGS)
@dataclass
class Explorer: url: str
@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as b: yield b
@pytest.fixture(scope="session")
def explorer() -> Explorer: return Explorer("http://127.0.0.1:8704")
THOUSAND=1000
@pytest.fixture(scope="session")
def thousand() -> Explorer: return Explorer("http://127.0.0.1:8705")
@pytest.fixture(scope="session")
def lonely_explorer() -> Explorer: return Explorer("http://127.0.0.1:8704")
@pytest.fixture(scope="session")
def bare_explorer() -> Explorer: return Explorer("http://127.0.0.1:8703")
@pytest.fixture(scope="session")
def empty_explorer() -> Explorer: return Explorer("http://127.0.0.1:8704")
