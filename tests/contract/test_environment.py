"""Settings from variables: the same rules and messages in both wings."""

import re
from pathlib import Path

import pytest

from vecmod.contract.environment import OUR_VARIABLES, PREFIX, SettingsError
from vecmod.explore.explore_settings import ExploreSettings
from vecmod.host.host_settings import HostSettings, parse_duration
from vecmod.serving.service_settings import ServiceSettings

ROOT = Path(__file__).parents[2]
DECLARED = {
    str(field.alias)
    for settings in (ServiceSettings, HostSettings, ExploreSettings)
    for field in settings.model_fields.values()
    if field.alias
}


def test_defaults_need_no_variable() -> None:
    assert ServiceSettings.read({}).port == 8080
    assert HostSettings.read({}).store == "vecmod.db"


def test_empty_counts_as_unset() -> None:
    assert ServiceSettings.read({"VECMOD_PORT": "", "MODEL_NAME": ""}).port == 8080


def test_a_typing_error_is_refused_with_the_right_name() -> None:
    for read in (ServiceSettings.read, HostSettings.read, ExploreSettings.read):
        with pytest.raises(SettingsError, match=r"VECMOD_MAX_PIXEL is not .* did you mean VECMOD_MAX_PIXELS"):
            read({"VECMOD_MAX_PIXEL": "5"})
    with pytest.raises(SettingsError, match=r"remove it, or see docs/variables\.md"):
        ServiceSettings.read({"VECMOD_ZZZZZZ": "5"})


def test_every_bad_value_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        ServiceSettings.read({"VECMOD_PORT": "70000", "VECMOD_ENGINE": "magic", "OTHER": "x"})
    first, second = str(caught.value).splitlines()
    assert first.startswith("VECMOD_PORT='70000' cannot be used:")
    assert "'auto', 'onnx', 'openvino' or 'torch'" in second


def test_both_wings_know_all_our_names() -> None:
    assert {name for name in DECLARED if name.startswith(PREFIX)} == set(OUR_VARIABLES)


def test_every_variable_is_documented_with_its_default() -> None:
    """`.env.example` and docs/variables.md name them all, and nothing that does not exist."""
    example = dict(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert example.keys() >= DECLARED
    assert {name for name in example if name.startswith(PREFIX)} == set(OUR_VARIABLES)
    told = (ROOT / "docs/variables.md").read_text()
    assert [name for name in sorted(DECLARED) if f"`{name}`" not in told] == []
    defaults = {name: value for name, value in example.items() if name in DECLARED and value}
    for read in (ServiceSettings.read, HostSettings.read, ExploreSettings.read):
        assert read(defaults) == read({})


@pytest.mark.parametrize(("text", "on"), [("true", True), ("1", True), ("True", False), ("on", False), ("yes", False)])
def test_enable_cuda_as_the_official_containers_read_it(text: str, on: bool) -> None:
    assert ServiceSettings.read({"ENABLE_CUDA": text}).enable_cuda is on
    assert ServiceSettings.read({"ENABLE_CUDA": text}).device() == ("cuda:0" if on else "cpu")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("50s", 50), ("2m30s", 150), ("1.5h", 5400), ("250ms", 0.25), ("-1s", -1), ("0", 0), (".5s", 0.5)],
)
def test_go_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"), [("60", "missing unit in duration '60'"), ("5x", "invalid duration"), ("s", "invalid")]
)
def test_bad_durations(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        HostSettings.read({"MODULES_CLIENT_TIMEOUT": text})


def test_modules_are_split_and_trimmed() -> None:
    settings = HostSettings.read({"ENABLE_MODULES": " img2vec-neural , ,x", "IMAGE_INFERENCE_API": "http://i:8080"})
    assert settings.enable_modules == ("img2vec-neural", "x")
    assert settings.module_variables["IMAGE_INFERENCE_API"] == "http://i:8080"
