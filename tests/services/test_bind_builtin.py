"""multi2vec-bind with the built-in model: films as their frames, depth and thermal pictures as grey ones."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

import running
from bind_golden import raw
from multi2vec_bind.conse_bind import conse_bind
from pictures import b64, encoded, photo
from recipes import loaded
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.engine.network import AnyNetwork
from vecmod.serving.engine.shared import SharedEngine
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.weights import WeightsPlace

SIZE = (320, 240)


@pytest.fixture(scope="module")
def service(cache: Path) -> Iterator[running.Caller]:
    with running.in_thread(running.bind(cache, MODEL_NAME=running.CONSE, VECMOD_MODEL_PATH="")) as caller:
        yield caller


def picture(name: str) -> Image.Image:
    return Image.open(BytesIO(photo(name))).convert("RGB").resize(SIZE)


def film_of(*pictures: Image.Image, seconds: int = 2) -> bytes:
    """Each picture for so long, almost without loss."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=10, options={"crf": "4"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv444p"
        for shown in pictures:
            for _ in range(10 * seconds):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(shown), format="rgb24")))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def unit(vector: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(vector / np.linalg.norm(vector))


def test_texts_and_pictures_are_those_of_multi2vec_clip(service: running.Caller, clip_service: running.Caller) -> None:
    asked = {"texts": ["a cat", "a rocket launch"], "images": [b64(photo("cat")), b64(photo("rocket"))]}
    ours, theirs = service.vectorize(**asked), clip_service.vectorize(**asked)
    for key in ("textVectors", "imageVectors"):
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-6)


def test_a_film_is_the_mean_of_its_frames(service: running.Caller) -> None:
    cat, rocket = picture("cat"), picture("rocket")
    images = [b64(encoded(one, "PNG")) for one in (cat, rocket)]
    # Frames are looked at in 0 to 2 s, 0.4 to 2.4 s, ..., 1.6 to 3.6 s: both ends of each.
    answer = service.vectorize(images=images, video=[b64(film_of(cat)), b64(film_of(cat, rocket))])
    frames = np.array(answer["imageVectors"])
    still, moving = np.array(answer["videoVectors"])
    assert still @ frames[0] > 0.98
    begin_with_the_cat, end_with_it = 5, 1
    mean = ((begin_with_the_cat + end_with_it) * frames[0] + (5 - end_with_it) * frames[1]) / 10
    assert moving @ unit(mean) > 0.98
    assert np.linalg.norm(moving) == pytest.approx(1, abs=1e-6)


def test_films_are_found_by_words(service: running.Caller) -> None:
    films = [b64(film_of(picture(name))) for name in ("cat", "rocket", "coffee")]
    answer = service.vectorize(texts=["a cup of coffee", "a cat", "a rocket launch"], video=films)
    alike = np.array(answer["textVectors"]) @ np.array(answer["videoVectors"]).T
    assert alike.argmax(axis=1).tolist() == [2, 0, 1]


@pytest.mark.parametrize("key", ["depth", "thermal"])
def test_grey_pictures(key: str, service: running.Caller) -> None:
    colour = picture("cat")
    grey = colour.convert("L").convert("RGB")
    answer = service.vectorize(images=[b64(encoded(grey, "PNG"))], **{key: [b64(encoded(colour, "PNG"))]})
    np.testing.assert_allclose(answer[f"{key}Vectors"], answer["imageVectors"], atol=1e-6)


@pytest.mark.parametrize("key", ["depth", "thermal"])
def test_depth_in_sixteen_bits_is_not_white(key: str, service: running.Caller) -> None:
    """The built-in model owes nothing to vectors that were made elsewhere: it takes the high byte."""
    levels = np.asarray(picture("cat").convert("L")).astype(np.uint16)
    sixteen = Image.fromarray(levels * 257)
    eight = Image.fromarray(levels.astype(np.uint8))
    answer = service.vectorize(**{key: [b64(encoded(one, "PNG")) for one in (sixteen, eight)]})
    first, second = answer[f"{key}Vectors"]
    np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize(("key", "file"), [("audio", "tone_16k_mono_1s.wav"), ("imu", "imu_2000.csv")])
def test_what_it_cannot_is_refused_with_what_can(key: str, file: str, service: running.Caller) -> None:
    answer = service("POST", "/vectorize", {"texts": ["a cat"], key: [b64(raw(key, file))]})
    assert answer.status == 422
    assert answer.json() == {
        "error": f"{key}[0] (item 1 of 1): this model embeds text, image, video, thermal, depth, not {key}; "
        "ImageBind embeds it: MODEL_NAME=imagebind_huge, whose weights are not for commercial use",
        "code": "unsupported_modality",
    }


def test_meta_does_not_pretend_to_be_imagebind(service: running.Caller) -> None:
    meta = service("GET", "/meta").json()
    assert meta["model"] == "builtin/conse-en"
    assert "version" not in meta
    assert meta["details"]["licence"] == "Apache-2.0"
    assert "the mean of their vectors" in meta["details"]["preprocessing"]


def test_a_network_that_modalities_share_is_loaded_once(cache: Path) -> None:
    recipe = conse_bind(WeightsPlace(None, cache, offline=True))
    asked: list[AnyNetwork] = []

    def load(network: AnyNetwork) -> SharedEngine:
        asked.append(network)
        return load_engine(network, EngineChoice("onnx", "cpu", 1, cache))

    model = GraphModel(recipe, load, None)
    assert asked == [recipe.towers["text"].network, recipe.towers["image"].network]
    assert model.batch_sizes == {"text": 8, "image": 8, "video": 1, "thermal": 8, "depth": 8}
    model.close()


def test_films_of_different_length_in_one_batch(cache: Path) -> None:
    """Prepared films may have fewer than ten frames; each gets its own mean."""
    model = loaded(conse_bind(WeightsPlace(None, cache, offline=True)), "onnx", cache)
    rng = np.random.default_rng(1)
    items = [rng.normal(size=(count, 3, 224, 224)).astype(np.float32) for count in (1, 10, 2)]
    together = model.embed("video", items)
    for item, vector in zip(items, together, strict=True):
        np.testing.assert_allclose(vector, unit(model.embed("image", list(item)).mean(axis=0)), atol=1e-5)
    model.close()
