"""Which repository of the hub holds the weights that open_clip knows by an architecture and a tag."""

import json
from importlib.resources import files

from vecmod.serving.model.families import UnknownName

# Architecture -> tag -> repository: open_clip's own table, of what is read here; tests/open_clip_repos.py makes it.
_TABLE = "open_clip_repos.json"


def repository(model: str, pretrained: str) -> str:
    """The hub's repository for ``OPEN_CLIP_MODEL_NAME`` and ``OPEN_CLIP_PRETRAINED``, written as open_clip takes them.

    Raises:
        UnknownName: if one is missing or not known, listing what there is.
    """
    if not (model and pretrained):
        raise UnknownName("OPEN_CLIP_MODEL_NAME and OPEN_CLIP_PRETRAINED go together; set both, or MODEL_NAME alone")
    table: dict[str, dict[str, str]] = json.loads(files("multi2vec_clip").joinpath(_TABLE).read_text("utf-8"))
    tags = table.get(model.replace("/", "-"))
    if tags is None:
        raise UnknownName(f"OPEN_CLIP_MODEL_NAME={model} is not read here; there are {', '.join(table)}")
    tag = pretrained.lower().replace("-", "_")
    if tag not in tags:
        raise UnknownName(f"OPEN_CLIP_PRETRAINED={pretrained} is not known for {model}; there are {', '.join(tags)}")
    return tags[tag]
