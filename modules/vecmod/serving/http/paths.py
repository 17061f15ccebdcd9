"""Paths as routes are asked for, and whose words are spoken on them."""

# In the shape of OpenAI's API: with the version, and without for clients whose base URL is the host's.
EMBEDDINGS = ("/v1/embeddings", "/embeddings")
MODELS = ("/v1/models", "/models")
_OPENAI = {path.split("/")[1] for path in (*EMBEDDINGS, *MODELS)}


def fold_slashes(path: str) -> str:
    """``//vectors`` and ``/vectors/`` to ``/vectors``, as Weaviate concatenates origin and path.

    So it does ``http://anything/vectors``, which HTTP allows as a request's target, too.
    """
    if not path.endswith("/") and "//" not in path:
        return path
    path = path.partition("://")[2].partition("/")[2] if path[0] != "/" else path
    return "/" + "/".join(filter(None, path.split("/")))


def speaks_openai(path: str) -> bool:
    """Whether who asks for this path understands OpenAI's errors; also if there is no such path under ``/v1``."""
    return fold_slashes(path).lstrip("/").partition("/")[0] in _OPENAI
