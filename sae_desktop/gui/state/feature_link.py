"""A feature as a piece of text that can be kept and pasted. Free of Qt."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_LINK = re.compile(r"sae-desktop:(?P<index>[^/\s]+)/(?P<feature>\d+)")


def feature_link(index: str, feature: int) -> str:
    """Return the link of a feature of an index, such as `sae-desktop:main/12`."""
    return f"sae-desktop:{quote(index, safe='')}/{feature}"


def parse_feature_link(text: str) -> tuple[str, int] | None:
    """Return (index, feature) of a link; None when the text is none."""
    found = _LINK.fullmatch(text.strip())
    return (unquote(found["index"]), int(found["feature"])) if found else None
