"""A chat written as text: each turn begins with its speaker. Free of torch and Qt."""

from __future__ import annotations

import re
from typing import Literal, cast

from sae_desktop.features.config import ChatTurn

_TURN = re.compile(r"^(system|user|assistant):[ \t]*", re.IGNORECASE | re.MULTILINE)


def parse_chat(text: str) -> list[ChatTurn]:
    """Return the turns of a text in which lines begin with “system:”, “user:” or “assistant:”.

    What stands before the first of them is the user's. Turns without a word are left out.
    """
    starts = list(_TURN.finditer(text))
    before = text[: starts[0].start()] if starts else text
    found = [("user", before)]
    for number, match in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        found.append((match[1].lower(), text[match.end() : end]))
    return [
        ChatTurn(role=cast(Literal["system", "user", "assistant"], role), content=said.strip())
        for role, said in found
        if said.strip()
    ]
