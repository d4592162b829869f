"""The job `patch`: which places of a model carry what sets one prompt apart from another.

The values that a site has while the model reads the other prompt are put in while it reads the
prompt, one token (or head) at a time; what that does to a logit difference is measured.
L layers, T tokens, B places tried at once, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sae_desktop.circuits.lens_config import PatchConfig, PatchResult
from sae_desktop.circuits.prompt import Prompt, one_token, read_prompt
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, load_model, require_causal
from sae_desktop.language_model.sites.capture import capture_sites, wide
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site, check_site, site_width, text_config
from sae_desktop.language_model.text.token_text import token_text

_TOKENS_AT_ONCE = 2048


def patch(config: PatchConfig, context: JobContext) -> PatchResult:
    """Return the logit difference after the prompt with each place patched, (L, T) or (L, heads).

    A place is a token of a layer's site, or of `attn.hook_z` a head at all tokens. Raises
    UserError for an encoder, for prompts of different lengths, for a site that the model lacks,
    and for a target that is not one token.
    """
    lm = load_model(config.model, config.device)
    require_causal(lm, "Patching")
    sites = [check_site(lm.model, Site(layer, config.hook)) for layer in range(lm.layers)]
    prompt = read_prompt(lm, config.prompt, chat=config.chat)
    other = read_prompt(lm, config.other, chat=config.chat)
    _require_alike(lm, prompt, other)
    pair = _Pair.chosen(lm, prompt, other, config)
    given = capture_sites(lm, torch.tensor([other.ids]), None, sites)
    heads = _heads(lm, sites[0]) if config.hook == "attn.hook_z" else 0
    places = heads or len(prompt.ids)
    context.progress(0, lm.layers * places, "places")
    grid: list[list[float]] = []
    for layer, site in enumerate(sites):
        row: list[float] = []
        for found in _patched(lm, prompt.ids, site, given[site], heads, pair):
            context.check_cancelled()
            row += found
            context.progress(layer * places + len(row), lm.layers * places, "places")
        grid.append(row)
    own, others = pair.own, pair.others
    names = lm.token_bytes()
    span = others - own
    return PatchResult(
        tokens=list(prompt.texts),
        other_tokens=list(other.texts),
        specials=prompt.specials,
        hook=config.hook,
        target=token_text(names[pair.target]),
        against=token_text(names[pair.against]),
        difference=own,
        other_difference=others,
        by="head" if heads else "token",
        grid=grid,
        restored=[[(value - own) / span if span else 0.0 for value in row] for row in grid],
    )


def _require_alike(lm: LanguageModel, prompt: Prompt, other: Prompt) -> None:
    if len(prompt.ids) != len(other.ids):
        raise UserError(
            f"The prompts have {len(prompt.ids)} and {len(other.ids)} tokens, so the values of one "
            "have no place in the other.",
            next_step="Write them so that they have as many tokens, word by word.",
        )
    if prompt.ids == other.ids:
        raise UserError("The prompts are the same.", next_step="Change what the answer depends on.")


def _heads(lm: LanguageModel, site: Site) -> int:
    heads = int(text_config(lm.model).num_attention_heads)
    if site_width(lm.model, site) % heads:
        raise UserError(
            f"The heads of “{lm.name}” do not lie side by side at “{site}”.",
            next_step="Patch hook_attn_out instead.",
        )
    return heads


@dataclass(frozen=True)
class _Pair:
    """Two tokens, and how much more likely (in logits) the first is after either prompt."""

    target: int
    against: int
    own: float
    others: float

    @classmethod
    def chosen(cls, lm: LanguageModel, prompt: Prompt, other: Prompt, config: PatchConfig) -> _Pair:
        after, after_other = (_last_logits(lm, [p.ids])[0] for p in (prompt, other))
        target = one_token(lm, config.target) if config.target else int(after.argmax())
        if config.against:
            against = one_token(lm, config.against)
        else:
            best = [*after_other.topk(2).indices.tolist(), *after.topk(2).indices.tolist()]
            against = next(token for token in best if token != target)
        if target == against:
            raise UserError(
                "The target and what it is set against are the same token.",
                next_step="Choose another token to set it against.",
            )
        values = [float(logits[target] - logits[against]) for logits in (after, after_other)]
        return cls(target, against, values[0], values[1])

    def differences(self, logits_BV: Tensor) -> list[float]:
        found: list[float] = (logits_BV[:, self.target] - logits_BV[:, self.against]).tolist()
        return found


def _last_logits(lm: LanguageModel, ids: Sequence[Sequence[int]]) -> Tensor:
    """Return the logits (B, V) after the last tokens."""
    with lm.lock, torch.no_grad():
        input_ids = torch.tensor([list(row) for row in ids], device=lm.device)
        return wide(lm.model(input_ids=input_ids, use_cache=False).logits[:, -1])


def _patched(
    lm: LanguageModel, ids: list[int], site: Site, given_BSD: Tensor, heads: int, pair: _Pair
) -> Iterator[list[float]]:
    """Yield the differences with each place of a site patched, in order, some at a time."""
    places = heads or len(ids)
    step = max(1, _TOKENS_AT_ONCE // len(ids))
    for first in range(0, places, step):
        chosen = range(first, min(first + step, places))
        put = partial(_put, given_BSD[0], chosen, heads)
        with intervention(lm, site, put):
            yield pair.differences(_last_logits(lm, [ids] * len(chosen)))


def _put(given_SD: Tensor, chosen: Sequence[int], heads: int, x_BSD: Tensor) -> Tensor:
    """Return the values with row b's place replaced: token, or head, `chosen[b]`."""
    out = x_BSD.clone()
    width = x_BSD.shape[-1] // heads if heads else 0
    for row, place in enumerate(chosen):
        where = slice(place * width, (place + 1) * width) if heads else slice(None)
        tokens = slice(None) if heads else place
        out[row, tokens, where] = given_SD[tokens, where].to(out)
    return out
