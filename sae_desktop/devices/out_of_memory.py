"""How it is told that memory ran out, on any device; free of torch."""

from __future__ import annotations

_TOLD = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cublas_status_alloc_failed",
)
"""What an allocator says where it raises a plain RuntimeError: those of the CPU and of Metal, and
cuBLAS where the card has no room left for its workspace."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is a MemoryError or what torch raises in its place."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _TOLD)
