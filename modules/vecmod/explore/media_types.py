"""Files by their suffix: the type that a browser is told, and the kind that the page shows them as.

Only these are handed to a browser. Nothing that it would run as a document is among them: no SVG, no HTML, no PDF.
"""

from pathlib import PurePath

_TYPES = {
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/jp2": ".jp2",
    "image/jpeg": ".jpeg .jpg .jpe .jfif",
    "image/png": ".png",
    "image/x-portable-pixmap": ".ppm",
    "image/x-tga": ".tga",
    "image/tiff": ".tif .tiff",
    "image/webp": ".webp",
    "video/3gpp": ".3gp",
    "video/x-msvideo": ".avi",
    "video/mp4": ".m4v .mp4",
    "video/x-matroska": ".mkv",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "audio/aac": ".aac",
    "audio/aiff": ".aif .aiff",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "audio/x-matroska": ".mka",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".oga .ogg .opus",
    "audio/wav": ".wav",
    "audio/webm": ".weba",
    "text/csv": ".csv",
}
_BY_SUFFIX = {suffix: media_type for media_type, suffixes in _TYPES.items() for suffix in suffixes.split()}
_KINDS = ("image", "video", "audio")
OTHER = "other"


def media_type_of(place: PurePath) -> str:
    """The media type of a file, empty if it is not one that is handed to a browser."""
    return _BY_SUFFIX.get(place.suffix.lower(), "")


def kind_of(place: PurePath) -> str:
    """``image``, ``video``, ``audio`` or ``other``."""
    kind = media_type_of(place).partition("/")[0]
    return kind if kind in _KINDS else OTHER
