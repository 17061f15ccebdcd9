"""Faults that mean that a batch was too large, whatever runtime they come from; none of them is imported for it."""

# Words of C++, onnxruntime, OpenVINO and torch, in lower case.
_WORDS = (
    "bad_alloc",
    "bad allocation",
    "failed to allocate memory",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
)


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether it, or what it was raised from, says that there was not enough memory."""
    if isinstance(fault, MemoryError) or type(fault).__name__ == "OutOfMemoryError":
        return True
    words = str(fault).lower()
    cause = fault.__cause__
    return any(word in words for word in _WORDS) or (cause is not None and is_out_of_memory(cause))
