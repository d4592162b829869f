"""What a sizing says, in words: a table of three rows, and a sentence for each figure. No Qt."""

from __future__ import annotations

from sae_desktop.sizing.config import FACTOR, Rates, SizeResult, StageSize, Sure, Told
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import duration_words, exact_count, rate_text, short_count

COLUMNS = ("Memory", "Disk", "Time", "Cards")
TITLES = {"harvest": "Harvest", "training": "Training", "index": "Index"}
_DAYS = 2 * 86_400
_YEARS = 730 * 86_400


def long_duration(seconds: float) -> str:
    """Return a duration for a sentence, of more than two days in days: “about 12 days”."""
    if seconds >= _YEARS:
        return f"about {exact_count(seconds / (365 * 86_400))} years"
    if seconds >= _DAYS:
        return f"about {exact_count(seconds / 86_400)} days"
    return duration_words(seconds)


def figures_of(stage: StageSize) -> tuple[Told, ...]:
    """Return a stage's figures in the order of COLUMNS."""
    return stage.memory, stage.disk, stage.seconds, stage.cards


def cells(stage: StageSize) -> list[str]:
    """Return the four cells of a stage's row."""
    memory, disk, seconds, cards = (told.value for told in figures_of(stage))
    return [
        format_bytes(memory),
        format_bytes(disk) if disk else "none",
        long_duration(seconds),
        exact_count(cards) if cards else "none",
    ]


def sure_text(sure: Sure) -> str:
    """Return how far off a figure may be."""
    factor = FACTOR[sure]
    if factor >= 2:
        return f"{sure.capitalize()}: it may be off by a factor of {factor:g}."
    return f"{sure.capitalize()}: within about {factor - 1:.0%}."


def why_texts(stage: StageSize) -> list[str]:
    """Return where each of a stage's figures comes from, and how sure it is."""
    memory, disk, seconds, cards = figures_of(stage)
    return [
        f"{memory.why} {sure_text(memory.sure)}{_free(stage.free_memory)}",
        f"{disk.why} {sure_text(disk.sure)}{_free(stage.free_disk)}",
        f"{seconds.why} {_times(stage)}{sure_text(seconds.sure)}",
        cards.why,
    ]


def _free(count: int | None) -> str:
    return "" if count is None else f" Free: {format_bytes(count)}."


def _times(stage: StageSize) -> str:
    """Return what the time is made of, where that is several things one after another."""
    if stage.stage == "harvest" or len(stage.times) < 2:  # it reads and writes at the same time
        return ""
    parts = [f"{spent.what} {long_duration(spent.seconds)}" for spent in stage.times[:3]]
    return f"Most of it: {', '.join(parts)}. "


def heading(result: SizeResult) -> str:
    """Return what was sized, and for which machine."""
    site = f" at {result.site}" if result.site else ""
    return (
        f"{result.model}{site}, width {exact_count(result.width)}: "
        f"{exact_count(result.features)} features from {exact_count(result.tokens)} tokens, on "
        f"{result.machine}."
    )


def verdict(stage: StageSize) -> str:
    """Return what is lacking and what to change; empty where it fits."""
    if not stage.problem:
        return ""
    ways = "; or ".join(stage.changes)
    after = f" This would help: {ways}." if ways else " No change of a single setting would do."
    return f"{TITLES[stage.stage]}: {stage.problem}{after}"


def basis_text(result: SizeResult) -> str:
    """Return what the times rest on."""
    return f"Times rest on {result.basis}."


def rates_rows(rates: Rates) -> list[tuple[str, str, str]]:
    """Return what was measured of a machine: name, figure, what it decides."""
    return [
        ("Products, float32", f"{short_count(rates.float32)} operations per second",
         "the harvest and the index"),
        ("Products, bfloat16", f"{short_count(rates.low)} operations per second", "training"),
        ("Memory", f"{format_bytes(rates.bandwidth)} per second", "weights and optimiser"),
        ("Sorting", rate_text(rates.entries, "numbers"), "counting, naming and mapping features"),
        ("Disk, writing", f"{format_bytes(rates.disk_write)} per second", "stores, checkpoints"),
        ("Disk, reading", f"{format_bytes(rates.disk_read)} per second", "rows for the training"),
        ("Model, beside its products", f"{1e9 * rates.stream:.3g} ns",
         "each token, layer and number of the stream of a model"),
        ("Training step", f"{rates.step:.2f} × its formula", "a correction of the formula"),
    ]  # fmt: skip
