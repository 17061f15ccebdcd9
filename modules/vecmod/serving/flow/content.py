"""What is decoded for an item, for as long as that is needed; and what it is known by."""

from contextlib import ExitStack

from vecmod.serving.flow.vector_cache import VectorCache
from vecmod.serving.media.fetch import read_bytes

# Bytes up to which a file is kept once it is read from base64; beyond, it is read again: little beside decoding it.
_KEPT = 1024 * 1024


class Content:
    """A text, base64, or the bytes of a file.

    Args:
        modality: of the item.
        value: what came, or was fetched.
        where: that was, for messages.
        held: what is held for it: a turn to fetch.
    """

    def __init__(self, modality: str, value: str | bytes, where: str, held: ExitStack) -> None:
        self.modality = modality
        self.value = value
        self.where = where
        self._held = held

    def key(self, cache: VectorCache, *, is_text: bool) -> bytes:
        """What it is known by, however it is spelt in base64; takes a millisecond for each 200 kB.

        Raises:
            Undecodable: if it should be base64 and is not.
        """
        value = self.value
        data = value.encode(errors="surrogatepass") if is_text and isinstance(value, str) else read_bytes(value)
        if not is_text and len(data) <= _KEPT:
            self.value = data
        return cache.key(self.modality, data)

    def take_over(self) -> None:
        """Keep what is held until :meth:`release`, though whoever sent it may leave."""
        self._held = self._held.pop_all()

    def release(self) -> None:
        """Let go of it, and of what is held for it."""
        self.value = ""
        self._held.close()
