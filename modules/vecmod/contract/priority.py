"""Who goes first: a header of requests, which official clients do not send."""

from enum import StrEnum

PRIORITY_HEADER = "X-Vecmod-Priority"


class Priority(StrEnum):
    """Somebody waits for the answer to a query; an import has time."""

    QUERY = "query"
    IMPORT = "import"
