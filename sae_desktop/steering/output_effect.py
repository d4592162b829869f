"""The job `output_effect`: what each feature does, not when it fires.

The effect of a feature is the KL divergence, in nats, of the next-token distribution with the
feature clamped on the last token of a prompt from the one without, mean over prompts. Choosing
features by it raises steering from .29 to .55 on AxBench (Arad et al. 2025). F features.
"""

from __future__ import annotations

import copy
import inspect
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.probe import own_ids
from sae_desktop.features.asking.read_inputs import read_inputs
from sae_desktop.features.reading.effect_file import (
    COLUMN,
    STRENGTH_COLUMNS,
    VERDICTS,
    EffectInfo,
    no_strengths,
    put_strength,
    read_measured,
    write_effects,
)
from sae_desktop.features.reading.known_strength import KnownStrength, Verdict
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, require_causal
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.steering.effect_config import (
    CONTINUED,
    OutputEffectConfig,
    OutputEffectResult,
)
from sae_desktop.steering.feature_strength import strengths_of
from sae_desktop.steering.generate import cache_name
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.prepare import in_one_pass
from sae_desktop.steering.row_clamp import RowClamp

Array = npt.NDArray[Any]

_LENGTH = 32
"""Tokens of a prompt taken from the text."""


def output_effect(config: OutputEffectConfig, context: JobContext) -> OutputEffectResult:
    """Measure features that fire, and write `features/<index>.effect`.

    What was measured before in the same way of other features stays. Raises UserError for an
    encoder, a feature there is not or that never fired, and prompts without a token.
    """
    began = time.perf_counter()
    if config.batch < 1 or config.count < 1:
        raise UserError(
            "At least one feature and one prompt are needed.", next_step="Enter 1 or more."
        )
    opened = open_index(config.project, config.index, config.device)
    require_causal(opened.lm, "The effect on the output")
    prompts = _prompts(opened, config)
    asked = _asked(opened.index, config.features)
    effects = _mean_effects(opened, prompts, asked, config, context)
    info = EffectInfo(
        dictionary_hash=opened.index.info.dictionary_hash,
        strength=config.strength,
        prompts=[opened.lm.tokenizer.decode(ids) for ids in prompts],
        continued=list(CONTINUED) if config.strengths else [],
    )
    columns = _measured_before(opened.index, info)
    columns[COLUMN][asked] = effects
    verdicts: Counter[Verdict] = Counter()
    if config.strengths:
        for feature, known in _strengths(opened, asked, config, context):
            put_strength(columns, feature, known)
            verdicts[known.verdict] += 1
    strengths = {name: columns[name] for name in STRENGTH_COLUMNS} if config.strengths else None
    write_effects(opened.index.path, info, columns[COLUMN], strengths)
    return OutputEffectResult(
        index=config.index,
        features=len(asked),
        prompts=len(prompts),
        median=float(np.median(effects)),
        largest=float(effects.max()),
        seconds=time.perf_counter() - began,
        **{name: verdicts[name] for name in VERDICTS},
    )


def _asked(index: FeatureIndex, features: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the features to measure, ascending."""
    fires = np.asarray(index.columns["max_activation"]) > 0
    asked = np.unique([index.check_feature(f) for f in features]).astype(np.int64)
    if len(silent := asked[~fires[asked]] if len(asked) else asked):
        raise UserError(
            f"Feature {silent[0]} never fired on the indexed text, so it has no maximum to "
            "multiply.",
            next_step="Choose a feature with a density above 0.",
        )
    asked = asked if len(asked) else np.flatnonzero(fires)
    if not len(asked):
        raise UserError("No feature in the index fires.", next_step="Index more text.")
    return asked


def _measured_before(index: FeatureIndex, info: EffectInfo) -> dict[str, Array]:
    """Return the columns as they are, where they were measured in the same way; else empty ones."""
    found = read_measured(index.path, index.features, info.dictionary_hash)
    columns: dict[str, Array] = {COLUMN: np.full(index.features, np.nan, np.float32)}
    columns |= no_strengths(index.features)
    return columns | found[1] if found is not None and found[0] == info else columns


def _mean_effects(
    opened: OpenedIndex,
    prompts: Sequence[list[int]],
    asked: npt.NDArray[np.int64],
    config: OutputEffectConfig,
    context: JobContext,
) -> npt.NDArray[np.float64]:
    maxima = np.asarray(opened.index.columns["max_activation"], np.float32)
    sums = np.zeros(len(asked))
    doing = f"Trying {len(asked):,} features on each"
    for number, ids in enumerate(prompts):
        effects = _effects(opened, ids, asked, maxima * config.strength, config.batch)
        for first, kl in effects:
            context.check_cancelled()
            context.progress(number + first / len(asked), len(prompts), "prompts", doing)
            sums[first : first + len(kl)] += kl
    context.progress(len(prompts), len(prompts), "prompts", doing)
    return sums / len(prompts)


def _strengths(
    opened: OpenedIndex,
    asked: npt.NDArray[np.int64],
    config: OutputEffectConfig,
    context: JobContext,
) -> Iterator[tuple[int, KnownStrength]]:
    doing = "Finding the strength that turns a text and leaves it whole"
    context.progress(0, len(asked), "features", doing)
    found = strengths_of(opened, asked.tolist(), config.batch, context)
    for done, (feature, known) in enumerate(found, start=1):
        yield feature, known
        context.progress(done, len(asked), "features", doing)


def _prompts(opened: OpenedIndex, config: OutputEffectConfig) -> list[list[int]]:
    texts = [own_ids(opened, text) for text in config.prompts]
    found = texts or taken_evenly(opened.index, config.count)
    if not all(found) or not found:
        raise UserError("A prompt has no tokens.", next_step="Leave it out.")
    return [opened.bos + ids for ids in found]


def taken_evenly(index: FeatureIndex, count: int) -> list[list[int]]:
    """Return the beginnings of `count` passages, taken evenly from an index's text."""
    passages = index.passages
    usable = passages[passages["length"] >= min(_LENGTH, int(passages["length"].max()))]
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, count).astype(np.int64))]
    return [
        index.tokens[first : first + min(length, _LENGTH)].tolist()
        for first, length in zip(chosen["first_row"], chosen["length"], strict=True)
    ]


def _effects(
    opened: OpenedIndex,
    ids: Sequence[int],
    features: Array,
    values_F: Array,
    batch: int,
) -> Iterator[tuple[int, Array]]:
    """Yield (place of the first, KL of each) of a prompt, a given number of features at a time.

    The prompt is read once, and only its last token again for each feature; by a model that
    keeps nothing of what it has read, the whole prompt is.
    """
    lm = opened.lm
    read_SI = None if in_one_pass(opened) else read_inputs(opened, torch.tensor([list(ids)]))[0]
    with lm.lock, torch.no_grad():
        before = None
        if len(ids) > 1:
            before = _cache_of(lm, ids[:-1])
        plain_V = _last(lm, ids, before, 1)[0].log_softmax(-1)
    positions = Positions([0], 0, [len(ids)])
    for first in range(0, len(features), batch):
        chosen = torch.from_numpy(features[first : first + batch])
        values = torch.from_numpy(values_F[features[first : first + batch]])
        clamp = RowClamp(opened, chosen, values, positions, first=len(ids) - 1)
        done = 0 if before is None else len(ids) - 1
        positions.begin(done)
        if read_SI is not None:
            clamp.take(read_SI[None, done:].expand(len(chosen), -1, -1))
        with lm.lock, torch.no_grad(), ExitStack() as stack:
            for site, transform in clamp.transforms().items():
                stack.enter_context(intervention(lm, site, transform))
            steered_BV = _last(lm, ids, before, len(chosen)).log_softmax(-1)
        kl = (steered_BV.exp() * (steered_BV - plain_V)).sum(-1).clamp_min(0)
        yield first, kl.cpu().double().numpy()


def _cache_of(lm: LanguageModel, ids: Sequence[int]) -> Any:
    """Return what the model keeps of tokens it has read; None where it cannot continue from
    that.
    """
    options = _kept(lm, keep=True)
    name = cache_name(lm)
    if name is None:
        return None
    out = lm.model(input_ids=torch.tensor([list(ids)], device=lm.device), **options)
    found = getattr(out, name, None)
    return found if hasattr(found, "batch_repeat_interleave") else None


def _kept(lm: LanguageModel, *, keep: bool) -> dict[str, Any]:
    takes = inspect.signature(lm.model.forward).parameters
    return {"use_cache": keep} if "use_cache" in takes else {}


def _last(lm: LanguageModel, ids: Sequence[int], before: Any, rows: int) -> Tensor:
    """Return the logits (rows, V) after tokens of which the cache holds all but the last."""
    if before is None:
        whole = torch.tensor([list(ids)] * rows, device=lm.device)
        out = lm.model(input_ids=whole, **_kept(lm, keep=False))
    else:
        cache = copy.deepcopy(before)
        if rows > 1:
            cache.batch_repeat_interleave(rows)
        last = torch.full((rows, 1), ids[-1], device=lm.device)
        options = _kept(lm, keep=True) | {cache_name(lm) or "": cache}
        out = lm.model(input_ids=last, **options)
    found: Tensor = out.logits
    return found[:, -1].float()
