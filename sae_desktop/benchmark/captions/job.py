"""The job `caption_changes`: does clamping a concept's feature make captions name the concept?

Pictures of other concepts are captioned by the model as it is and with the feature clamped, and
beside it at the same size along a random direction, along another feature's, and along the
difference of means of the concept's words; and with a prompt that asks for the concept. Of each
concept's pictures, those with even places choose where and how strongly, the others are counted.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sae_desktop.benchmark.captions.captioning import Asked, Captioner
from sae_desktop.benchmark.captions.choosing import Chosen, chosen_of
from sae_desktop.benchmark.captions.config import (
    CaptionChangesConfig,
    CaptionChangesResult,
    CaptionWay,
    ChosenConcept,
)
from sae_desktop.benchmark.captions.naming import names, plain_word, spoken_words
from sae_desktop.benchmark.captions.outcomes import (
    Outcome,
    Setting,
    Written,
    mean_log_probability,
    rows_of,
    settings_of,
    share,
    ways_of,
)
from sae_desktop.benchmark.kinds.drawings import drawings, shipped_drawings
from sae_desktop.benchmark.kinds.instances import PICTURE, Named, instances, read_concepts
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.picture_documents import one_model, picture_reader_of
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import require_causal
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.steering.config import (
    DecoderRow,
    Direction,
    Intervention,
    MeanDifference,
    RandomDirection,
)
from sae_desktop.steering.prepare import Preparer

_OFF_TEXTS = 60
_NEAR = 10
"""Features of the most similar density among which the other one is drawn."""
_UNIT, _DOING = "pictures", "Captioning pictures"


class _Tried(NamedTuple):
    """A concept made ready."""

    told: ChosenConcept
    asked: list[tuple[Setting, Asked]]
    pictures: list[tuple[str, Path]]
    """Code points and files, in the order in which they were drawn."""


def caption_changes(config: CaptionChangesConfig, context: JobContext) -> CaptionChangesResult:
    """Return how many captions change, and name the concept, with each way at each setting.

    Where it is stopped, of the concepts that were finished. Raises UserError for settings that
    cannot be, concepts and features that there are not, folders without drawings, and a model that
    writes no captions.
    """
    _check(config)
    folder = Path(config.folder).expanduser() if config.folder else None
    concepts = read_concepts(folder)
    files, notes = _files(config, concepts)
    opened = open_index(config.project, config.index, config.device)
    lm = one_model(opened)
    require_causal(lm, "Steering")
    picture_reader_of(lm)
    chosen = chosen_of(config, opened, concepts, context)
    tried = _made_ready(config, opened, concepts, chosen, files)
    captioner = Captioner(
        opened, Preparer(config.project, opened), config.prompt, chat=config.chat,
        tokens=config.tokens,
    )  # fmt: skip
    every = dict(pair for one in tried for pair in one.pictures)
    total = len(every) + sum(len(one.pictures) for one in tried)
    plain: dict[str, Written] = {}
    for number, (code, path) in enumerate(every.items()):
        context.check_cancelled()
        context.progress(number, total, _UNIT, _DOING)
        (plain[code],) = captioner.captions(str(path), [Asked(config.prompt)], context)
    outcomes: list[Outcome] = []
    done, finished = len(every), []
    for one in tried:
        if context.stop_requested:
            break
        for place, (code, path) in enumerate(one.pictures):
            context.check_cancelled()
            context.progress(done, total, _UNIT, f"{_DOING} with “{one.told.concept}” clamped")
            outcomes += _of_picture(one, place, code, path, plain[code], captioner, context)
            done += 1
        finished.append(one.told)
    context.progress(done, total, _UNIT, _DOING)
    return CaptionChangesResult(
        index=config.index,
        prompt=config.prompt,
        language=config.language,
        unit=config.unit,
        concepts=finished,
        rows=rows_of(outcomes),
        settings=settings_of(outcomes),
        ways=ways_of(outcomes),
        plain_broken=share([one.broken for one in plain.values()]),
        plain_log_probability=mean_log_probability(plain.values()),
        seed=config.seed,
        notes=[*notes, *chosen.notes, *_not_tried(tried, finished)],
    )


def _of_picture(
    one: _Tried, place: int, code: str, path: Path, plain: Written, captioner: Captioner,
    context: JobContext,
) -> Iterator[Outcome]:  # fmt: skip
    written = captioner.captions(str(path), [asked for _, asked in one.asked], context)
    words = one.told.spoken
    before = names(plain.text, words)
    for (setting, _), changed in zip(one.asked, written, strict=True):
        yield Outcome(
            concept=one.told.concept, picture=code, place=place, setting=setting, plain=plain,
            changed=changed, named_before=before, named=names(changed.text, words),
        )  # fmt: skip


def _not_tried(tried: Sequence[_Tried], finished: Sequence[ChosenConcept]) -> list[str]:
    left = [one.told.concept for one in tried[len(finished) :]]
    return [f"It was stopped before {', '.join(left)}."] if left else []


# ---------------------------------------------------------------- what is asked
def _check(config: CaptionChangesConfig) -> None:
    refuse_beyond_limits(config)
    if not config.strengths or not config.where:
        raise UserError(
            "No strength was given." if not config.strengths else "No tokens were chosen.",
            kept="Nothing was measured.",
            next_step="Give at least one strength, such as 4, and one of pictures, words, all.",
        )
    if config.pictures < 2:
        raise UserError(
            "Half the pictures choose the setting and the other half are counted: one is too few.",
            kept="Nothing was measured.",
            next_step="Ask for at least 2 pictures.",
        )
    try:
        config.asked.format(word="", prompt="")
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(
            f"The prompt that asks, “{config.asked}”, cannot be filled in: {error}.",
            kept="Nothing was measured.",
            next_step="Use {word} and {prompt}, such as “{word}. {prompt}”.",
        ) from error


def _files(
    config: CaptionChangesConfig, concepts: Sequence[Named]
) -> tuple[dict[str, Path], list[str]]:
    """Return the first file of each code point, and what is said of those that are missing."""
    every = [one for concept in concepts for one in instances(concept) if one.kind == PICTURE]
    files, notes = drawings(config.drawings or shipped_drawings(), every)
    return {code: paths[0] for code, paths in files.items()}, notes


def _made_ready(
    config: CaptionChangesConfig,
    opened: OpenedIndex,
    concepts: Sequence[Named],
    chosen: Chosen,
    files: dict[str, Path],
) -> list[_Tried]:
    taken = {one.feature for one in chosen.concepts}
    named = {concept.name: concept for concept in concepts}
    found = []
    for number, one in enumerate(chosen.concepts):
        concept = named[one.concept]
        own = set(concept.told.pictures)
        pictures = [(code, path) for code, path in files.items() if code not in own]
        if len(pictures) < 2:
            raise UserError(
                f"There are {len(pictures)} drawings of other concepts than “{one.concept}”.",
                kept="Nothing was measured.",
                next_step="Choose a folder with drawings of more concepts.",
            )
        seed = config.seed * 1000 + number
        drawn = random.Random(seed)
        other = _other_feature(opened, one.feature, taken, drawn)
        directions: dict[CaptionWay, Direction | None] = {
            "feature": None,
            "random direction": RandomDirection(seed=seed),
            "other feature": DecoderRow(dictionary=opened.index.info.dictionary, feature=other),
            "difference of means": _means(config, concept, concepts, drawn),
        }
        told = ChosenConcept(
            concept=one.concept, feature=one.feature, words=one.words, drawings=one.drawings,
            other=other, spoken=spoken_words(concept, config.language),
        )  # fmt: skip
        picked = drawn.sample(pictures, min(config.pictures, len(pictures)))
        found.append(_Tried(told, _asked(config, concept, one.feature, directions), picked))
    return found


def _asked(
    config: CaptionChangesConfig,
    concept: Named,
    feature: int,
    directions: dict[CaptionWay, Direction | None],
) -> list[tuple[Setting, Asked]]:
    found = []
    for (way, direction), where, strength in itertools.product(
        directions.items(), config.where, dict.fromkeys(config.strengths)
    ):
        act = Intervention(
            feature=feature, direction=direction, strength=strength, unit=config.unit, where=where
        )
        found.append((Setting(way, where, strength), Asked(config.prompt, [act])))
    word = plain_word(concept, config.language)
    asking = config.asked.format(word=word, prompt=config.prompt)
    return [*found, (Setting("asked", None, 0.0), Asked(asking))]


def _other_feature(opened: OpenedIndex, feature: int, taken: set[int], drawn: random.Random) -> int:
    """Return a feature that fires on the indexed text about as often, and is no concept's."""
    density_F = np.asarray(opened.index.columns["density"], np.float64)
    able = [int(f) for f in np.flatnonzero(density_F > 0) if int(f) not in taken]
    if not able:
        raise UserError(
            "No other feature fires on the indexed text, so none can stand beside.",
            kept="Nothing was measured.",
            next_step="Choose an index of a dictionary with more features that fire.",
        )
    distance = np.abs(np.log(density_F[able]) - np.log(max(density_F[feature], 1e-12)))
    nearest = np.argsort(distance, kind="stable")[:_NEAR]
    return able[int(drawn.choice(nearest.tolist()))]


def _means(
    config: CaptionChangesConfig, concept: Named, concepts: Sequence[Named], drawn: random.Random
) -> MeanDifference:
    """Return the direction from the words of the other concepts to those of one."""
    kinds = {kind for kind in config.learn if kind != PICTURE} or {config.language}
    texts = [(one.concept, one.text) for c in concepts for one in instances(c)
             if one.kind in kinds]  # fmt: skip
    on = [text for name, text in texts if name == concept.name]
    off = [text for name, text in texts if name != concept.name]
    return MeanDifference(on=on, off=drawn.sample(off, min(len(off), _OFF_TEXTS)))
