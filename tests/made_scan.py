"""A scan written by hand, in which a rival wins one set, the dictionary one, and one is open."""

from __future__ import annotations

import numpy as np

from sae_desktop.project import Project
from sae_desktop.safety.scan.config import (
    Area,
    Effect,
    FoundFeature,
    Method,
    Scores,
    SetScan,
    Verdict,
)
from sae_desktop.safety.scan.scan_file import ScanInfo, ScannedIndex, ScannedSet, write_scan

FEATURES = 16
_METHODS = (
    ("best feature", "dictionary"), ("sparse classifier on features", "dictionary"),
    ("difference of means", "rival"), ("logistic regression on raw activations", "rival"),
    ("logistic regression on raw means", "rival"), ("best random direction", "control"),
)  # fmt: skip
RIVAL_AHEAD = (0.60, 0.65, 0.80, 0.90, 0.95, 0.62)
OURS_AHEAD = (0.90, 0.97, 0.70, 0.72, 0.71, 0.66)
OPEN = (0.70, 0.75, 0.74, 0.76, 0.80, 0.71)


def area(value: float, reach: float = 0.15) -> Area:
    return Area(area=value, low=max(value - reach, 0), high=min(value + reach, 1))


def set_scan(
    name: str, values: tuple[float, ...], verdict: Verdict, q: float, index: str = "i"
) -> SetScan:
    """Return one set: two candidates, of which the first acts and has the q-value given."""
    methods = tuple(
        Method(name=method, side=side, learnt=0.99, scores=Scores(near=area(value)), inputs=4)
        for (method, side), value in zip(_METHODS, values, strict=True)
    )
    found = methods[1].scores.near.area - methods[4].scores.near.area
    features = tuple(
        FoundFeature(
            feature=number, name=named, density=0.012, found_by=("separation",), learnt=0.9,
            scores=Scores(near=area(values[0]), ordinary=area(0.8), other=area(0.55)),
            p=q / 2, q=q,
            effect=Effect(
                ablated=ablated, ablated_controls=(-0.01, 0.02), ablated_p=0.3, clamped=0.5,
                clamped_controls=(0.1, 0.4), clamped_p=0.3,
            ),
            contexts=("a river⟦ bank⟧ in spring",),
            texts=("positive, 3.20: He lied about⟦ the⟧ ship.",),
        )
        for number, named, ablated in ((3, "banks", 0.05), (7, "", 0.001))
    )  # fmt: skip
    return SetScan(
        set=name, index=index, positives=24, negatives=24, methods=methods, features=features,
        verdict=verdict, best=methods[1].name, rival=methods[4].name, difference=found,
        difference_low=found - 0.1, difference_high=found + 0.1,
    )  # fmt: skip


def save_scan(project: Project, name: str, scans: list[SetScan], *, dictionary: str = "") -> None:
    """Write a scan of one index into a project."""
    sets = tuple(ScannedSet(name=one.set, title=one.set.title(), digest="0") for one in scans)
    index = ScannedIndex(
        name="i", dictionary="d", hash=dictionary, model="builtin", site="blocks.3.hook_resid_post",
        features=FEATURES,
    )  # fmt: skip
    info = ScanInfo(
        config="{}", pooling="max", seed=0, indexes=(index,), sets=sets, wanted=3, seconds=90.0
    )
    write_scan(project.scan_path(name), info, scans, [np.full((len(sets), FEATURES), 0.5)])


def three_sets(q: float = 0.01) -> list[SetScan]:
    return [
        set_scan("deception", RIVAL_AHEAD, "rival", q),
        set_scan("scams", OURS_AHEAD, "dictionary", 0.4),
        set_scan("bias", OPEN, "no difference", 0.4),
    ]
