"""Tables in the docs, as tests read them."""

import re
from pathlib import Path

from vecmod.serving.service_settings import ServiceSettings

ROOT = Path(__file__).parents[1]


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table after some words."""
    table = re.search(r"(?:^\|.*\n)+", text[text.index(heading) :], re.MULTILINE)
    assert table
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def messages(text: str) -> list[str]:
    """All that a service's README explains: why it does not start, and what is wrong with a request."""
    return [row[0].strip("`") for words in ("When it does not start", "In answers:") for row in rows(text, words)]


def fits(message: str, said: str) -> bool:
    """Whether a message is what was said, in which anything may stand for dots."""
    return re.search(re.escape(message).replace("…", ".*"), said) is not None


def check_limits(text: str) -> None:
    """The table of limits tells the defaults."""
    fields = {str(field.alias): field.default for field in ServiceSettings.model_fields.values()}
    for variables, said, _ in rows(text, "## Limits"):
        names = re.findall(r"`(\w+)`", variables)
        numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", said)[: len(names)]]
        assert numbers == [fields[name] for name in names], variables
