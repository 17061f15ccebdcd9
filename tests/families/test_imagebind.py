"""ImageBind against vectors that its authors' code gave for a small model, and against the tensors of the large one."""

import json
import re
import shutil
import time
from collections import ChainMap
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file
from transformers import CLIPTokenizer

import tiny_clip
from bind_golden import LONG, TEXTS, WEIGHTS, assert_equal, write_checkpoint
from multi2vec_bind.imagebind import networks, text_steps
from multi2vec_bind.imagebind_config import HUGE, Config, read_config
from multi2vec_bind.imagebind_weights import prepare, published
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.engine.network import TrainedNetwork
from vecmod.serving.engine.onnx_graph import record
from vecmod.serving.engine.shared import SharedEngine
from vecmod.serving.model.clips import embed_clips
from vecmod.serving.model.text_batch import pad_together, prepare_text
from vecmod.serving.model.tokenizer import CLIP_VOCABULARY
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import WeightsFile, WeightsNotFound

FIXTURES = Path(__file__).parents[1] / "fixtures/imagebind"
CONFIG = read_config(FIXTURES / "config.json")
INPUTS = np.load(FIXTURES / "inputs.npz")
OUTPUTS = np.load(FIXTURES / "outputs.npz")
TOKENS = np.load(FIXTURES / "tokens.npz")
MODALITIES = ("vision", "text", "audio", "depth", "thermal", "imu")


def model_inputs() -> dict[str, tuple[str, Any]]:
    """By the name of the expected vectors: the modality, and clips ``[n, clips, ...]`` as our networks read them."""
    picture, video = INPUTS["vision_image"], INPUTS["vision_video"]
    return {
        # A picture is a clip of two equal frames.
        "vision_image": ("vision", np.repeat(picture, 2, axis=1)[:, None]),
        "vision_video": ("vision", video.reshape(*video.shape[:2], 6, 224, 224)),
        "text": ("text", TOKENS["tokens"][:, None]),
        "audio": ("audio", INPUTS["audio"]),
        "audio_single_clip": ("audio", INPUTS["audio"][:, :1]),
        "depth": ("depth", INPUTS["depth"][:, None]),
        "thermal": ("thermal", INPUTS["thermal"][:, None]),
        "imu": ("imu", INPUTS["imu"][:, None, :, None]),
    }


CASES = model_inputs()


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def engines(request: pytest.FixtureRequest, cache: Path) -> Iterator[dict[str, SharedEngine]]:
    choice = EngineChoice(request.param, "cpu", 2, cache)
    found = networks(WeightsFile.at(WEIGHTS), CONFIG)
    loaded = {modality: load_engine(network, choice) for modality, network in found.items()}
    yield loaded
    for engine in loaded.values():
        engine.close()


def test_every_expected_vector_is_asked_for() -> None:
    assert set(CASES) == set(OUTPUTS)
    assert {modality for modality, _ in CASES.values()} == set(MODALITIES)


@pytest.mark.parametrize("case", CASES)
def test_vectors_are_those_of_the_authors(case: str, engines: dict[str, SharedEngine]) -> None:
    modality, clips = CASES[case]
    assert_equal(embed_clips(engines[modality].run, list(clips), most=4), OUTPUTS[case])


def test_pictures_and_videos_in_one_run(engines: dict[str, SharedEngine]) -> None:
    items = [*CASES["vision_image"][1], *CASES["vision_video"][1]]
    expected = np.concatenate([OUTPUTS["vision_image"], OUTPUTS["vision_video"]])
    assert [len(item) for item in items] == [1, 1, 2]
    for most in (1, 3, 100):
        assert_equal(embed_clips(engines["vision"].run, items, most), expected)


@pytest.fixture(scope="module", params=["authors", "transformers"])
def vocabulary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CLIP's vocabulary, as the authors have it beside their code, or as transformers has it."""
    if request.param == "transformers":
        words, merges = tiny_clip.vocabulary()
        folder = tmp_path_factory.mktemp("tokenizer")
        CLIPTokenizer(vocab=words, merges=merges).save_pretrained(folder)
        return folder
    found = next(file for file in files("open-clip-torch") or [] if file.name == CLIP_VOCABULARY)
    folder = tmp_path_factory.mktemp("bpe")
    shutil.copy(str(found.locate()), folder)
    return folder


@pytest.mark.parametrize(("lose_end", "expected"), [(False, "tokens_meta_current"), (True, "tokens")])
def test_ids_are_those_of_the_authors(lose_end: bool, expected: str, vocabulary: Path) -> None:
    steps = text_steps(vocabulary, lose_end=lose_end)
    for text, ids in zip(TEXTS, TOKENS[expected].tolist(), strict=True):
        ours = steps.tokenize(text).ids.tolist()
        assert ours + [0] * (77 - len(ours)) == ids, text


def test_small_letters_are_those_of_python(vocabulary: Path) -> None:
    steps = text_steps(vocabulary)
    assert steps.tokenize("ΟΔΟΣ").ids.tolist() == steps.tokenize("οδος").ids.tolist()
    assert steps.tokenize("<|ENDOFTEXT|>").ids.tolist() == [49406, 49407, 49407]


def test_other_tokenizers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableWeights, match="has no tokenizer that can be read"):
        text_steps(tmp_path)
    words = {"a</w>": 0, "<|startoftext|>": 1, "<|endoftext|>": 2}
    CLIPTokenizer(vocab=words, merges=[]).save_pretrained(tmp_path)
    with pytest.raises(UnreadableWeights, match="end with the id 2, those of ImageBind with 49407"):
        text_steps(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / CLIP_VOCABULARY).write_bytes(b"no archive")
    with pytest.raises(UnreadableWeights, match="has no tokenizer that can be read"):
        text_steps(tmp_path)


@pytest.mark.parametrize("lose_end", [False, True])
def test_what_is_cut_off_is_said(lose_end: bool, vocabulary: Path) -> None:
    steps = text_steps(vocabulary, lose_end=lose_end)
    assert prepare_text("cat " * 75, steps).warning == ""
    assert prepare_text("cat " * 76, steps).warning == "the text has 78 tokens, of which the model reads the first 77"
    assert prepare_text("cat " * 99, steps).warning == "the text has 101 tokens, of which the model reads the first 77"


@pytest.mark.parametrize(
    "text", ["&" + "amp;" * 30_000, "&" + "#38;" * 30_000, "\x1b[" * 30_000 + "m" * 30_000, "&lt;" * 30_000]
)
def test_what_was_escaped_again_and_again_costs_little(text: str, vocabulary: Path) -> None:
    steps = text_steps(vocabulary)
    start = time.thread_time()
    assert prepare_text(text, steps).tokens <= 77
    assert time.thread_time() - start < 5


def test_long_texts_begin_as_they_do(vocabulary: Path) -> None:
    steps = text_steps(vocabulary)
    for start in ("", " \n" * 8000):
        prepared = prepare_text(start + "a cat, a dog; " * 5000, steps)
        np.testing.assert_array_equal(prepared.content, steps.tokenize("a cat, a dog; " * 30).ids)
        assert "characters, of which 77 tokens are read" in prepared.warning
    np.testing.assert_array_equal(prepare_text(" " * 20_000 + "a cat", steps).content, steps.tokenize("a cat").ids)


def test_texts_to_vectors(engines: dict[str, SharedEngine], vocabulary: Path) -> None:
    def vectors(*, lose_end: bool) -> np.ndarray:
        steps = text_steps(vocabulary, lose_end=lose_end)
        return engines["text"].run(pad_together([steps.tokenize(text).ids for text in TEXTS], steps))

    theirs = vectors(lose_end=True)
    assert_equal(theirs, OUTPUTS["text"])
    assert len(np.unique(theirs[LONG], axis=0)) == 1
    ours = vectors(lose_end=False)
    assert_equal(np.delete(ours, LONG, axis=0), np.delete(OUTPUTS["text"], LONG, axis=0))
    assert len(np.unique(ours[LONG], axis=0)) == 3


@pytest.mark.parametrize("zipped", [True, False])
def test_the_published_form(zipped: bool, tmp_path: Path, cache: Path) -> None:
    path = write_checkpoint(tmp_path, zipped=zipped)
    engine = load_engine(networks(WeightsFile.at(path), CONFIG)["imu"], EngineChoice("onnx", "cpu", 1, cache))
    assert_equal(embed_clips(engine.run, list(CASES["imu"][1]), most=9), OUTPUTS["imu"])


def test_of_other_modalities_nothing_is_read(tmp_path: Path) -> None:
    state = load_file(WEIGHTS)
    # Not what the configuration says: the whole file would be refused.
    state["modality_trunks.vision.unknown"] = state.pop("modality_trunks.vision.blocks.0.attn.in_proj_bias")
    save_file(state, tmp_path / "weights.safetensors")
    found = networks(WeightsFile.at(tmp_path / "weights.safetensors"), CONFIG)
    assert all(".depth." in name for name in found["depth"].load())
    with pytest.raises(
        UnreadableWeights, match=r"has no tensor modality_trunks\.vision\.blocks\.0\.attn\.in_proj_bias"
    ):
        found["vision"].load()


@pytest.mark.parametrize(
    ("changed", "modality", "message"),
    [
        (
            {"imu_num_blocks": 1},
            "imu",
            r"there are 14 tensors more, such as modality_trunks\.imu\.blocks\.1\.\S+, than the config",
        ),
        ({"imu_num_blocks": 3}, "imu", r"has no tensor modality_trunks\.imu\.blocks\.2"),
        (
            {"text_embed_dim": 32},
            "text",
            r"pos_embed has the shape \(1, 77, 16\), not \(1, 77, 32\) as",
        ),
        ({"audio_stride": 16}, "audio", r"pos_embed has the shape \(1, 229, 24\)"),
        ({"out_embed_dim": 64}, "depth", r"has the shape \(32, 16\)"),
    ],
)
def test_weights_of_another_model_are_refused(changed: dict[str, Any], modality: str, message: str) -> None:
    config = CONFIG.model_copy(update=changed)
    with pytest.raises(UnreadableWeights, match=message):
        networks(WeightsFile.at(WEIGHTS), config)[modality].load()


def test_configurations(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    assert read_config(path) == HUGE
    path.write_text('{"out_embed_dim": 1024, "imu_kernel_size": 4, "audio_drop_path": 0.2}')
    assert read_config(path) == Config(out_embed_dim=1024)
    for wrong, message in {
        "[1]": "config.json describes no ImageBind",
        '{"text_num_heads": "many"}': "text_num_heads: Input should be a valid integer",
        '{"video_frames": 8}': "video_frames: Input should be 2",
        '{"kernel_size": [2, 14, 7]}': "kernel_size: .* only square",
        '{"imu_num_heads": 7}': "imu_embed_dim 512 cannot be shared among 7 heads",
        '{"audio_kernel_size": 129}': "audio: patches of .1, 129, 129. do not fit",
    }.items():
        path.write_text(wrong)
        with pytest.raises(WeightsNotFound, match=message):
            read_config(path)


def huge_tensors() -> dict[str, tuple[int, ...]]:
    """The tensors of ``imagebind_huge``; the list names those of like blocks once."""
    listed: dict[str, list[int]] = json.loads((FIXTURES / "huge_keys.json").read_text("utf-8"))
    found = {}
    for name, shape in listed.items():
        blocks = re.search(r"0-(\d+)", name)
        for number in range(int(blocks[1]) + 1 if blocks else 1):
            found[re.sub(r"0-\d+", str(number), name)] = tuple(shape)
    return found


def test_the_large_model_has_these_tensors_and_no_others() -> None:
    stems, dim = HUGE.patches(), HUGE.out_embed_dim
    ours = dict(ChainMap(*(published(trunk, stems.get(name), dim) for name, trunk in HUGE.trunks().items())))
    assert ours == huge_tensors()
    assert len(ours) == 1311
    assert sum(int(np.prod(shape)) for shape in ours.values()) == 1200781057 + 5933


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_large_networks_fit_their_tensors(modality: str, tmp_path: Path) -> None:
    """Shapes alone: one number stands for all numbers of a tensor."""
    (tmp_path / "weights.safetensors").touch()
    network = networks(WeightsFile.at(tmp_path / "weights.safetensors"), HUGE)[modality]
    stored = {
        name: np.broadcast_to(np.float32(0), shape) for name, shape in huge_tensors().items() if f".{modality}." in name
    }
    given = prepare(HUGE.trunks()[modality], HUGE.patches().get(modality), HUGE.out_embed_dim, stored)
    shaped = TrainedNetwork(**{**vars(network), "load": lambda: given})
    model, numbers = record(shaped)
    check_shapes(model, numbers)
    # What is stored in another form is read in ours; the mask is what every causal attention does.
    converted = r"\.attn\.in_proj_(weight|bias)$|\.pos_embed$|\.log_logit_scale$|\.mask$"
    read = {name.removesuffix(".T") for name in numbers}
    assert set(given) - read == {name for name in stored if re.search(converted, name)}


def check_shapes(model: onnx.ModelProto, numbers: dict[str, Any]) -> None:
    """Whether every node's inputs fit together, with no number of a weight written down.

    Raises:
        onnx.shape_inference.InferenceError: if not.
    """
    for name, array in numbers.items():
        if array.dtype == np.int64:
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        else:
            model.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, array.shape))
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
