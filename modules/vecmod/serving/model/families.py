"""Families by name, through entry points: a family is imported only when it is chosen."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.weights import WeightsPlace

Family = Callable[[WeightsPlace], Recipe]


class UnknownName(Exception):
    """Nothing of that name is installed; the message lists those that are."""


def find_family(service: str, name: str) -> Family:
    """The function that yields the recipe of a model.

    Raises:
        UnknownName: listing the models of the service.
    """
    family: Family = load_entry_point(f"vecmod.families.{service}", name, f"model for {service}")
    return family


def load_entry_point(group: str, name: str, kind: str) -> Any:  # noqa: ANN401 -- an entry point can be anything
    """What an installed package offers under a name.

    Raises:
        UnknownName: listing the names there are.
    """
    # The entry points specification has no dash in a group's name. Setuptools refuses it, hatchling does not.
    groups = dict.fromkeys((group.replace("-", "_"), group))
    found = {entry.name: entry for one in groups for entry in entry_points(group=one)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise UnknownName(f"there is no {kind} named {name!r}; known here: {known}")
    return found[name].load()
