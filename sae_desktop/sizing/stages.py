"""The three rows of a sizing: each with its figures, where they come from, and ways out."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace

import msgspec
import torch

from sae_desktop.activations.batch_size import working_bytes
from sae_desktop.activations.config import HarvestConfig, StoreDtype
from sae_desktop.activations.harvest_plan import DEFAULT_BATCH_TOKENS
from sae_desktop.activations.layout import Capacity, StoreInfo, segment_bytes
from sae_desktop.features.building.neighbours import EXACT_FEATURES
from sae_desktop.features.config import IndexConfig
from sae_desktop.sizing.cards import Card, known_cards
from sae_desktop.sizing.config import Rates, SizeConfig, Spent, StageSize, Sure, Told
from sae_desktop.sizing.facts import ModelFacts
from sae_desktop.sizing.index_size import DOCUMENT_TOKENS, index_disk, index_memory
from sae_desktop.sizing.times import (
    Figures,
    IndexWork,
    figure_seconds,
    harvest_seconds_per_token,
    index_parts,
    step_seconds,
)
from sae_desktop.storage.faults import format_bytes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.loss_pace import SHARE
from sae_desktop.training.measuring.geometry import PRODUCTS_IN_A_RUN
from sae_desktop.training.observer import FITS, SNAPSHOTS
from sae_desktop.training.planning import needs
from sae_desktop.training.planning.capacity import load_of
from sae_desktop.training.planning.needs import Free, Load
from sae_desktop.training.planning.preflight_config import Need
from sae_desktop.training.rows.streaming import RowBudget, pool_rows
from sae_desktop.training.rows.targets import Part, TargetPlan

_FLOAT = 4
_ENOUGH = 2**62
"""Bytes of a place that is not looked at."""
_CPU = torch.device("cpu")
_WINDOW = HarvestConfig(project="", name="").context_size
_SITE = "blocks.0.hook_resid_post"
_SMALLER: tuple[StoreDtype, ...] = ("float16", "int8")


@dataclass(frozen=True)
class Place:
    """A machine, and what is known of it."""

    rates: Rates
    sure: Sure
    """Of its times."""
    memory: int | None
    """Bytes free; None: not known."""
    disk: int | None
    gpu: int | None = None
    """Bytes free on this machine's GPU."""
    card: Card | None = None
    low: bool = False
    """Whether models compute in bfloat16 there."""

    @property
    def room(self) -> int | None:
        """Bytes of memory where models and dictionaries are."""
        return round(self.card.memory) if self.card else self.gpu or self.memory

    @property
    def memory_words(self) -> str:
        return "GPU memory" if self.card or self.gpu else "memory"


def harvest_stage(config: SizeConfig, facts: ModelFacts, place: Place) -> StageSize:
    """Return what the harvest takes; while training, it writes no store."""
    made = [
        Need(what="model", bytes=facts.weight_bytes),
        Need(
            what=f"a forward pass of {DEFAULT_BATCH_TOKENS:,} tokens",
            bytes=working_bytes(DEFAULT_BATCH_TOKENS, facts.stream, [facts.width]),
        ),
    ]
    if place.memory_words == "memory":
        made.append(Need(what="program", bytes=needs.PROGRAM_BYTES))
    disk = 0 if config.stream else store_bytes(config, facts, config.dtype)
    forward = forward_seconds(facts, place)
    writing = disk / config.tokens / place.rates.disk_write
    changes = []
    if not _fits(place.room, needs.total(made)):
        changes.append("the model in fewer bits")
        if place.memory_words == "GPU memory":
            changes.append("its layers over several cards and the memory (the device “split”)")
    if not _fits(place.disk, disk):
        changes += _smaller_stores(config, facts, disk, place.disk or 0)
    slower = "The disk, which is slower than the model, takes" if writing > forward else "It reads"
    return StageSize(
        stage="harvest",
        memory=Told(
            value=needs.total(made),
            why=f"{_sum(made)} A harvest that looks for its fastest batch may take several times "
            "as many tokens in a pass, as far as memory is free.",
            sure="assumed",
        ),
        disk=Told(value=disk, why=_store_words(config, facts), sure="counted"),
        seconds=Told(
            value=config.tokens * max(forward, writing),
            why=f"{slower} {1 / max(forward, writing):,.0f} tokens per second; the model has "
            f"{facts.layers} layers up to the site, of {facts.layer_parameters:,} weights.",
            sure=place.sure,
        ),
        cards=_cards(place, needs.total(made), splits=True),
        needs=made,
        disk_needs=[Need(what="store", bytes=disk)],
        times=_longest({"model": config.tokens * forward, "writing": config.tokens * writing}),
        free_memory=place.room,
        free_disk=place.disk,
        problem=_lacking(place, needs.total(made), disk),
        changes=changes,
    )


def forward_seconds(facts: ModelFacts, place: Place) -> float:
    """Return the seconds of the model for a token, up to the site."""
    return harvest_seconds_per_token(
        facts.layers, facts.layer_parameters, facts.stream, _WINDOW, place.rates, low=place.low
    )


def store_bytes(config: SizeConfig, facts: ModelFacts, dtype: StoreDtype) -> int:
    """Return what a store takes, of documents of usual length."""
    documents = -(-config.tokens // DOCUMENT_TOKENS)
    windows = config.tokens // (_WINDOW - 1) + documents
    info = StoreInfo(model="", sites=[_SITE], widths=[facts.width], dtype=dtype)
    return segment_bytes(info, Capacity(config.tokens, windows, documents))


def _store_words(config: SizeConfig, facts: ModelFacts) -> str:
    if config.stream:
        return "No store is written: the rows go from the model to the training."
    return (
        f"{config.tokens:,} rows of {facts.width:,} numbers as {config.dtype}, with norms, tokens "
        f"and checksums; documents of {DOCUMENT_TOKENS} tokens are assumed. Training while "
        "harvesting would write none."
    )


def _smaller_stores(config: SizeConfig, facts: ModelFacts, disk: int, free: int) -> list[str]:
    ways = ["training while harvesting, which writes no store"]
    for dtype in _SMALLER:
        smaller = store_bytes(config, facts, dtype)
        if smaller < disk:
            ways.append(f"a store of {dtype} ({format_bytes(smaller)})")
    fitting = bisect_right(
        range(1, config.tokens + 1),
        free,
        key=lambda tokens: store_bytes(
            msgspec.structs.replace(config, tokens=tokens), facts, config.dtype
        ),
    )
    return [*ways, f"{fitting:,} tokens"] if fitting else ways


# ---------------------------------------------------------------- training
def training_load(config: SizeConfig, facts: ModelFacts, features: int, place: Place) -> Load:
    """Return what decides how much the training takes: as its own check has it."""
    precision = config.precision
    if place.card and precision == "auto":
        precision = "bfloat16"
    device = torch.device("cuda") if place.gpu else _CPU
    train = train_config(config, features, precision)
    part = (Part(0, _SITE, facts.width),)
    load = load_of(train, TargetPlan("input", part, part), device)
    if not config.stream:
        return load
    pool = pool_rows(train, int(load.row_bytes), RowBudget().pool)
    return replace(load, pool_bytes=round(2 * pool * load.row_bytes))


def train_config(config: SizeConfig, features: int, precision: str) -> TrainConfig:
    """Return the training that is sized."""
    return TrainConfig(
        project="", name="", architecture=config.architecture, features=features, k=config.k,
        batch=config.batch, tokens=config.tokens,
        precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip


def training_stage(config: SizeConfig, facts: ModelFacts, features: int, place: Place) -> StageSize:
    """Return what the training takes; while harvesting, with the time of the harvest."""
    load = training_load(config, facts, features, place)
    free = Free(
        memory=_ENOUGH if place.card or place.memory is None else place.memory,
        disk=_ENOUGH if place.disk is None else place.disk,
        gpu=place.room if place.memory_words == "GPU memory" else None,
    )
    rooms = {room.place: room for room in needs.rooms(load, free)}
    here = rooms["GPU memory" if free.gpu is not None else "memory"]
    changes = []
    if not all(room.fits for room in rooms.values()):
        changes = needs.would_fit(load, free)
        changes += _other_cards(here.needed_bytes, place)
    times, words = training_times(config, load, facts, place)
    beside = rooms.get("memory") if free.gpu is not None else None
    also = f" Beside it {format_bytes(beside.needed_bytes)} of ordinary memory." if beside else ""
    return StageSize(
        stage="training",
        memory=Told(value=here.needed_bytes, why=_sum(here.needs) + also, sure="estimated"),
        disk=Told(value=rooms["disk"].needed_bytes, why=_sum(rooms["disk"].needs), sure="counted"),
        seconds=Told(value=sum(times.values()), why=words, sure=place.sure),
        cards=_cards(place, here.needed_bytes, splits=False),
        needs=here.needs,
        disk_needs=rooms["disk"].needs,
        times=_longest(times),
        free_memory=place.room,
        free_disk=place.disk,
        problem=needs.problem(rooms.values()),
        changes=changes,
    )


def training_times(
    config: SizeConfig, load: Load, facts: ModelFacts, place: Place
) -> tuple[dict[str, float], str]:
    """Return the seconds of a run by what is done, and what they come from."""
    train, rates = train_config(config, load.features, "auto"), place.rates
    steps = math.ceil(config.tokens / config.batch)
    step = step_seconds(load, rates)
    row = store_bytes(config, facts, config.dtype) / config.tokens
    feed = 0.0 if config.stream else config.batch * row / rates.disk_read
    taking = steps * max(step, feed)
    figures = Figures(
        fits=min(FITS, steps), rows=min(load.metric_rows, config.tokens),
        snapshots=min(SNAPSHOTS, steps),
        cosine_operations=2.0 * min(load.features**2 * load.width, PRODUCTS_IN_A_RUN),
    )  # fmt: skip
    harvest = config.tokens * forward_seconds(facts, place) if config.stream else 0.0
    state = 3 * load.weights * _FLOAT / rates.disk_write
    times = {
        "steps": taking,
        "harvest": harvest,
        "figures": figure_seconds(load, figures, rates) + SHARE * taking,
        "checkpoints": (1 + (taking + harvest) / train.checkpoint_seconds) * state,
    }
    limit = "the disk, slower than the step, gives it rows" if feed > step else "it takes"
    words = f"{steps:,} steps; for each {limit} {_short(max(step, feed))}."
    return times, f"{words} Features that die cost more while they are revived."


def _short(seconds: float) -> str:
    return f"{1e3 * seconds:,.3g} ms" if seconds < 1 else f"{seconds:,.3g} s"


def _other_cards(needed: int, place: Place) -> list[str]:
    if place.memory_words == "memory":
        return []
    larger = [c for c in known_cards() if c.memory >= needed]
    if larger:
        return [f"a card with more memory, such as {larger[0].name}"]
    # Nothing here trains over several cards.
    return []


# ---------------------------------------------------------------- index
def index_stage(
    config: SizeConfig, facts: ModelFacts, features: int, rows: int, place: Place
) -> StageSize:
    """Return what the index of the finished dictionary takes, with its usual settings."""
    asked = IndexConfig(project="", dictionary="", name="")
    made = index_memory(
        asked, features, facts.width, rows, config.k, facts.weight_bytes,
        facts.neurons // max(facts.layers, 1),
    )  # fmt: skip
    written = index_disk(asked, features, rows, config.k)
    parts = index_parts(index_work(config, facts, features, rows, place), place.rates)
    memory, disk = needs.total(made), needs.total(written)
    changes = []
    if not _fits(place.disk, disk):
        without = index_disk(
            msgspec.structs.replace(asked, keep_firings=False), features, rows, config.k
        )
        changes.append(f"no kept activations ({format_bytes(needs.total(without))})")
        changes.append("fewer rows of the index")
    if not _fits(place.room, memory):
        changes += ["fewer features", *_other_cards(memory, place)]
    return StageSize(
        stage="index",
        memory=Told(
            value=memory,
            why=_sum(made) + (" Part of it is in ordinary memory." if place.card else ""),
            sure="estimated",
        ),
        disk=Told(value=disk, why=_sum(written), sure="estimated"),
        seconds=Told(
            value=sum(parts.values()),
            why=f"{rows:,} rows are read and {rows * config.k:,} activations counted.",
            sure=place.sure,
        ),
        cards=_cards(place, memory, splits=False),
        needs=made,
        disk_needs=written,
        times=_longest(parts),
        free_memory=place.room,
        free_disk=place.disk,
        problem=_lacking(place, memory, disk),
        changes=changes,
    )


def index_work(
    config: SizeConfig, facts: ModelFacts, features: int, rows: int, place: Place
) -> IndexWork:
    """Return what the index is made of."""
    return IndexWork(
        rows=rows, features=features, width=facts.width, k=config.k, vocabulary=facts.vocabulary,
        neurons=facts.neurons,
        neuron_rows=IndexConfig(project="", dictionary="", name="").neuron_rows,
        forward=forward_seconds(facts, place), exact_features=EXACT_FEATURES,
    )  # fmt: skip


# ---------------------------------------------------------------- of all three
def _fits(free: int | None, needed: int) -> bool:
    return free is None or needed <= free


def _lacking(place: Place, memory: int, disk: int) -> str:
    """Return what does not fit; empty where all does."""
    return " ".join(
        f"It needs {format_bytes(needed)} of {what}, but {format_bytes(free or 0)} are free."
        for needed, free, what in (
            (memory, place.room, place.memory_words),
            (disk, place.disk, "disk"),
        )
        if not _fits(free, needed)
    )


def _longest(seconds: dict[str, float]) -> list[Spent]:
    parts = [Spent(what=what, seconds=value) for what, value in seconds.items() if value]
    return sorted(parts, key=lambda part: -part.seconds)


def _sum(parts: list[Need]) -> str:
    """Return the largest parts of a sum in words."""
    first = sorted(parts, key=lambda need: -need.bytes)[:4]
    words = ", ".join(f"{need.what} {format_bytes(need.bytes)}" for need in first)
    rest = needs.total(parts) - needs.total(first)
    more = f", the rest {format_bytes(rest)}" if rest else ""
    return f"{words[:1].upper()}{words[1:]}{more}."


def _cards(place: Place, needed: int, *, splits: bool) -> Told:
    """Return how many cards it takes. `splits`: whether this program puts it on several."""
    if place.card is None:
        where = "on its GPU" if place.gpu else "on its processor"
        return Told(value=1 if place.gpu else 0, why=f"It runs {where}.", sure="counted")
    count = math.ceil(needed / place.card.memory)
    each = format_bytes(place.card.memory)
    if count <= 1:
        return Told(value=1, why=f"It fits on one card of {each}.", sure="counted")
    if splits:
        why = f"The model’s layers are put on {count} cards of {each} (device “split”)."
        return Told(value=count, why=why, sure="counted")
    why = (
        f"Its memory is that of {count} cards of {each}. This version does not split a dictionary "
        "over cards; the time is that of one."
    )
    return Told(value=count, why=why, sure="counted")
