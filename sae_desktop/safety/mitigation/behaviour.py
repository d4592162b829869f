"""Whether a behaviour occurs in what is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sae_desktop.safety.mitigation.config import REFUSALS
from sae_desktop.safety.mitigation.ways import Ways
from sae_desktop.steering.config import Sampling, Variant
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.token_stream import TokenStream

Shows = Callable[[str], bool]
_REFUSAL_CHARACTERS = 80


class Written(NamedTuple):
    """What follows a prompt."""

    text: str
    ids: list[int]
    stopped: bool
    """A condition ended it."""


def write(ways: Ways, variant: Variant, prompt: Sequence[int], sampling: Sampling) -> Written:
    """Continue one prompt, special tokens included, under a variant."""
    lm = ways.lm
    steering = ways.steering(variant, 1)
    positions = Positions([0], ways.specials, [len(prompt) - ways.specials])
    transforms = steering.transforms(positions)
    gates = steering.gates
    assert gates is not None
    ended: list[bool] = []

    def stopped() -> list[bool]:
        ended[:] = gates.stopped()
        return ended

    stream, ids = TokenStream(lm.token_bytes()), []
    steps = continuations(lm, [list(prompt)], transforms, positions, sampling, stopped=stopped)
    for step in steps:
        token = step.ids[0]
        if token is None or token in lm.eos_ids:
            break
        stream.push(token)
        ids.append(token)
    stream.push(None, last=True)
    return Written(stream.text, ids, any(ended))


def shows_target(targets: Sequence[str]) -> Shows:
    """Return what tells whether one of some texts occurs, whatever the case."""
    held = [target.casefold() for target in targets]
    return lambda text: any(target in text.casefold() for target in held)


def refuses(text: str) -> bool:
    """Return whether a reply begins with a refusal, in English."""
    beginning = text.lstrip()[:_REFUSAL_CHARACTERS].casefold()
    return any(phrase in beginning for phrase in REFUSALS)
