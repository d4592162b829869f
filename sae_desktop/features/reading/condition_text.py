"""A condition on a column, as it is typed: “density<0.01”."""

from __future__ import annotations

import math
import re

from sae_desktop.errors import UserError
from sae_desktop.features.reading.filter import Range

_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<|>|=)\s*(\S+)\s*")


def range_of(condition: str) -> Range:
    """Return the bounds that “column<value” states. Raises UserError for any other form."""
    found = _CONDITION.fullmatch(condition)
    try:
        if found is None:
            raise ValueError
        column, sign, value = found[1], found[2], float(found[3])
    except ValueError:
        raise UserError(
            f"“{condition}” is not a condition.", next_step="Write one such as “density<0.01”."
        ) from None
    below, above = math.nextafter(value, -math.inf), math.nextafter(value, math.inf)
    bounds = {
        "<": (None, below),
        "<=": (None, value),
        ">": (above, None),
        ">=": (value, None),
        "=": (value, value),
    }
    return Range(column, *bounds[sign])
