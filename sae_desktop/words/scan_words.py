"""What is said of a scan. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sae_desktop.safety.scan.config import Area, Effect, FoundFeature, Method, Scores, SetScan
from sae_desktop.words.amounts import duration_words, exact_count

METHOD_TITLES = {
    "best feature": "best feature",
    "sparse classifier on features": "classifier on features",
    "difference of means": "difference of means",
    "logistic regression on raw activations": "logistic on raw",
    "logistic regression on raw means": "logistic on raw means",
    "best random direction": "random direction",
}
"""Short, for the heads of columns."""
METHOD_TIPS = {
    "best feature": "The one feature that tells the templates best that are learnt from.",
    "sparse classifier on features": "A linear classifier on all features, with a penalty that "
    "leaves few of them.",
    "difference of means": "A rival without the dictionary: the mean activation of the positives "
    "less that of the near misses, as a direction.",
    "logistic regression on raw activations": "A rival without the dictionary: a linear "
    "classifier on the raw activations, pooled as the features are.",
    "logistic regression on raw means": "A rival without the dictionary: a linear classifier on "
    "the mean raw activations of each text.",
    "best random direction": "What chance finds: the best of as many random directions as there "
    "are features that fire.",
}
_SAME = 0.01
"""Areas that differ by less are called equal."""


def area_text(area: Area) -> str:
    """Return an area with its interval, such as “.87 (.71–.95)”."""
    return f"{short_area(area.area)} ({short_area(area.low)}–{short_area(area.high)})"


def short_area(value: float) -> str:
    """Return an area with two digits."""
    return f"{value:.2f}".removeprefix("0")


def p_text(p: float) -> str:
    """Return a p-value with as many digits as it is worth."""
    return "<.001" if p < 0.001 else short_area(p) if p >= 0.1 else f"{p:.3f}".removeprefix("0")


def between_text(one: SetScan) -> str:
    """Return the difference of the dictionary and its rival, with its interval."""
    between = f"{one.difference:+.2f}, {one.difference_low:+.2f} to {one.difference_high:+.2f}"
    return between.replace("-", "−")


def verdict_text(one: SetScan) -> str:
    """Return who tells the set's texts better, with the interval of the difference."""
    if one.verdict == "no difference":
        return f"no clear difference ({between_text(one)})"
    ahead = one.best if one.verdict == "dictionary" else one.rival
    return f"{one.verdict}: {ahead} ({between_text(one)})"


def effect_text(effect: Effect) -> str:
    """Return what ablating and clamping do, beside the changes along other directions."""
    return f"{ablated_text(effect)}; {clamped_text(effect)}; {acts_text(effect)}"


def ablated_text(effect: Effect) -> str:
    least, most = min(effect.ablated_controls), max(effect.ablated_controls)
    told = f"{effect.ablated:+.3f} (others {least:+.3f} to {most:+.3f})"
    return told.replace("-", "−")


def clamped_text(effect: Effect) -> str:
    return f"{effect.clamped:.2f} (others up to {max(effect.clamped_controls):.2f})"


def acts_text(effect: Effect | None) -> str:
    """Return in two words whether a feature does something in the model."""
    return "not tried" if effect is None else "acts" if effect.acts else "only reads"


def acts_sentence(effect: Effect | None) -> str:
    """Return whether a feature acts or only reads, and by what that is known."""
    if effect is None:
        return "What it does in the model was not tried."
    others = len(effect.ablated_controls)
    changed = f"Ablated on the positives, it changes the loss by {ablated_text(effect)} nats"
    clamped = (
        f"set to its maximum on near misses, it changes the next tokens by a KL of "
        f"{clamped_text(effect)} nats"
    )
    told = f"{changed} per token; {clamped}."
    if effect.acts:
        return (
            f"It acts: ablating it does more than any of {others} other directions, as one in "
            f"{others + 1} features does by chance. {told}"
        )
    return (
        f"It reads but does not act: ablating it does no more than the same change along some of "
        f"{others} other directions. {told}"
    )


def feature_sentence(row: FoundFeature) -> str:
    """Return the figures of a candidate in words."""
    parts = [f"AUROC {area_text(row.scores.near)} against near misses"]
    if row.scores.ordinary is not None:
        parts.append(f"{area_text(row.scores.ordinary)} against ordinary text")
    if row.scores.other is not None:
        parts.append(f"{area_text(row.scores.other)} in other languages")
    survives = "survives" if row.significant else "does not survive"
    return (
        f"{', '.join(parts)}; {short_area(row.learnt)} on the templates that it was chosen on. "
        f"It {survives} the correction for looking at many (q {p_text(row.q)}). Found by "
        f"{', '.join(row.found_by)}."
    )


def scores_text(method: Method) -> str:
    """Return all that is known of a way of telling, a line each."""
    scores: Scores = method.scores
    lines = [f"Against near misses: AUROC {area_text(scores.near)}"]
    if scores.ordinary is not None:
        lines.append(f"Against ordinary text: {area_text(scores.ordinary)}")
    if scores.other is not None:
        lines.append(f"In other languages: {area_text(scores.other)}")
    lines.append(f"On what it was learnt from: {short_area(method.learnt)}")
    lines.append(f"Inputs: {exact_count(method.inputs)}")
    return "\n".join(lines)


# ---------------------------------------------------------------------- a whole scan
def headline(scans: Sequence[SetScan]) -> str:
    """Return in one sentence who tells the sets better, and whether that can be told."""
    if not scans:
        return "No set was finished."
    ours, rival = (_best_mean(scans, side) for side in ("dictionary", "rival"))
    ahead = {
        verdict: sum(one.verdict == verdict for one in scans) for verdict in ("dictionary", "rival")
    }
    sets = "in the set" if len(scans) == 1 else f"in the mean over {_counted(scans)}"
    figures = (
        f"{METHOD_TITLES.get(rival[0], rival[0])} {short_area(rival[1])}, the dictionary’s "
        f"{METHOD_TITLES.get(ours[0], ours[0])} {short_area(ours[1])}"
    )
    if rival[1] > ours[1] + _SAME:
        first = f"The cheap rival wins {sets}: {figures}"
    elif ours[1] > rival[1] + _SAME:
        first = f"The dictionary wins {sets}: {figures}"
    else:
        first = f"Neither wins {sets}: {figures}"
    if not any(ahead.values()):
        return f"{first}. In no single set is the difference clear, with these few templates."
    clear = [
        f"the {'dictionary' if verdict == 'dictionary' else 'rival'} in {count}"
        for verdict, count in ahead.items()
        if count
    ]
    return f"{first}. Clearly ahead is {' and '.join(clear)} of {_counted(scans)}."


def correction_sentence(scans: Sequence[SetScan]) -> str:
    """Return what is left of the features once it is counted how many were looked at."""
    rows = [row for one in scans for row in one.features]
    if not rows:
        return "No feature was proposed."
    left = sum(row.significant for row in rows)
    tried = exact_count(len(rows))
    if not left:
        told = (
            f"Nothing survives the correction: looking at {tried} features, chance alone may "
            "well find as good ones."
        )
    else:
        stand = "separates its set" if left == 1 else "separate their set"
        told = f"{exact_count(left)} of {tried} features {stand} also after correction (q ≤ .05)."
    single, chance = (
        float(np.mean([_area(one, name) for one in scans]))
        for name in ("best feature", "best random direction")
    )
    if single <= chance + _SAME:
        told += (
            f" The best single feature ({short_area(single)}) does no better than the best "
            f"random direction ({short_area(chance)})."
        )
    return told


def set_sentence(one: SetScan) -> str:
    """Return who tells one set better."""
    areas = {method.name: method.scores.near for method in one.methods}
    ours, rival = areas[one.best], areas[one.rival]
    names = [METHOD_TITLES.get(name, name) for name in (one.best, one.rival)]
    told = (
        f"Best of the dictionary: {names[0]} {area_text(ours)}. Best rival: {names[1]} "
        f"{area_text(rival)}. Difference {between_text(one)}: "
    )
    if one.verdict == "no difference":
        return told + "who is ahead cannot be determined with these texts."
    winner = "the dictionary" if one.verdict == "dictionary" else "the cheap rival"
    return f"{told}{winner} is ahead."


def pieces_text(sets: int, dictionaries: int) -> str:
    """Return sets × dictionaries in words."""
    of = "1 set" if sets == 1 else f"{exact_count(sets)} sets"
    on = "1 dictionary" if dictionaries == 1 else f"{exact_count(dictionaries)} dictionaries"
    return f"{of} on {on}"


def scan_estimate(sets: int, dictionaries: int, texts: int, seconds_each: float) -> str:
    """Return what a scan will do, and how long it takes; 0 seconds for one set: not known."""
    done = f"{pieces_text(sets, dictionaries)}: {exact_count(texts)} texts are read"
    done += f" by each of {dictionaries} dictionaries." if dictionaries > 1 else "."
    if not seconds_each:
        return f"{done} How long it takes is shown once the first set is finished."
    whole = duration_words(seconds_each * sets * dictionaries)
    return f"{done} At the pace of the last scan in this project it takes {whole}."


def kept_text(kept: int) -> str:
    """Return what is said of sets that an unfinished scan of the same name has kept."""
    if not kept:
        return ""
    return (
        f"An unfinished scan of this name has kept {_finished(kept)}. What is kept is not scanned "
        "again where the settings are the same."
    )


def ended_early_text(name: str, kept: int) -> str:
    """Return what is left of a scan that was cancelled or failed."""
    told = f"“{name}” is not finished. "
    is_kept = f"{_finished(kept)} {'is' if kept == 1 else 'are'} kept."
    return told + (is_kept if kept else "No set was finished, so nothing was kept.")


def _finished(kept: int) -> str:
    return "1 finished set" if kept == 1 else f"{exact_count(kept)} finished sets"


def _counted(scans: Sequence[SetScan]) -> str:
    several = len({one.index for one in scans}) > 1
    noun = "sets on dictionaries" if several else "sets"
    return "1 set" if len(scans) == 1 else f"{exact_count(len(scans))} {noun}"


def _best_mean(scans: Sequence[SetScan], side: str) -> tuple[str, float]:
    names = dict.fromkeys(m.name for one in scans for m in one.methods if m.side == side)
    means = {name: float(np.mean([_area(one, name) for one in scans])) for name in names}
    best = max(means, key=lambda name: means[name])
    return best, means[best]


def _area(one: SetScan, name: str) -> float:
    return next((m.scores.near.area for m in one.methods if m.name == name), 0.5)
