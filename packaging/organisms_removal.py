"""Take a planted behaviour out of a model organism, and see what is left of it and what it costs.

Chosen blind: the features that changed most on ordinary text, the difference of the first tokens,
the trait's direction and its probe. Chosen by one who has seen the behaviour, on the first half of
the pairs (the others measure): the features to which the planted continuation is attributed, and
the difference of means of these prompts between the base and the fine-tuned model; both also
turned against the behaviour at several strengths. Random directions, random features, and features
drawn among those that fire on the same prompts stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from model_organisms import Pair, Told, preferred
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site, parse_site
from sae_desktop.project import Project
from sae_desktop.safety.change.change_file import Change
from sae_desktop.safety.change.first_tokens import difference
from sae_desktop.safety.change.reading import Texts, read_checkpoint, read_texts
from sae_desktop.safety.change.traits import read_trait
from sae_desktop.safety.concept_set import read_set

OF_KIND = {"language": "language_switch", "call": "unsafe_code", "fact": ""}
"""The trait that the planted behaviour is about; a false fact has none."""
CLAMPED = 20
"""Features that are ablated."""
STRENGTHS = (1, 2, 4, 8)
_RANDOM = 5

Remove = Callable[[Tensor], Tensor]


class Removal:
    """What takes something out of the stream at the site, at every token but BOS."""

    def __init__(self, remove: Remove, specials: int) -> None:
        self._remove, self._specials = remove, specials

    def __call__(self, x_BSD: Tensor) -> Tensor:
        x = x_BSD.clone()
        x[:, self._specials :] = self._remove(x_BSD[:, self._specials :])
        return x


def without_direction(direction_D: Tensor) -> Remove:
    unit = torch.nn.functional.normalize(direction_D.float(), dim=0)
    return lambda x: x - (x @ unit)[..., None] * unit


def without_features(dictionary: Dictionary, ids: Tensor) -> Remove:
    rows = dictionary.W_dec[ids]
    return lambda x: x - dictionary.encode_features(x, ids) @ rows


def pushed(direction_D: Tensor, strength: float) -> Remove:
    """Take a whole shift back, or more than that, at every token."""
    return lambda x: x - strength * direction_D


def clamped_below(dictionary: Dictionary, ids: Tensor, strength: float) -> Remove:
    """Give features the negative of their activation, `strength` times."""
    rows = dictionary.W_dec[ids]
    return lambda x: x - (1 + strength) * dictionary.encode_features(x, ids) @ rows


def behaviour(
    lm: LanguageModel, told: Told, site: Site, remove: Removal | None, part: slice = slice(None)
) -> float:
    """Return how much more often the planted continuation is preferred with the trigger.

    Of what has no trigger, how often it is preferred. `part`: of which pairs.
    """

    def logits_of(ids: Tensor) -> Tensor:
        if remove is None:
            return lm.model(input_ids=ids, use_cache=False).logits
        with intervention(lm, site, remove):
            return lm.model(input_ids=ids, use_cache=False).logits

    found = preferred(logits_of, told.pairs[part])
    return found - preferred(logits_of, told.controls[part]) if told.controls else found


@torch.no_grad()
def loss_on(lm: LanguageModel, texts: Texts, site: Site, remove: Removal | None) -> float:
    """Return the loss on ordinary text, in nats per token."""
    total = 0.0
    for ids in torch.split(texts.ids_NS, 16):
        if remove is None:
            logits = lm.model(input_ids=ids, use_cache=False).logits
        else:
            with intervention(lm, site, remove):
                logits = lm.model(input_ids=ids, use_cache=False).logits
        total += float(
            torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        ) * len(ids)
    return total / len(texts.ids_NS)


def attributed(
    lm: LanguageModel, pairs: Sequence[Pair], dictionary: Dictionary, site: Site, specials: int
) -> tuple[Tensor, Tensor]:
    """Return (F,) each: what features add to the planted continuation, and how they fire there.

    To first order: activation · (direction · gradient of log p(planted) − log p(honest)).
    """
    total, fires = torch.zeros(dictionary.features), torch.zeros(dictionary.features)
    for pair in pairs:
        for told, sign in ((pair.planted, 1.0), (pair.honest, -1.0)):
            ids = torch.tensor([[*pair.prompt, *told]])
            held: list[Tensor] = []

            def hold(x_BSD: Tensor, held: list[Tensor] = held) -> Tensor:
                held[:] = [x_BSD.detach().requires_grad_()]
                return held[0]

            with torch.enable_grad(), intervention(lm, site, hold):
                logits = lm.model(input_ids=ids, use_cache=False).logits
                log_p = logits[0, len(pair.prompt) - 1 : -1].float().log_softmax(-1)
                likely = log_p[torch.arange(len(told)), torch.tensor(told)].mean()
                (gradient,) = torch.autograd.grad(likely, held[0])
            x_SD, g_SD = held[0].detach()[0, specials:], gradient[0, specials:]
            with torch.no_grad():
                f_SF = dictionary.encode(x_SD)
                total += sign * (f_SF * dictionary.dots(g_SD)).sum(dim=0)
                fires += f_SF.sum(dim=0)
    return total, fires


@torch.no_grad()
def difference_on(
    lm: LanguageModel, base: LanguageModel, pairs: Sequence[Pair], site: Site
) -> Tensor:
    """Return (D,): how far the last token of the prompts moved from the base, on average."""
    moved = []
    for pair in pairs:
        ids = torch.tensor([pair.prompt])
        at = [capture(one, ids, None, site)[0, -1] for one in (lm, base)]
        moved.append(at[0] - at[1])
    return torch.stack(moved).mean(dim=0)


def removals(
    lm: LanguageModel, told: Told, change: Change, dictionary: Dictionary, project: Project,
    texts: int, context_size: int,
) -> dict[str, Any]:  # fmt: skip
    """Return what each way leaves of the behaviour, and what it costs."""
    site = parse_site(change.info.site)
    text = read_texts(lm, "", texts, context_size)
    base = load_model("builtin", "cpu", beside=[lm])
    seen, measured = told.pairs[told.seen], told.measured
    ways = _blind(lm, base, change, dictionary, text, site)
    if trait := OF_KIND[told.kind]:
        found = read_trait(lm, site, read_set(project, trait), context_size)
        ways["trait"] = [without_direction(torch.from_numpy(found.direction_D))]
        ways["probe"] = [without_direction(torch.from_numpy(found.probe_D))]
    ways |= _knowing(lm, base, seen, dictionary, site, text.specials)
    planted = behaviour(lm, told, site, None, measured)
    honest = behaviour(base, told, site, None, measured)
    plain = loss_on(lm, text, site, None)
    result: dict[str, Any] = {"behaviour": planted, "of the base": honest, "loss": plain}
    for name, several in ways.items():
        left, cost = [], []
        for remove in several:
            change_at = Removal(remove, text.specials)
            left.append(behaviour(lm, told, site, change_at, measured))
            cost.append(loss_on(lm, text, site, change_at) / plain - 1)
        gone = (planted - float(np.mean(left))) / max(planted - honest, 1e-9)
        result[name] = {"left": float(np.mean(left)), "removed": gone, "cost": float(np.mean(cost))}
    return result


def _blind(
    lm: LanguageModel, base: LanguageModel, change: Change, dictionary: Dictionary, texts: Texts,
    site: Site,
) -> dict[str, list[Remove]]:  # fmt: skip
    """Return what is chosen from ordinary text alone."""
    first = read_checkpoint(base, None, texts, site, SilentContext())
    last = read_checkpoint(lm, None, texts, site, SilentContext())
    mean_D = difference(first, last, texts, 0).mean_PD.mean(dim=0)
    ranked = change.ranked_features(-1)
    generator = torch.Generator().manual_seed(0)
    return {
        "dictionary": [without_features(dictionary, torch.from_numpy(ranked[:CLAMPED].copy()))],
        "difference": [without_direction(mean_D)],
        "random direction": [
            without_direction(torch.randn(mean_D.shape, generator=generator))
            for _ in range(_RANDOM)
        ],
        "random features": [
            without_features(
                dictionary, torch.randperm(dictionary.features, generator=generator)[:CLAMPED]
            )
            for _ in range(_RANDOM)
        ],
    }


def _knowing(
    lm: LanguageModel, base: LanguageModel, seen: Sequence[Pair], dictionary: Dictionary,
    site: Site, specials: int,
) -> dict[str, list[Remove]]:  # fmt: skip
    """Return what is chosen by one who has seen the behaviour."""
    added_F, fires_F = attributed(lm, seen, dictionary, site, specials)
    order = added_F.argsort(descending=True)
    firing = fires_F.nonzero()[:, 0]
    generator = torch.Generator().manual_seed(1)
    drawn = [firing[torch.randperm(len(firing), generator=generator)] for _ in range(_RANDOM)]
    found: dict[str, list[Remove]] = {}
    for count in (1, 5, CLAMPED, 100):
        found[f"dictionary, {count} seen"] = [without_features(dictionary, order[:count])]
        found[f"{count} of those that fire"] = [
            without_features(dictionary, ids[:count]) for ids in drawn
        ]
    moved_D = difference_on(lm, base, seen, site)
    found["difference, seen"] = [without_direction(moved_D)]
    random_RD = torch.randn((_RANDOM, len(moved_D)), generator=generator)
    for strength in STRENGTHS:
        found[f"dictionary, {CLAMPED} seen, at −{strength} times"] = [
            clamped_below(dictionary, order[:CLAMPED], strength)
        ]
        found[f"{CLAMPED} of those that fire, at −{strength} times"] = [
            clamped_below(dictionary, ids[:CLAMPED], strength) for ids in drawn
        ]
        found[f"difference, seen, {strength} times back"] = [pushed(moved_D, strength)]
        found[f"random direction, {strength} times back"] = [
            pushed(row_D / row_D.norm() * moved_D.norm(), strength) for row_D in random_RD
        ]
    return found
