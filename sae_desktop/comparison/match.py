"""The job `match`: for every feature the nearest features of the other dictionaries.

Exact: every pair of decoder directions is compared, over all outputs that both dictionaries have.
A, B features, D width of an output, N kept.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.comparison.config import MatchConfig, MatchedPair, MatchResult
from sae_desktop.comparison.match_file import (
    Match,
    MatchedDictionary,
    MatchInfo,
    read_match_info,
    write_match,
)
from sae_desktop.comparison.shared_outputs import Shared, places_written, shared_outputs, unlike
from sae_desktop.dictionary import Dictionary, load
from sae_desktop.errors import UserError
from sae_desktop.features.building.neighbours import normalised, products
from sae_desktop.features.reading.dictionary_hash import dictionary_hash
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.same_model import difference, require_same_model
from sae_desktop.project import Project, existing
from sae_desktop.training.run_folder import DictionarySummary, read_summary

Array = npt.NDArray[Any]

_COSINES_AT_ONCE = 2**25
_UNMATCHED = 0.5
_LEAST = 1e-20


def match(config: MatchConfig, context: JobContext) -> MatchResult:
    """Match every two of the dictionaries and write a file for each pair that has changed.

    Those that write several sites are compared over all the sites that both write, side by side.
    Raises UserError for fewer than two dictionaries, for ones of different models or widths, and
    for ones that write no site in common.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    if config.nearest < 1:
        raise UserError("At least one nearest feature must be kept.", next_step="Enter 1 or more.")
    found = _asked(project, config)
    sides, summaries = _ordered(project, found), {summary.name: summary for summary in found}
    pairs = []
    for smaller, larger in itertools.combinations(sides, 2):
        shared = shared_outputs(summaries[smaller.name], summaries[larger.name])
        path = project.match_path(smaller.name, larger.name)
        info = MatchInfo(smaller=smaller, larger=larger, nearest=config.nearest, over=shared.names)
        kept = path.is_file() and _is_current(path, info)
        if not kept:
            context.log(f"Matching “{smaller.name}” with “{larger.name}”")
            dictionaries = [_loaded(project, side.name, config.device) for side in info.sides]
            one, other = _directions(dictionaries, shared)
            write_match(path, info, match_directions(one, other, info.nearest, context))
        pairs.append(_figures(Match(path), kept=kept))
    return MatchResult(pairs=pairs, seconds=time.perf_counter() - began)


def _asked(project: Project, config: MatchConfig) -> list[DictionarySummary]:
    there, every = project.dictionaries(), project.all_dictionaries()
    names = list(dict.fromkeys(existing("dictionary", n, every) for n in config.dictionaries))
    found = [read_summary(project.dictionary_path(name)) for name in names or there]
    found = found if names else _most_of_one_site(project, found)
    if len(found) < 2:
        raise UserError(
            "Two dictionaries of the same model and site are needed; the project has none."
            if not names
            else f"There is only “{names[0]}” to match; two dictionaries are needed.",
            next_step="Train or import another one of the same model and site.",
        )
    return found


def _most_of_one_site(project: Project, found: list[DictionarySummary]) -> list[DictionarySummary]:
    """Return the dictionaries of that model, site and width of which there are most."""
    kinds: list[list[DictionarySummary]] = []
    for summary in found:
        if not summary.site:
            continue
        for kind in kinds:
            if _of_one_kind(project, kind[0], summary):
                kind.append(summary)
                break
        else:
            kinds.append([summary])
    return max(kinds, key=len, default=[])


def _of_one_kind(project: Project, one: DictionarySummary, other: DictionarySummary) -> bool:
    told = places_written(one) == places_written(other) and bool(one.model) == bool(other.model)
    return told and not difference(one.mark, other.mark, project.path)


def _ordered(project: Project, found: list[DictionarySummary]) -> list[MatchedDictionary]:
    """Return what is known of the dictionaries, the smallest first."""
    first = found[0]
    for summary in found:
        if bool(summary.model) != bool(first.model):
            raise unlike(first, summary)
        require_same_model(
            f"dictionary:{first.name}", first.mark, f"dictionary:{summary.name}", summary.mark,
            project.path,
        )  # fmt: skip
    sides = [
        MatchedDictionary(
            name=summary.name,
            hash=dictionary_hash(project.dictionary_path(summary.name)),
            features=summary.features,
            site=summary.site,
        )
        for summary in found
    ]
    return sorted(sides, key=lambda side: (side.features, side.name))


def _is_current(path: Path, info: MatchInfo) -> bool:
    """Tell whether a pair is matched already, each dictionary as it is now."""
    try:
        return read_match_info(path) == info
    except UserError:
        return False


def _loaded(project: Project, name: str, device: str) -> Dictionary:
    return load(project.dictionary_path(name), resolve_device(device))


def _directions(
    dictionaries: Sequence[Dictionary], shared: Shared
) -> tuple[list[Tensor], list[Tensor]]:
    """Return what two dictionaries write to the outputs they share, (n, D) each.

    Of several outputs each is scaled so that the directions of both have a mean square of 1 there:
    else the site of the largest rows would decide alone.
    """
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    for numbers in zip(shared.of_smaller, shared.of_larger, strict=True):
        parts = [
            dictionary.decoder_part(number).float()
            for dictionary, number in zip(dictionaries, numbers, strict=True)
        ]
        scale = 1.0
        if shared.names:
            square = torch.cat([part.square().sum(dim=1) for part in parts]).mean()
            scale = float(square.clamp_min(_LEAST).rsqrt())
        for side, part in zip(sides, parts, strict=True):
            side.append(part * scale)
    for side, dictionary in zip(sides, dictionaries, strict=True):
        missing = [dictionary.features - len(part) for part in side]
        if shared.names and all(missing):  # features of later layers write to none of these
            side[0] = torch.nn.functional.pad(side[0], (0, 0, 0, missing[0]))
    return sides


def match_directions(
    smaller: Tensor | Sequence[Tensor],
    larger: Tensor | Sequence[Tensor],
    nearest: int,
    context: JobContext | None = None,
) -> dict[str, Array]:
    """Return the arrays of `match_file.py` for two sets of directions (features, D), exactly.

    Of several outputs the directions at each, (n, D) of the first n features, are compared as if
    side by side. Raises UserError for directions of different widths.
    """
    sides = [[side] if isinstance(side, Tensor) else list(side) for side in (smaller, larger)]
    for one, other in zip(*sides, strict=True):
        if one.shape[1] != other.shape[1]:
            raise UserError(
                f"Directions of width {one.shape[1]} and {other.shape[1]} cannot be compared: one "
                "of the dictionaries writes to a different site from the one it reads.",
                next_step="Match dictionaries that write to the same site.",
            )
    context = context or SilentContext()
    ours, theirs = (normalised(side, max(map(len, side))) for side in sides)
    sizes = [max(map(len, side)) for side in sides]
    arrays: dict[str, Array] = {}
    total = sum(sizes)
    for name, own, other, count, others in (
        ("larger", ours, theirs, sizes[0], sizes[1]),
        ("smaller", theirs, ours, sizes[1], sizes[0]),
    ):
        kept = min(nearest, others)
        ids = np.full((count, nearest), -1, dtype=np.int32)
        cosines = np.zeros((count, nearest), dtype=np.float32)
        done = 0 if name == "larger" else sizes[0]
        step = max(1, _COSINES_AT_ONCE // others)
        for begin in range(0, count, step):
            context.check_cancelled()
            context.progress(done + begin, total, "features")
            best = torch.topk(products(own, other, begin, min(begin + step, count), others), kept)
            ids[begin : begin + step, :kept] = best.indices.cpu().numpy()
            cosines[begin : begin + step, :kept] = best.values.cpu().numpy()
        arrays[f"{name}/ids"], arrays[f"{name}/cosines"] = ids, cosines
    context.progress(total, total, "features")
    return arrays


def _figures(found: Match, *, kept: bool) -> MatchedPair:
    larger, smaller = found.best_cosines("larger"), found.best_cosines("smaller")
    return MatchedPair(
        smaller=found.info.smaller.name,
        larger=found.info.larger.name,
        unmatched_smaller=int((larger < _UNMATCHED).sum()),
        unmatched_larger=int((smaller < _UNMATCHED).sum()),
        mean_cosine=float(larger.mean()),
        kept=kept,
        over=found.info.over,
    )
