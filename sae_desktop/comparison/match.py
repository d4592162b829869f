"""The job `match`: for every feature the nearest features of the other dictionaries.

Exact: every pair of decoder directions is compared. A, B features, D width, N kept.
"""

from __future__ import annotations

import itertools
import time
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
from sae_desktop.dictionary import load
from sae_desktop.errors import UserError
from sae_desktop.features.reading.dictionary_hash import dictionary_hash
from sae_desktop.features.suitable import require_one_site
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.same_model import difference, require_same_model
from sae_desktop.project import Project, existing
from sae_desktop.training.run_folder import DictionarySummary, read_summary

Array = npt.NDArray[Any]

_COSINES_AT_ONCE = 2**25
_UNMATCHED = 0.5


def match(config: MatchConfig, context: JobContext) -> MatchResult:
    """Match every two of the dictionaries and write a file for each pair that has changed.

    Raises UserError for fewer than two dictionaries, and for ones of different models, widths
    or with several sites.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    if config.nearest < 1:
        raise UserError("At least one nearest feature must be kept.", next_step="Enter 1 or more.")
    sides = _ordered(project, _asked(project, config))
    pairs = []
    for smaller, larger in itertools.combinations(sides, 2):
        path = project.match_path(smaller.name, larger.name)
        info = MatchInfo(smaller=smaller, larger=larger, nearest=config.nearest)
        kept = path.is_file() and _is_current(path, info)
        if not kept:
            context.log(f"Matching “{smaller.name}” with “{larger.name}”")
            one, other = (_directions(project, side.name, config.device) for side in info.sides)
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
        if not summary.site:  # those of several sites name none
            continue
        for kind in kinds:
            if _of_one_kind(project, kind[0], summary):
                kind.append(summary)
                break
        else:
            kinds.append([summary])
    return max(kinds, key=len, default=[])


def _of_one_kind(project: Project, one: DictionarySummary, other: DictionarySummary) -> bool:
    told = (bool(one.model), one.site, one.width) == (bool(other.model), other.site, other.width)
    return told and not difference(one.mark, other.mark, project.path)


def _ordered(project: Project, found: list[DictionarySummary]) -> list[MatchedDictionary]:
    """Return what is known of the dictionaries, the smallest first."""
    first = found[0]
    for summary in found:
        if (bool(summary.model), summary.width) != (bool(first.model), first.width):
            raise UserError(
                f"The dictionaries “{first.name}” and “{summary.name}” cannot be matched: the "
                f"first is for {_told(first)}, the second for {_told(summary)}.",
                kept="Nothing was changed.",
                next_step="Match dictionaries of the same model.",
            )
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


def _told(summary: DictionarySummary) -> str:
    model = f"“{summary.model}”" if summary.model else "an unnamed model"
    return f"{model}, width {summary.width}"


def _is_current(path: Path, info: MatchInfo) -> bool:
    """Tell whether a pair is matched already, each dictionary as it is now."""
    try:
        return read_match_info(path) == info
    except UserError:
        return False


def _directions(project: Project, name: str, device: str) -> Tensor:
    """Return a dictionary's decoder (F, O). Raises UserError for one of several sites."""
    dictionary = load(project.dictionary_path(name), resolve_device(device))
    require_one_site(name, dictionary)
    return dictionary.W_dec


def match_directions(
    smaller_AD: Tensor, larger_BD: Tensor, nearest: int, context: JobContext | None = None
) -> dict[str, Array]:
    """Return the arrays of `match_file.py` for two sets of directions, exactly.

    Raises UserError for directions of different widths.
    """
    if smaller_AD.shape[1] != larger_BD.shape[1]:
        raise UserError(
            f"Directions of width {smaller_AD.shape[1]} and {larger_BD.shape[1]} cannot be "
            "compared: one of the dictionaries writes to a different site from the one it reads.",
            next_step="Match dictionaries that write to the same site.",
        )
    context = context or SilentContext()
    smaller, larger = (
        torch.nn.functional.normalize(side.float(), dim=1) for side in (smaller_AD, larger_BD)
    )
    arrays: dict[str, Array] = {}
    total = len(smaller) + len(larger)
    for name, own, other in (("larger", smaller, larger), ("smaller", larger, smaller)):
        kept = min(nearest, len(other))
        ids = np.full((len(own), nearest), -1, dtype=np.int32)
        cosines = np.zeros((len(own), nearest), dtype=np.float32)
        done = 0 if name == "larger" else len(smaller)
        step = max(1, _COSINES_AT_ONCE // len(other))
        for begin in range(0, len(own), step):
            context.check_cancelled()
            context.progress(done + begin, total, "features")
            best = torch.topk(own[begin : begin + step] @ other.T, kept, dim=1)
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
    )
