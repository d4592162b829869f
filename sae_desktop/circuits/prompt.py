"""A prompt as the model reads it, and the tokens that are to be explained."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.circuits.reading.graph_terms import TargetKind
from sae_desktop.errors import UserError
from sae_desktop.features.reading.chat_text import parse_chat
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.language_model.text.token_text import token_text, visible_token
from sae_desktop.language_model.text.tokenizer import without_repeated


class Prompt(NamedTuple):
    """T tokens."""

    ids: list[int]
    specials: int
    """How many of the first tokens are none of the text's."""
    texts: tuple[str, ...]
    """The tokens as they are shown."""


def read_prompt(lm: TextReader, text: str, *, chat: bool = False) -> Prompt:
    """Return a text, or a chat in words, as the model reads it, with what it begins with.

    Raises UserError where there is nothing to read, more than the model reads at once, or a chat
    that the model's template refuses.
    """
    if chat:
        text = _rendered(lm, text)
    before = list(lm.window_tokens[0])
    own = without_repeated(lm.encode(text), before)
    if not own:
        raise UserError("There is no prompt to trace.", next_step="Type a prompt.")
    ids = before + own
    if len(ids) > lm.context_size:
        raise UserError(
            f"The prompt has {len(ids):,} tokens, but “{lm.name}” reads {lm.context_size:,} at "
            "once.",
            next_step="Use a shorter prompt.",
        )
    names = lm.token_bytes()
    return Prompt(ids, len(before), tuple(token_text(names[number]) for number in ids))


def special_places(lm: TextReader, prompt: Prompt) -> tuple[int, ...]:
    """Return which of a prompt's tokens are special: its first ones, and those of a template."""
    special = lm.special_ids
    return tuple(n for n, token in enumerate(prompt.ids) if n < prompt.specials or token in special)


def _rendered(lm: TextReader, text: str) -> str:
    turns = parse_chat(text)
    if not turns:
        raise UserError("There is no prompt to trace.", next_step="Type a prompt.")
    if not getattr(lm.tokenizer, "chat_template", None):
        raise UserError(
            f"“{lm.name}” has no chat template.", next_step="Enter the chat as plain text."
        )
    said = [{"role": turn.role, "content": turn.content} for turn in turns]
    asked = turns[-1].role == "user"
    try:
        return render_chat(lm.tokenizer, said, add_generation_prompt=asked, name=lm.name)
    except TemplateRefusedError as error:
        raise UserError(
            f"The chat template of “{lm.name}” refuses the chat: {error}.",
            next_step="Use roles that this model's template accepts.",
        ) from error


def one_token(lm: TextReader, text: str) -> int:
    """Return the token that a text is. Raises UserError where it is several, or none."""
    names = lm.token_bytes()
    data = text.encode()
    found = [number for number, name in enumerate(names) if name == data and data]
    if found:
        ids = lm.encode(text)
        return ids[0] if len(ids) == 1 and ids[0] in found else found[0]
    ids = lm.encode(text)
    if len(ids) == 1:
        return ids[0]
    pieces = ", ".join(f"“{visible_token(token_text(names[number]))}”" for number in ids[:8])
    what = f"it is {len(ids)}: {pieces}" if ids else "it is empty"
    raise UserError(
        f"“{text}” is not one token of “{lm.name}”; {what}.",
        next_step="Choose a single token. Most words begin with their space, such as “ Paris”.",
    )


class Targets(NamedTuple):
    """What is explained: n logit nodes."""

    tokens: Tensor
    """(n,) int64, on the CPU."""
    against: Tensor | None
    """Of a difference, the token that is subtracted, (1,)."""
    probabilities: Tensor
    """(n,), on the CPU."""

    @property
    def mass(self) -> float:
        return float(self.probabilities.sum())


def choose_targets(
    lm: LanguageModel,
    probabilities_V: Tensor,
    kind: TargetKind,
    tokens: tuple[str, ...],
    mass: float,
    most: int,
) -> Targets:
    """Return the likely tokens that have `mass` of the probability, or the named ones.

    Raises UserError for a target that is not one token, one that is named twice, and for a
    difference of anything but two.
    """
    found = probabilities_V.detach().cpu()
    if kind == "likely":
        chances, ids = found.topk(min(most, len(found)))
        needed = int(torch.searchsorted(chances.cumsum(0), mass)) + 1
        return Targets(ids[:needed], None, chances[:needed])
    chosen = [one_token(lm, text) for text in tokens]
    if len(set(chosen)) < len(chosen):
        raise UserError("A target is named twice.", next_step="Name each token once.")
    if kind == "difference":
        if len(chosen) != 2:
            raise UserError(
                f"A difference is of two tokens, not of {len(chosen)}.",
                next_step="Name the token to explain, then the one it is compared with.",
            )
        both = torch.tensor(chosen)
        return Targets(both[:1], both[1:], found[both[:1]])
    if not chosen:
        raise UserError("No target is named.", next_step="Name at least one token.")
    ids = torch.tensor(chosen)
    return Targets(ids, None, found[ids])
