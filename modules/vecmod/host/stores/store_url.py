"""Store URLs as they may be shown: in messages, logs and tracebacks."""

import re

# Up to the last @, so that a password with an unescaped one is hidden whole.
_PASSWORD = re.compile(r"(?<=://)([^:@/]*):.*@", re.DOTALL)
_SECRET = re.compile(r"(?i)([?&][^=&]*(?:key|password|secret|token)[^=&]*=)[^&]*")


def without_secrets(url: str) -> str:
    """The URL with ``***`` for its password, and for parameters that are named like a secret."""
    return _SECRET.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))
