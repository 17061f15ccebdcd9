"""Where the messages that a service's README explains are brought about."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import running
from pictures import b64
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.http.lifecycle import StartupFault
from vecmod.serving.model.families import UnknownName
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import WeightsNotFound
from vecmod.serving.run import find_service, load_pipeline

_FAULTS = (StartupFault, UnknownName, UnreadableWeights, WeightsNotFound)


class Scene:
    """One service, in a folder of its own.

    Attributes:
        name: of the service.
        given: variables it is started with unless others are said.
    """

    name: ClassVar[str]
    given: ClassVar[Mapping[str, object]] = {}

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        self.folder = folder
        self.patch = patch
        self._request = request

    def fixture(self, name: str) -> Any:
        return self._request.getfixturevalue(name)

    def start(self, **variables: object) -> str:
        """Why the service cannot start."""
        settings = running.settings(self.folder / "cache", **{**self.given, **variables})
        service = find_service(self.name)
        with pytest.raises(_FAULTS) as caught:
            load_pipeline(service.choose(service, settings).family, settings, Metrics())
        return str(caught.value)

    def without(self, package: str, *modules: str) -> None:
        """Nobody can import the package, and nobody has it already."""
        self.patch.setitem(sys.modules, package, None)
        for module in modules:
            self.patch.delitem(sys.modules, module, raising=False)

    def ask(self, caller: str, key: str, value: str | bytes, path: str = "/vectorize") -> str:
        """What a running service, a fixture, says of one item."""
        item = value if isinstance(value, str) else b64(value)
        found = self.fixture(caller)("POST", path, {key: [item] if path == "/vectorize" else item}).json()
        return str(found["error"] if "error" in found else found["warnings"])
