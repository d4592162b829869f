"""Everything that is measured while the checkpoints are in memory, one after another.

M checkpoints, N texts, F features of the dictionary, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from sae_desktop.dictionary import Dictionary, load
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.language_model.sites.resolve import Site, check_site, parse_site
from sae_desktop.project import Project, existing
from sae_desktop.safety.change import features, first_tokens, outputs, traits
from sae_desktop.safety.change.chance import Changed, paired
from sae_desktop.safety.change.change_file import Answer, SteeredTexts, TraitFigures
from sae_desktop.safety.change.checkpoint_order import checkpoint_titles
from sae_desktop.safety.change.config import CheckpointFigures, CompareCheckpointsConfig
from sae_desktop.safety.change.features import OnCheckpoint
from sae_desktop.safety.change.first_tokens import Difference
from sae_desktop.safety.change.reading import (
    FIRST,
    Reading,
    Texts,
    open_checkpoints,
    read_checkpoint,
    read_texts,
)
from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.training.rows.dictionary_rows import dictionary_mark

Array = npt.NDArray[Any]


@dataclass
class Measured:
    """What was found, checkpoint by checkpoint."""

    texts: Texts
    site: Site
    token_bytes: list[bytes]
    token_text: list[list[str]]
    """The texts' tokens as they are shown."""
    dictionary: Dictionary | None
    random: Dictionary | None = None
    readings: list[Reading] = field(default_factory=list)
    on: list[OnCheckpoint] = field(default_factory=list)
    on_random: list[OnCheckpoint] = field(default_factory=list)
    traits: list[list[traits.Trait]] = field(default_factory=list)
    figures: list[CheckpointFigures] = field(default_factory=list)
    trait_figures: list[list[TraitFigures]] = field(default_factory=list)
    arrays: dict[str, list[Array]] = field(default_factory=dict)
    steered: SteeredTexts | None = None
    read: int = 0
    """Models that were read for it; of those it is compared with one may have been known."""
    beginnings: list[list[int]] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    answers: list[list[Answer]] = field(default_factory=list)

    def copied(self) -> Measured:
        """Return the same, to which more can be added without touching this one."""
        twin = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list):
                setattr(twin, name, list(value))
        twin.arrays = {name: list(rows) for name, rows in self.arrays.items()}
        return twin

    def keep(self, name: str, values: Array) -> None:
        self.arrays.setdefault(name, []).append(np.asarray(values, np.float32))


@dataclass
class KnownFirst:
    """What was found of the first checkpoint, for whoever compares others with it later."""

    found: Measured | None = None

    def fits(self, lm: LanguageModel) -> bool:
        """Tell whether it is of this checkpoint."""
        return self.found is not None and self.found.readings[0].identity == lm.revision


def measure(
    config: CompareCheckpointsConfig,
    sets: Sequence[ConceptSet],
    project: Project,
    context: JobContext,
    known: KnownFirst,
) -> Measured:
    """Read every checkpoint in turn; the first only where it is not `known`, and it is then."""
    found: Measured | None = None
    count, titles = len(config.checkpoints), checkpoint_titles(config.checkpoints)
    for number, (lm, before) in enumerate(
        open_checkpoints(config.checkpoints, config.device, context)
    ):
        title = titles[number]
        context.progress(number, count, "checkpoints", f"Reading “{title}”")
        if number == 0 and known.fits(lm):
            found = known.found.copied() if known.found is not None else None
            continue
        if found is None:
            found = _begin(config, lm, project)
            found.beginnings = outputs.beginnings(lm, config.prompts, found.texts)
            found.prompts = outputs.shown(lm, found.beginnings, found.texts.specials)
        found.readings.append(read_checkpoint(lm, before, found.texts, found.site, context))
        found.traits.append(
            [traits.read_trait(lm, found.site, one, config.context_size) for one in sets]
        )
        found.answers.append(outputs.answers(lm, found.beginnings, found.texts.specials))
        _measure_one(found, lm, config, title, last=number == count - 1)
        found.read += 1
        if number == 0:
            known.found = found.copied()
            known.found.read = 0
        context.check_cancelled()
    assert found is not None
    context.progress(count, count, "checkpoints")
    return found


def _begin(config: CompareCheckpointsConfig, lm: LanguageModel, project: Project) -> Measured:
    dictionary, site = None, config.site
    if config.dictionary:
        name = existing("dictionary", config.dictionary, project.all_dictionaries())
        dictionary = load(project.dictionary_path(name))
        require_same_model(
            f"dictionary:{name}", dictionary_mark(dictionary), lm.name, lm.mark, project.path
        )
        own = features.require_plain(dictionary, name)
        if site and site != own:
            raise UserError(
                f"The dictionary “{name}” reads “{own}”, not “{site}”.",
                next_step="Leave the site out, or choose a dictionary of that site.",
            )
        site = own
    where = check_site(lm.model, parse_site(site or f"blocks.{lm.layers // 2}.hook_resid_post"))
    texts = read_texts(lm, config.corpus, config.texts, config.context_size)
    if texts.ids_NS.shape[1] < texts.specials + FIRST + 1:
        raise UserError(
            f"Texts of {config.context_size} tokens are too short: the first {FIRST} are compared.",
            next_step=f"Use at least {texts.specials + FIRST + 1}; 64 is usual.",
        )
    names = lm.token_bytes()
    shown = [
        [names[token].decode("utf-8", "replace") for token in row] for row in texts.ids_NS.tolist()
    ]
    return Measured(texts, where, names, shown, dictionary)


def _measure_one(
    found: Measured, lm: LanguageModel, config: CompareCheckpointsConfig, title: str, *, last: bool
) -> None:
    own, first = found.readings[-1], found.readings[0]
    previous = found.readings[max(len(found.readings) - 2, 0)]
    from_first = first_tokens.difference(first, own, found.texts, config.seed)
    since = first_tokens.difference(previous, own, found.texts, config.seed)
    read = first_tokens.lens(lm, found.texts, from_first.mean_PD, config.seed)
    found.keep("tokens/lens", last_unused(read.logits_V, first_tokens.used(first, own)))
    found.keep("tokens/beyond", read.beyond_V)
    found.keep("tokens/shift", last_unused(own.shift_V.numpy(), first_tokens.used(previous, own)))
    figures = CheckpointFigures(
        name=own.lm_name,
        title=title,
        identity=own.identity,
        loss=float(own.loss_N.mean()),
        kl=own.kl,
        difference=from_first.length,
        difference_p=from_first.p if len(found.readings) > 1 else 1.0,
        difference_agreement=from_first.agreement,
    )
    scores = {} if own is first else {"outputs": own.kl, "first tokens": since.length}
    if found.dictionary is not None:
        figures = _with_features(found, lm, found.dictionary, from_first, figures, scores)
    _follow_traits(found, scores, config.seed)
    found.figures.append(_with_scores(figures, scores))
    if last and config.steer and len(found.readings) > 1:
        found.steered = _steered(found, lm, from_first, config)


def last_unused(scores_V: Array, used_V: Array) -> Array:
    """Put the tokens that no model uses last."""
    return np.where(used_V, scores_V, scores_V.min())


def _with_scores(figures: CheckpointFigures, scores: dict[str, float]) -> CheckpointFigures:
    return msgspec.structs.replace(figures, scores=scores)


def _with_features(
    found: Measured,
    lm: LanguageModel,
    dictionary: Dictionary,
    difference: Difference,
    figures: CheckpointFigures,
    scores: dict[str, float],
) -> CheckpointFigures:
    x_NSD = found.readings[-1].x_NSD[:, found.texts.measured]
    if found.random is None:
        found.random = features.control(dictionary, x_NSD.flatten(0, 1), seed=0)
    found.on.append(features.on_checkpoint(dictionary, x_NSD))
    found.on_random.append(features.on_checkpoint(found.random, x_NSD))
    changed = paired(found.on[0].mean_NF, found.on[-1].mean_NF)
    at_random = paired(found.on_random[0].mean_NF, found.on_random[-1].mean_NF)
    _keep_features(found, changed, dictionary, difference)
    found.keep("features/effect", features.effects(lm, dictionary, found.texts, found.site))
    if len(found.on) > 1:
        since = paired(found.on[-2].mean_NF, found.on[-1].mean_NF)
        scores["features"] = features.moved_share(found.on[-2], found.on[-1])
        scores["one feature"] = float(np.abs(since.size_F).max(initial=0.0))
        scores["fit"] = max(0.0, found.on[-1].fvu - found.on[-2].fvu)
    return msgspec.structs.replace(
        figures,
        fvu=found.on[-1].fvu,
        random_fvu=found.on_random[-1].fvu,
        spliced_loss=features.spliced_loss(lm, dictionary, found.texts, found.site),
        changed_features=changed.features,
        changed_random=at_random.features,
    )


def _keep_features(
    found: Measured, changed: Changed, dictionary: Dictionary, difference: Difference
) -> None:
    found.keep("features/mean", found.on[-1].mean_NF.mean(axis=0))
    found.keep("features/density", found.on[-1].density_F)
    found.keep("features/size", changed.size_F)
    found.keep("features/q", changed.q_F)
    cosine = first_tokens.dictionary_features(dictionary, difference.mean_PD)
    found.keep("features/cosine", cosine)


def _follow_traits(found: Measured, scores: dict[str, float], seed: int) -> None:
    """Compare each trait with that of the first checkpoint, and score it against the one before."""
    measured = found.texts.measured
    now = found.readings[-1].x_NSD[:, measured].mean(dim=1).double().numpy()
    first = found.readings[0].x_NSD[:, measured].mean(dim=1).double().numpy()
    found.trait_figures.append(
        [
            traits.figures(base, own, now - first, seed)
            for base, own in zip(found.traits[0], found.traits[-1], strict=True)
        ]
    )
    if len(found.readings) < 2:
        return
    before = found.readings[-2].x_NSD[:, measured].mean(dim=1).double().numpy()
    for base, previous, own in zip(
        found.traits[0], found.traits[-2], found.traits[-1], strict=True
    ):
        name = own.rows.name
        moved = (now - before).mean(axis=0) @ base.direction_D / max(base.separation, 1e-12)
        scores[f"trait {name}"] = abs(float(moved))
        scores[f"turn {name}"] = traits.angle(previous.direction_D, own.direction_D)
        scores[f"probe {name}"] = traits.angle(previous.probe_D, own.probe_D)


def _steered(
    found: Measured, lm: LanguageModel, difference: Difference, config: CompareCheckpointsConfig
) -> SteeredTexts:
    measured = found.readings[0].x_NSD[:, found.texts.measured]
    typical = float(torch.median(measured.norm(dim=-1)))
    written = first_tokens.steered(
        lm, found.texts, difference.mean_PD, found.site, typical, config.steer, config.seed
    )
    begin = slice(found.texts.specials, found.texts.specials + FIRST)
    prompts = ["".join(row[begin]) for row in found.token_text[: len(written[0])]]
    return SteeredTexts(prompts=prompts, plain=written[0], steered=written[1], random=written[2])
