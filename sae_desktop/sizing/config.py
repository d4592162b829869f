"""What a sizing is asked for, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.activations.config import StoreDtype
from sae_desktop.described import said
from sae_desktop.file_kinds import takes
from sae_desktop.limits import Count, CountOrNone
from sae_desktop.training.config import USUAL_EXPANSION, Precision
from sae_desktop.training.planning.preflight_config import Need

Stage = Literal["harvest", "training", "index"]
Sure = Literal["counted", "estimated", "assumed"]
"""counted: bytes that are written; estimated: sums that were held against measured jobs, and times
from rates measured on this machine; assumed: times from published or usual rates."""
FACTOR = {"counted": 1.3, "estimated": 2.5, "assumed": 4.0}
"""By which factor a figure may be off: of the first two the largest by which measured jobs were
(`tests/benchmarks/sizing.py`), on a machine that did other things, too; of the last a guess."""
MODEL, DICTIONARY, MACHINE = "Model and text", "Dictionary", "Machine"
"""Headings of the settings of a sizing."""


class SizeConfig(msgspec.Struct, frozen=True, kw_only=True, tag="size"):
    """Tell what harvest, training and index take of memory, disk, time and cards."""

    model: Annotated[
        str,
        said("Model", "builtin, smollm2, a folder, a .gguf file, or a name on the hub.", MODEL),
        takes("model"),
    ] = "builtin"
    site: Annotated[
        str, said("Site", "Where the model is read; if empty, after its middle layer.", MODEL)
    ] = ""
    tokens: Annotated[
        Count, said("Tokens", "Rows harvested and trained on, one per token.", MODEL)
    ] = 500_000
    width: Annotated[
        CountOrNone,
        said(
            "Width",
            "Numbers per token at the site, of a model that is not on this machine; 0: the "
            "model’s own.",
            MODEL,
        ),
    ] = 0
    parameters: Annotated[
        CountOrNone,
        said(
            "Parameters",
            "Of a model that is not on this machine, such as 8,000,000,000; 0: the model’s own.",
            MODEL,
        ),
    ] = 0
    features: Annotated[
        CountOrNone,
        said(
            "Features",
            f"How many directions to learn; 0: {USUAL_EXPANSION} × the width.",
            DICTIONARY,
        ),
    ] = 0
    architecture: Annotated[
        str, said("Architecture", "How the active features are chosen.", DICTIONARY)
    ] = "matryoshka"
    k: Annotated[Count, said("k", "Features active on a token.", DICTIONARY)] = 32
    batch: Annotated[Count, said("Batch", "Rows of a training step.", DICTIONARY)] = 2048
    precision: Annotated[
        Precision,
        said(
            "Precision",
            "Of the training’s dense products; auto: bfloat16 where there is hardware for it.",
            DICTIONARY,
        ),
    ] = "auto"
    dtype: Annotated[
        StoreDtype,
        said("Stored as", "Number format of the store’s rows.", MODEL),
    ] = "float16"
    stream: Annotated[
        bool,
        said(
            "Train while harvesting",
            "No store is written: the rows go from the model to the training.",
            MODEL,
        ),
    ] = False
    rows: Annotated[
        CountOrNone, said("Rows of the index", "Rows that it reads; 0: all tokens.", DICTIONARY)
    ] = 0
    card: Annotated[
        str,
        said(
            "Machine",
            "A card such as “RTX 4090” or “H100”; if empty, this machine.",
            MACHINE,
        ),
    ] = ""
    folder: str = ""
    """Whose disk is looked at; empty: that of the working folder."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: bytes, seconds or a number of cards."""

    value: float
    why: str
    """Where it comes from, in a sentence or two."""
    sure: Sure


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a part of a job takes."""

    what: str
    """Such as “steps”."""
    seconds: float


class StageSize(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the three jobs takes."""

    stage: Stage
    memory: Told
    disk: Told
    seconds: Told
    cards: Told
    needs: list[Need]
    """What the memory is made of."""
    disk_needs: list[Need]
    """What the disk is filled with."""
    times: list[Spent]
    """What the time is made of, the longest first."""
    free_memory: int | None = None
    """Bytes where the memory is taken: of this machine those free now, of a card all of its."""
    free_disk: int | None = None
    """Bytes free where projects are kept on this machine; null for another one."""
    problem: str = ""
    """What is lacking; empty: it fits, as far as that is known."""
    changes: list[str] = []
    """What to change so that it fits."""


class SizeResult(msgspec.Struct, frozen=True, kw_only=True):
    machine: str
    """What the figures are for, in words."""
    model: str
    site: str
    """Empty for a model that is told by its numbers alone."""
    width: int
    features: int
    tokens: int
    rows: int
    """Of the index."""
    stages: list[StageSize]
    basis: str
    """What the times rest on."""
    measured: str = ""
    """When and how this machine was measured; empty: it was not, and times are assumed."""
    notes: list[str] = []

    @property
    def fits(self) -> bool:
        return not any(stage.problem for stage in self.stages)


class MeasureMachineConfig(msgspec.Struct, frozen=True, kw_only=True, tag="measure_machine"):
    """Measure how fast this machine multiplies, copies, sorts, writes and reads; some seconds."""

    device: str = "auto"
    seconds: float = 1.0
    """For which each thing is repeated; the best time counts: what disturbs makes it longer."""
    file_bytes: int = 2**28
    """Of the file that is written and read."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a machine is; of this one as measured, of a card as published or assumed."""

    name: str
    """Such as “AMD EPYC, 2 processors” or “NVIDIA H100 SXM”."""
    float32: float
    """Operations a second (a multiplication and an addition are two) of dense products."""
    low: float
    """The same of bfloat16; where it is slower than float32, that."""
    bandwidth: float
    """Bytes a second that are read and written in memory, added up."""
    disk_write: float
    """Bytes a second."""
    disk_read: float
    entries: float
    """Numbers that one processor sorts in a second: how fast it is at what is not arithmetic."""
    stream: float
    """Seconds that a layer of a model takes for each token and number of its stream, beside its
    products: norms, attention’s softmax, the MLP’s nonlinearity."""
    step: float
    """Seconds of a small training step over those that the formula gives it."""
    device: str = "cpu"
    date: str = ""
    """When this was measured: 2026-11-30 21:15."""
    busy: float = 0.0
    """Share of the processors that other programs had meanwhile."""
    version: int = 0
    """Of the measuring program: older figures are not used."""
