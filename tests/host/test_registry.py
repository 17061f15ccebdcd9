"""Modules from variables, as Weaviate reads them."""

import pytest

import running
from fake_service import always, fake_service
from vecmod.host.host_errors import InvalidSettings, ServiceUnreachable
from vecmod.host.host_settings import HostSettings
from vecmod.host.registry import ModuleRegistry


def registry(seconds: float = 5, **variables: str) -> ModuleRegistry:
    return ModuleRegistry(HostSettings.read(variables), seconds)


def test_enabled_modules_are_ready_when_handed_out() -> None:
    with fake_service(always(200, "{}")) as service:
        modules = registry(ENABLE_MODULES="img2vec-neural,img2vec-neural", IMAGE_INFERENCE_API=service.origin)
        assert list(modules) == ["img2vec-neural"]
        assert "img2vec-neural" in modules
        assert modules.get("img2vec-neural").origin == service.origin
        modules.close()


def test_modules_of_weaviate_that_are_not_ours_are_left_to_it(caplog: pytest.LogCaptureFixture) -> None:
    assert list(registry(ENABLE_MODULES="text2vec-openai")) == []
    assert "text2vec-openai, which vecmod does not have" in caplog.text


def test_names_are_read_as_weaviate_reads_them(caplog: pytest.LogCaptureFixture) -> None:
    """configure_api.go: split at commas, stripped, exact; empty and repeated ones mean nothing."""
    names = " img2vec-neural ,, img2vec-neural,IMG2VEC-NEURAL"
    modules = registry(ENABLE_MODULES=names, IMAGE_INFERENCE_API="http://h", CLIP_INFERENCE_API="http://h")
    assert list(modules) == ["img2vec-neural"]
    modules.close()
    assert "IMG2VEC-NEURAL, which vecmod does not have" in caplog.text
    assert list(registry(ENABLE_MODULES="")) == []


def test_a_missing_origin_is_named_as_weaviate_names_it() -> None:
    with pytest.raises(InvalidSettings, match="required variable IMAGE_INFERENCE_API is not set"):
        registry(ENABLE_MODULES="img2vec-neural")
    with pytest.raises(InvalidSettings, match="required variable CLIP_INFERENCE_API is not set"):
        registry(ENABLE_MODULES="multi2vec-clip", CLIP_INFERENCE_API="", IMAGE_INFERENCE_API="http://h")
    with pytest.raises(InvalidSettings, match="IMAGE_INFERENCE_API='h:8080' is not a URL"):
        registry(ENABLE_MODULES="img2vec-neural", IMAGE_INFERENCE_API="h:8080")


def test_a_module_that_is_not_enabled() -> None:
    with pytest.raises(InvalidSettings, match=r"'img2vec-neural' is not enabled \(enabled: none\)"):
        registry().get("img2vec-neural")


def test_an_unknown_default() -> None:
    with pytest.raises(InvalidSettings, match='default vectorizer module: no module with name "x" present'):
        registry(DEFAULT_VECTORIZER_MODULE="x")


@pytest.mark.parametrize("wait", ["true", "ON", "Enabled", "1", ""])
def test_waiting_has_an_end(wait: str) -> None:
    origin = f"http://127.0.0.1:{running.free_port()}"
    with pytest.raises(ServiceUnreachable, match="was not ready within"):
        registry(0.3, ENABLE_MODULES="img2vec-neural", IMAGE_INFERENCE_API=origin, IMAGE_WAIT_FOR_STARTUP=wait).get(
            "img2vec-neural"
        )


@pytest.mark.parametrize("wait", ["false", "0", "yes", "2", "True!", "true "])
def test_not_waiting(wait: str) -> None:
    origin = f"http://127.0.0.1:{running.free_port()}"
    modules = registry(0.3, ENABLE_MODULES="img2vec-neural", IMAGE_INFERENCE_API=origin, IMAGE_WAIT_FOR_STARTUP=wait)
    assert modules.get("img2vec-neural").origin == origin
