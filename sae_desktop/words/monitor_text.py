"""What is said of monitors, for the window and the command line. Free of Qt and torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sae_desktop.safety.mitigation.config import Searched
from sae_desktop.safety.monitors.config import (
    Hit,
    Made,
    Method,
    MonitorRun,
    Power,
    Promise,
    Unit,
    unparted_text,
)
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.safety.monitors.guarantee import least_blocks, most_single
from sae_desktop.safety.monitors.hits_file import RunRecord
from sae_desktop.safety.monitors.listing import MonitorItem
from sae_desktop.words.amounts import MINUS, exact_count, share_text
from sae_desktop.words.source_titles import corpus_title, model_title

UNITS: dict[Unit, str] = {
    "token": "tokens", "message": "messages", "conversation": "conversations",
}  # fmt: skip
MADE: dict[Made, str] = {
    "features": "Features of a dictionary",
    "classifier": "A sparse classifier on features",
    "difference": "A difference of means of raw activations",
    "probe": "A probe on raw activations",
}
_PLACES = 6


def rate_words(rate: float) -> str:
    """Return a rate without idle zeros: “1%”, “0.25%”."""
    return f"{round(100 * rate, _PLACES):g}%"


def promise_text(promise: Promise) -> str:
    """Return what a threshold keeps, and on how much text that rests, in sentences."""
    role = f" of the role {promise.role}" if promise.role else ""
    if promise.method == "conformal":
        sure = "on average over calibration texts"
    else:
        sure = f"with a confidence of {promise.confidence:.0%}"
    return (
        f"Of ordinary {UNITS[promise.unit]}{role}, at most {promise.rate:.2%} fire, {sure}, as "
        f"far as they are such as the {promise.blocks:,} documents or chats of calibration; each "
        f"counts once, whatever its length, since what lies in one depends on one another. "
        f"{promise.firing:.4g} of them fired, for which the bound is {promise.bound:.2%}."
    )


def promise_line(promise: Promise) -> str:
    """Return a promise in a few words: “at most 1% of messages”."""
    role = f" of the role {promise.role}" if promise.role else ""
    return f"at most {rate_words(promise.rate)} of {UNITS[promise.unit]}{role}"


def needed_text(
    rate: float, confidence: float, method: Method, unit: Unit, documents: int, most: int = 0
) -> tuple[str, bool]:
    """Return how much text a promise takes beside how much there is, and whether that is enough.

    `documents`: of the corpus; below 0: not counted. `most`: read at most; 0: all.
    """
    needed = least_blocks(rate, 1 - confidence, method)
    sure = "" if method == "conformal" else f" with a confidence of {confidence:.0%}"
    takes = (
        f"At most {rate_words(rate)} per {unit}{sure} takes at least "
        f"{exact_count(needed)} documents or chats"
    )
    if documents < 0:
        return f"{takes}. How many this text has is not counted before it is read.", True
    read = min(documents, most) if most else documents
    has = f"this text has {exact_count(documents)}"
    if read < documents:
        has += f", of which {exact_count(read)} are read"
    if read >= needed:
        told = f"{takes}; {has}."
        if unit != "token" and method == "bound":
            firing = most_single(read, rate, 1 - confidence)
            told += (
                f" If each has one {unit}, up to {firing} may fire: the more there are, the lower "
                "the threshold can be."
            )
        return told, True
    backed = _backed(read, confidence, method)
    return f"{takes}; {has}, which can back {rate_words(backed)} at least.", False


def _backed(documents: int, confidence: float, method: Method) -> float:
    """Return the least rate that so many documents can back, in steps of 0.01%."""
    found = max(documents, 1)
    if method == "conformal":
        least = 1 / (found + 1)
    else:
        least = -math.expm1(math.log(1 - confidence) / found)
    return min(math.ceil(least * 10_000) / 10_000, 1.0)


def power_line(power: Sequence[Power]) -> str:
    """Return what a monitor catches, short enough for a list; its page has the interval."""
    if not power:
        return "power not measured"
    return f"catches {power[0].caught} of {power[0].of}"


def winner_text(power: Sequence[Power]) -> str:
    """Return who caught most on the same texts, in a sentence, also where a cheap way did."""
    if not power:
        return (
            "Power was not measured: there were no texts of the concept. Calibrate it with a "
            "concept set, or with texts of your own."
        )
    own, rivals = power[0], power[1:]
    top = max(rivals, key=lambda one: (one.caught, -one.near_misses), default=None)
    catches = f"It catches {own.caught} of {own.of} texts of the concept"
    if top is None:
        return f"{catches}. Nothing cheaper was tried beside it."
    other = f"{_beginning_lower(top.what)} catches {top.caught}"
    overlap = own.exact[0] <= top.exact[1] and top.exact[0] <= own.exact[1]
    unsure = " With so few texts the two intervals overlap: the order may be chance." * overlap
    if not own.caught and not top.caught:
        return (
            f"Nothing catches any of the {own.of} texts of the concept at this promise: neither "
            "this monitor nor a cheaper way tells them from ordinary text. Allow more false "
            "alarms, or watch something else."
        )
    if top.caught > own.caught:
        return (
            f"The cheaper way wins: {other}, this monitor {own.caught} of {own.of}, at the same "
            f"promise on the same texts.{unsure}"
        )
    if top.caught == own.caught:
        return f"{catches}, and {other}: as many at the same promise, on the same texts."
    return f"{catches}; the best cheap way, {other}, at the same promise.{unsure}"


def _beginning_lower(what: str) -> str:
    return what[:1].lower() + what[1:]


def searched_text(searched: Searched) -> str:
    """Return how much of what was stopped was won back, in a sentence."""
    low, high = searched.share
    return (
        f"Steering {searched.way}: searched prompts won the behaviour back in {searched.won} of "
        f"{len(searched.attacks)} ({low:.0%}–{high:.0%})."
    )


def set_text(on: int, off: int, positives: int, negatives: int) -> str:
    """Return how many texts of a concept set are learnt from, and how many it is tried on."""
    return (
        f"{exact_count(on)} texts of the concept and {exact_count(off)} near misses to learn from; "
        f"{exact_count(positives)} and {exact_count(negatives)} others, of other templates, to "
        "measure power on."
    )


POWER_HEADS = (
    ("Watched by", "This monitor, and cheaper ways that were calibrated on the same text."),
    ("Threshold", "Each has one of its own, for the same promise."),
    ("Caught", "Of the texts of the concept, how many fire."),
    ("95%", "Interval of the share caught (Clopper–Pearson)."),
    (
        "Near misses",
        "Of the texts that only look like the concept, how many fire: fewer is better.",
    ),
    ("AUROC", ""),
)
"""Heads of the table of power, and what they mean."""


def power_rows(power: Sequence[Power]) -> tuple[list[list[str]], int]:
    """Return the cells of the table of power, and which row caught most; −1: not one alone."""
    rows = [
        [
            one.what if number else f"This monitor: {_beginning_lower(one.what)}",
            f"{one.threshold:.4g}".replace("-", MINUS),
            f"{one.caught} of {one.of}",
            f"{one.exact[0]:.0%}–{one.exact[1]:.0%}",
            f"{one.near_misses} of {one.near_of}",
            "–" if one.auroc is None else f"{one.auroc:.3f}",
        ]
        for number, one in enumerate(power)
    ]
    most = max((one.caught for one in power), default=0)
    best = [number for number, one in enumerate(power) if one.caught == most]
    return rows, best[0] if len(best) == 1 else -1


def plain_promise(promise: Promise, threshold: float) -> str:
    """Return what a monitor promises in one plain sentence."""
    role = f" of the role {promise.role}" if promise.role else ""
    if promise.method == "conformal":
        sure = "on average over texts of calibration"
    else:
        sure = f"we are {promise.confidence:.0%} sure of that"
    shown = f"{threshold:.4g}".replace("-", MINUS)
    return (
        f"It fires above {shown}, and on at most {rate_words(promise.rate)} of ordinary "
        f"{UNITS[promise.unit]}{role}: {sure}, for text like the "
        f"{exact_count(promise.blocks)} documents it was calibrated on, and for no other."
    )


def run_text(run: MonitorRun) -> str:
    """Return what became of a run over a text, in a sentence."""
    interval = ""
    if run.rate_interval is not None:
        low, high = run.rate_interval
        interval = f" (95%: {share_text(low, 2)} to {share_text(high, 2)})"
    documents = "" if run.blocks == run.units else f" in {exact_count(run.blocks)} documents"
    told = (
        f"Of {exact_count(run.units)} {UNITS[run.unit]}{documents}, {exact_count(run.fired)} "
        f"fired: a rate of {share_text(run.rate, 2)}{interval}. On ordinary text at most "
        f"{rate_words(run.promised)} was promised; what fires beyond that may be the concept."
    )
    return f"{told} {unparted_text(run.unparted)}".strip()


def hit_heading(hit: Hit) -> tuple[str, str]:
    """Return where a hit is, and how high it scored."""
    where = hit.title or corpus_title(hit.source) or "Document"
    parts = [f"{where}, document {hit.document + 1}" if hit.at == "" else f"Request at {hit.at}"]
    if hit.role:
        parts.append(f"{hit.role}, message {hit.message + 1}")
    score = f"{hit.score:.4g}".replace("-", MINUS)
    return " · ".join(parts), f"score {score}"


def run_name(record: RunRecord) -> str:
    """Return what a run is called in a list: its text and when it was."""
    when = record.created.replace("T", " ")[:16]
    return f"{corpus_title(record.corpus)}, {when} (UTC)"


def reads_text(monitor: Monitor) -> str:
    """Return what a monitor reads and where, in a line."""
    made = monitor.made[:1].upper() + monitor.made[1:]
    of = f" of “{monitor.dictionary}”" if monitor.readout.features and monitor.dictionary else ""
    where = f" at {', '.join(monitor.places)}" if monitor.places else ""
    when = f", calibrated on {corpus_title(monitor.corpus)}" if monitor.corpus else ""
    day = f", {monitor.created[:10]}" if monitor.created else ""
    return f"{made}{of}{where} of {model_title(monitor.model)}{when}{day}"


def item_lines(item: MonitorItem) -> list[str]:
    """Return what a list says of a monitor: its name, its promise, what it catches, what is up."""
    if item.monitor is None:
        return [item.name, "cannot be read"]
    lines = [item.name, promise_line(item.monitor.promise), power_line(item.monitor.power)]
    if item.trouble:
        lines[2] = "what it reads has changed"
    elif item.last is not None and item.last[1].drift:
        lines[2] = "the last text has drifted"
    return lines
