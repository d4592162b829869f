"""A chat written as text: each turn begins with its speaker. Free of torch and Qt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, cast

from sae_desktop.features.config import ChatTurn

_TURN = re.compile(r"^(system|user|assistant):[ \t]*", re.IGNORECASE | re.MULTILINE)
_SAID = re.compile(r"^(?=\\*(?:system|user|assistant):)", re.IGNORECASE | re.MULTILINE)
"""Where somebody says what would begin a turn."""
_BACKSLASH = r"\\"
_MARKED = re.compile(r"^\\(?=\\*(?:system|user|assistant):)", re.IGNORECASE | re.MULTILINE)


def parse_chat(text: str) -> list[ChatTurn]:
    """Return the turns of a text in which lines begin with “system:”, “user:” or “assistant:”.

    What stands before the first of them is the user's. Turns without a word are left out. A line
    that is said, and begins no turn, has a backslash before it: “\\user: …”.
    """
    starts = list(_TURN.finditer(text))
    before = text[: starts[0].start()] if starts else text
    found = [("user", before)]
    for number, match in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        found.append((match[1].lower(), text[match.end() : end]))
    return [
        ChatTurn(
            role=cast(Literal["system", "user", "assistant"], role),
            content=_MARKED.sub("", said.strip()),
        )
        for role, said in found
        if said.strip()
    ]


def written_chat(turns: Iterable[ChatTurn]) -> str:
    """Return turns as a text that `parse_chat` reads again; those without a word are left out."""
    return "\n".join(
        f"{turn.role}: {_SAID.sub(_BACKSLASH, turn.content.strip())}"
        for turn in turns
        if turn.content.strip()
    )
