"""What is asked of monitors, and what is answered. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.described import said
from sae_desktop.limits import ContextSize, Count, CountOrNone, ShareWithin
from sae_desktop.steering.gate_config import Pool

Unit = Literal["token", "message", "conversation"]
Method = Literal["bound", "conformal"]
Made = Literal["features", "classifier", "difference", "probe"]


class CalibrateMonitorConfig(CorpusSettings, frozen=True, kw_only=True, tag="calibrate_monitor"):
    """Make a monitor, and find the threshold that keeps a promised rate on ordinary text."""

    project: str
    name: str
    index: str = ""
    """Whose dictionary, model and site are read."""
    model: str = ""
    """Without an index: the model, read at `site`."""
    site: str = ""
    """Where a direction is read; empty: where the dictionary of the index reads."""
    made: Annotated[
        Made,
        said(
            "Made of",
            "features: those given; classifier: a sparse classifier on features; difference: the "
            "difference of means of raw activations; probe: a logistic regression on them. All "
            "but the first are learnt from the texts on and off.",
            "Monitor",
        ),
    ] = "features"
    features: list[int] = []
    weights: list[float] = []
    """One a feature; none: 1 each."""
    like: str = ""
    """Read what this monitor of the project reads, and calibrate it again."""
    set: str = ""
    """A concept set: its texts to learn from, and those held out to measure power on."""
    on: list[str] = []
    """Texts of the concept, to learn from."""
    off: list[str] = []
    """Texts that lack it."""
    positives: list[str] = []
    """Texts of the concept that power is measured on; none: a third of `on`, then not learnt."""
    negatives: list[str] = []
    """Near misses that should not fire; none: a third of `off`."""
    unit: Annotated[
        Unit,
        said(
            "Promise per",
            "What at most the promised share of fires: tokens, messages, or conversations. A text "
            "that is not a chat is one message and one conversation.",
            "Promise",
        ),
    ] = "message"
    pool: Annotated[
        Literal["auto", "max", "mean"],
        said(
            "Pooling",
            "How the tokens of a message or a conversation become one score: max: their maximum; "
            "mean: their mean; auto: the maximum of features, the mean of directions, and of a "
            "classifier what tells the texts it is learnt from better, each time on texts left "
            "out. With a promise per token each token has its own.",
            "Promise",
        ),
    ] = "auto"
    role: Annotated[
        str,
        said(
            "Role",
            "Only messages of this role of a chat are watched, such as assistant; if empty, all.",
            "Promise",
        ),
    ] = ""
    rate: Annotated[
        ShareWithin,
        said("Rate", "The promised rate of false positives on ordinary text.", "Promise"),
    ] = 0.01
    confidence: Annotated[
        ShareWithin,
        said(
            "Confidence",
            "How sure the promise is: the share of calibration texts for which it holds. Of no "
            "meaning with the conformal method.",
            "Promise",
        ),
    ] = 0.95
    method: Annotated[
        Method,
        said(
            "Method",
            "bound: the rate is below the promise with the confidence, whatever the calibration "
            "text (Clopper–Pearson, for documents of several units Hoeffding–Bentkus). conformal: "
            "it is so on average over calibration texts, which needs less text.",
            "Promise",
        ),
    ] = "bound"
    documents: Annotated[
        CountOrNone,
        said("Documents", "Documents or chats of calibration read at most; 0: all.", "Promise"),
    ] = 2000
    context_size: Annotated[
        ContextSize,
        said("Tokens per window", "Most tokens the model reads at once.", "Text"),
    ] = 512
    replace: bool = False
    device: str = "auto"


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold keeps, and the text that backs it."""

    unit: Unit
    role: str = ""
    rate: float
    confidence: float
    method: Method
    blocks: int
    """Documents or chats: what was drawn by itself."""
    units: int
    firing: float
    """Sum over blocks of the share of their units that fire."""
    bound: float
    """Upper bound of the rate, with the confidence or on average."""
    blocks_firing: int
    """Blocks of which any unit fires."""


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """How many texts of the concept are caught by one way of watching, at the same promise."""

    what: str
    threshold: float
    caught: int
    of: int
    wilson: tuple[float, float]
    """Interval of 95% of the share caught (Wilson)."""
    exact: tuple[float, float]
    """The same by Clopper and Pearson, which never promises too much."""
    near_misses: int
    """Near misses that fire, too."""
    near_of: int
    auroc: float | None = None
    """Of the texts' scores, positives above near misses; None without either."""


class CalibrateMonitorResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    threshold: float
    pool: Pool
    promise: Promise
    power: list[Power]
    """The monitor's own first, then the cheap ways on the same texts."""
    best: str = ""
    """Which caught most; empty where that was not measured."""
    notes: list[str] = []


class RunMonitorsConfig(CorpusSettings, frozen=True, kw_only=True, tag="run_monitors"):
    """Run monitors over a corpus or a log of chats, and keep where they fire."""

    project: str
    monitors: list[str]
    name: str = ""
    """Of the file of hits; empty: the first monitor's."""
    documents: Annotated[
        CountOrNone, said("Documents", "Documents or chats read at most; 0: all.", "Text")
    ] = 0
    hits: Annotated[
        Count, said("Hits", "Hits kept of each monitor, the highest scores first.", "Text")
    ] = 200
    device: str = "auto"


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One unit on which a monitor fired, and the token that did it."""

    monitor: str
    score: float
    threshold: float
    document: int
    """Its number in the corpus, from 0."""
    title: str = ""
    source: str = ""
    role: str = ""
    message: int = 0
    """Its number in the conversation, from 0."""
    token: int
    """Its number in the document, from 0."""
    before: str
    text: str
    after: str
    tokens: list[str] = []
    """The same tokens one by one; `scores` are their own."""
    scores: list[float] = []
    at: str = ""
    """When it was, of what was served (ISO 8601)."""


class MonitorRun(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one monitor."""

    monitor: str
    unit: Unit
    units: int
    blocks: int
    fired: int
    """Units."""
    blocks_fired: int
    rate: float
    """Mean over blocks of the share of their units that fire: what was promised to be small."""
    rate_interval: tuple[float, float] | None
    """Of 95%, over blocks, by bootstrap; of single units by Clopper and Pearson. None: no text."""
    promised: float
    drift_p: float | None
    """Of the scores' distribution beside calibration's, corrected for the number of monitors."""
    drift: str = ""
    """A warning in words; empty: nothing speaks for a drift."""
    unparted: int = 0
    """Chats that were read as one message each: the model has no chat template that parts them."""


def unparted_text(chats: int) -> str:
    """Return what is said of chats that were read as one message each; nothing of none."""
    if not chats:
        return ""
    were = "1 chat was" if chats == 1 else f"{chats:,} chats were each"
    return f"{were} read as one message: the model has no chat template that tells messages apart."


class RunMonitorsResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    runs: list[MonitorRun]
    hits: list[Hit]
    """The strongest few of what was kept."""
    kept: int
    path: str


class ExportMonitorConfig(msgspec.Struct, frozen=True, kw_only=True, tag="export_monitor"):
    """Write a folder that runs a monitor elsewhere with only torch and transformers."""

    project: str
    monitor: str
    path: str
    device: str = "auto"


class ExportMonitorResult(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    files: list[str]
