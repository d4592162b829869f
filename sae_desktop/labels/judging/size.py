"""How large a model is, as far as its name tells."""

from __future__ import annotations

import re

SMALL = 1e9
"""Parameters. Of models up to so many none is known to judge labels well."""
_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)\s*([mb])(?![a-z0-9])", re.IGNORECASE)
_NAMED = {
    "smollm2": 135e6,
    "builtin": 1e7,
    "builtin-pictures": 1e7,
    "gpt2": 124e6,
    "distilgpt2": 82e6,
}


def parameters_of(name: str) -> float | None:
    """Return the parameters that a name such as “Qwen3-0.6B” or “gemma3:270m” tells."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    found = _SIZE.findall(last)
    if found:
        number, unit = found[0]
        return float(number) * (1e9 if unit.lower() == "b" else 1e6)
    return _NAMED.get(last.lower())


def is_small(name: str) -> bool:
    """Return whether a model is known to have a billion parameters or fewer."""
    size = parameters_of(name)
    return size is not None and size <= SMALL
