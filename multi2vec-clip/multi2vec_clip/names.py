"""Which model is asked for: by ``MODEL_NAME``, by the official container's variables, or by a mounted folder."""

import re
from functools import partial
from pathlib import Path

from multi2vec_clip.model_folder import KINDS, pair, read_folder
from multi2vec_clip.open_clip_names import repository
from vecmod.serving.model.converted import IMAGE_FOLDER, TEXT_FOLDER
from vecmod.serving.model.families import UnknownName, find_family
from vecmod.serving.model.hub import fetch_folder
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.weights import WeightsPlace
from vecmod.serving.run import Choice, Service
from vecmod.serving.service_settings import ServiceSettings

_BUILTIN = "builtin/"
_PAIR = 2
# One model of the hub, or two: pictures + texts. A commit or branch may stand behind @.
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# Where sentence-transformers looks for names that have no owner.
_SENTENCE_TRANSFORMERS = "sentence-transformers/"


def choose(service: Service, settings: ServiceSettings) -> Choice:
    """The model that the settings ask for.

    Raises:
        UnknownName: listing what there is.
    """
    if settings.model_path is not None and not settings.model_name.startswith(_BUILTIN):
        return Choice(settings.model_name or settings.model_path.name, read_mounted)
    name = settings.model_name or official_name(settings) or service.default_model
    parts = name.split("+")
    if not name.startswith(_BUILTIN) and len(parts) <= _PAIR and all(_HUB_NAME.fullmatch(part) for part in parts):
        return Choice(name, partial(read_fetched, name))
    try:
        return Choice(name, find_family(service.name, name))
    except UnknownName as error:
        raise UnknownName(
            f"{error}; or a model of the hub as owner/name[@revision], two of them with + between, or a folder in "
            f"VECMOD_MODEL_PATH; kinds read here: {KINDS}"
        ) from error


def official_name(settings: ServiceSettings) -> str:
    """What the official container's build arguments ask for, as ``MODEL_NAME`` says it; empty if nothing.

    Raises:
        UnknownName: if one of a pair of variables is missing, or a name is not known here.
    """
    if settings.colpali_model_name:
        raise UnknownName(f"COLPALI_ENGINE_MODEL_NAME={settings.colpali_model_name} is not read here; kinds: {KINDS}")
    if settings.siglip_model_name:
        return settings.siglip_model_name
    if settings.open_clip_model_name or settings.open_clip_pretrained:
        return repository(settings.open_clip_model_name, settings.open_clip_pretrained)
    image, text = settings.clip_model_name, settings.text_model_name
    if bool(image) != bool(text):
        raise UnknownName("CLIP_MODEL_NAME and TEXT_MODEL_NAME go together; set both, or MODEL_NAME alone")
    image, text = (f"{_SENTENCE_TRANSFORMERS}{name}" if name and "/" not in name else name for name in (image, text))
    return image if image == text else f"{image}+{text}"


def read_mounted(place: WeightsPlace) -> Recipe:
    """The model in ``VECMOD_MODEL_PATH``; folders ``clip`` and ``text`` in it are a pair, as in the official image.

    Raises:
        WeightsNotFound, UnreadableWeights: see :func:`read_folder`.
    """
    folder = place.path or Path()
    image, text = folder / IMAGE_FOLDER, folder / TEXT_FOLDER
    if image.is_dir() and text.is_dir():
        return pair(read_folder(image), read_folder(text))
    return read_folder(folder)


def read_fetched(name: str, place: WeightsPlace) -> Recipe:
    """A model of the hub, or a pair of them.

    Raises:
        WeightsNotFound, UnreadableWeights: if it cannot be fetched, see also :func:`read_folder`.
    """
    recipes = [_fetched(part, place) for part in name.split("+")]
    return recipes[0] if len(recipes) == 1 else pair(*recipes)


def _fetched(name: str, place: WeightsPlace) -> Recipe:
    repo, _, revision = name.partition("@")
    return read_folder(fetch_folder(place, repo, revision or None))
