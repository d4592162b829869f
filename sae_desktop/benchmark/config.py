"""What a benchmark is asked for, and what it finds. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import AtLeast0, Count, CountOrNone, Seed, Share, ShareAbove0

WHAT, PROBES, LETTERS, SEEDS = "What is measured", "Probes", "First letters", "Seeds"
TRAINED = "What is trained"
Kind = Literal["dictionary", "random", "pca"]
World = Literal["full", "small"]
Over = Literal["texts", "words", "seeds", ""]

DEFAULT_RETURN = 0.7


class BenchmarkConfig(msgspec.Struct, frozen=True, kw_only=True, tag="benchmark"):
    """Measure dictionaries on the same rows and texts, with controls beside them.

    The dictionaries read the same sites of the same model. Those that were trained alike but for
    their seeds are one recipe.
    """

    project: str
    name: str
    dictionaries: Annotated[
        tuple[str, ...], said("Dictionaries", "The dictionaries to measure.", WHAT)
    ] = ()
    siblings: Annotated[
        bool,
        said(
            "Other seeds too",
            "Also measure the project’s dictionaries that were trained alike but for their seeds.",
            WHAT,
        ),
    ] = False
    activations: Annotated[
        str,
        said(
            "Activation store",
            "Where the rows come from; if empty, the store the first dictionary was trained on.",
            WHAT,
        ),
    ] = ""
    rows: Annotated[
        Count,
        said("Rows", "The most held-out rows to measure the fit on.", WHAT),
    ] = 16_384
    loss_windows: Annotated[
        CountOrNone,
        said("Windows of text", "To measure the loss recovered on; 0: it is not measured.", WHAT),
    ] = 32
    control_seeds: Annotated[
        Count,
        said("Random dictionaries", "How many stand beside each recipe, with other seeds.", WHAT),
    ] = 2
    texts: Annotated[
        CountOrNone,
        said(
            "Texts a side",
            "The most texts of each label in a dataset for probes; 0: there are no probes.",
            PROBES,
        ),
    ] = 200
    text_tokens: Annotated[
        Count, said("Tokens of a text", "How many tokens of each text are read.", PROBES)
    ] = 64
    builtin_tasks: Annotated[
        bool,
        said("Built-in texts", "Make datasets of the texts that come with the program.", PROBES),
    ] = True
    labelled: Annotated[
        tuple[str, ...],
        said(
            "Labelled texts",
            "Files of texts with a label each: CSV, JSON lines or Parquet with the columns text "
            "and label.",
            PROBES,
        ),
    ] = ()
    label_column: Annotated[
        str, said("Column of labels", "The column that holds the labels.", PROBES)
    ] = "label"
    words: Annotated[
        CountOrNone,
        said(
            "Words",
            "The most words of the model’s own vocabulary whose first letter is looked for, to "
            "measure absorption; 0: it is not measured.",
            LETTERS,
        ),
    ] = 2000
    returns_at: Annotated[
        ShareAbove0,
        said(
            "Cosine of a return",
            "A feature returns in another seed where that has a direction of at least this cosine.",
            SEEDS,
        ),
    ] = DEFAULT_RETURN
    seed: Seed = 0
    device: str = "auto"


class SyntheticConfig(msgspec.Struct, frozen=True, kw_only=True, tag="benchmark_synthetic"):
    """Train on activations made from features that are known, and see which are found.

    The architectures learn from the same samples in one pass, once for each seed. What is finished
    of a benchmark of that name is kept and taken up.
    """

    project: str
    name: str
    architectures: Annotated[
        tuple[str, ...],
        said("Architectures", "Those to train, side by side on the same samples.", TRAINED),
    ] = ("matryoshka", "batchtopk")
    world: Annotated[
        World,
        said(
            "World",
            "Full: SynthSAEBench-16k, 16,384 features in 768 dimensions. Small: 2,048 in 128, in "
            "minutes.",
            TRAINED,
        ),
    ] = "full"
    samples: Annotated[
        Count,
        said(
            "Samples",
            "How many each dictionary learns from: 2 or 20 million are usual on a small machine; "
            "published figures are of 200 million.",
            TRAINED,
        ),
    ] = 2_000_000
    seeds: Annotated[
        Count, said("Seeds", "How many dictionaries of each architecture are trained.", TRAINED)
    ] = 3
    features: Annotated[
        CountOrNone,
        said("Features", "Of the dictionaries; 0: a quarter of the true ones.", TRAINED),
    ] = 0
    k: Annotated[
        CountOrNone,
        said(
            "k", "Features active on each sample; 0: 25 in the full world, 6 in the small.", TRAINED
        ),
    ] = 0
    k_start: Annotated[
        CountOrNone,
        said(
            "k at the start",
            "Of TopK, BatchTopK and Matryoshka: a larger k, which falls to k; 0: what is usual for "
            "the architecture.",
            TRAINED,
        ),
    ] = 0
    lista_step: Annotated[
        Share,
        said(
            "LISTA step",
            "Of BatchTopK and Matryoshka: how much of what a first reading leaves over is read "
            "again; 0.3 is usual, 0 reads once.",
            TRAINED,
        ),
    ] = 0.0
    leave_one_out: Annotated[
        AtLeast0,
        said(
            "Leave one out",
            "Of JumpReLU, Gated, BatchTopK and Matryoshka: a feature stays active only if it adds "
            "more than its "
            "threshold times this beside all others; 0: all stay.",
            TRAINED,
        ),
    ] = 0.0
    lr: Annotated[
        AtLeast0,
        said("Learning rate", "0 chooses one that suits each architecture and size.", TRAINED),
    ] = 0.0
    batch: Annotated[Count, said("Batch", "Samples per step.", TRAINED)] = 1024
    init: Annotated[
        Literal["auto", "random", "data"],
        said("First directions", "Random, or rows of the data.", TRAINED),
    ] = "auto"
    measured: Annotated[
        Count, said("Samples measured", "Drawn with another seed, for the figures.", TRAINED)
    ] = 50_000
    seed: Seed = 0
    """Of the first dictionary of each architecture; the others' follow it."""
    device: str = "cpu"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its 95% interval; no interval: there is nothing to take one over."""

    value: float
    low: float | None = None
    high: float | None = None
    over: Over = ""
    """What the interval is of: other texts, other words, or other seeds."""


class ProbeTask(msgspec.Struct, frozen=True, kw_only=True):
    """One label against the others, and what is reached without a dictionary."""

    name: str
    title: str
    """Such as “code or prose”."""
    source: str
    """“builtin”, or the file."""
    learnt: int
    """Texts that probes learn from."""
    scored: int
    """Texts they are scored on."""
    majority: float
    """What always naming the more frequent label scores."""
    raw: Figure
    """Accuracy of a logistic regression on the raw activations."""
    raw_by_k: dict[str, Figure]
    """The same on the best k coordinates of the raw activations."""


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Of the words whose first letter is looked for, and of the probe on raw activations."""

    words: int
    scored: int
    """Words the probe has not seen."""
    letters: int
    """Letters with enough words."""
    usable: int
    """Letters that the probe on raw activations tells well enough to speak of absorption."""
    probe_f1: float
    """Of that probe, mean over the letters."""
    chance_f1: float
    """The same of a probe that learnt from shuffled letters."""


class Absorption(msgspec.Struct, frozen=True, kw_only=True):
    """How far features of first letters are silent where another feature speaks for them."""

    fraction: Figure
    """Mean share of the letter’s projection that absorbing features carry."""
    full: Figure
    """Share of words on which the letter’s features are silent and one other speaks for them."""
    splits: float
    """Features that one letter takes, mean."""
    words: int


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One dictionary, or one control."""

    name: str
    kind: Kind
    recipe: str
    """The recipe it is of; of a control the one it stands beside."""
    architecture: str
    seed: int | None
    features: int
    l0: float
    fvu: float
    dead: float
    loss_recovered: float | None = None
    probing: dict[str, Figure] = {}
    """By k: accuracy, mean over the datasets."""
    tasks: dict[str, dict[str, Figure]] = {}
    """By dataset and k."""
    absorption: Absorption | None = None
    truth: dict[str, float] = {}
    """Of a synthetic world: f1, precision, recall, mcc, uniqueness, true_l0."""
    trained_here: bool = True
    """Whether it was trained on the store whose rows are read: only then are they held out."""


class Stability(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a recipe’s features under other seeds."""

    pw_mcc: Figure | None
    """Mean |cosine| of features paired one to one, mean over pairs of seeds; None: too many."""
    returning: float
    """Share of features that return in all other seeds."""
    never: float
    """Share of features that return in none."""
    random_pw_mcc: float | None
    """The same of as many random directions."""
    random_returning: float


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Dictionaries that differ in nothing but their seeds, and their controls."""

    name: str
    members: tuple[str, ...]
    figures: dict[str, Figure]
    """By column: the mean over the seeds."""
    stability: Stability | None = None


class Synthetic(msgspec.Struct, frozen=True, kw_only=True):
    """The world that dictionaries were trained on, where it was made."""

    world: World
    true_features: int
    width: int
    features: int
    k: int
    samples: int
    seeds: int
    lista_step: float = 0.0
    leave_one_out: float = 0.0


class BenchmarkResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    model: str
    site: str
    store: str
    rows: int
    recipes: tuple[Recipe, ...]
    subjects: tuple[Subject, ...]
    """Each recipe’s dictionaries and after them its controls."""
    tasks: tuple[ProbeTask, ...] = ()
    letters: Letters | None = None
    synthetic: Synthetic | None = None
    notes: tuple[str, ...] = ()
    """What was not measured, and why."""
    seconds: float = 0.0
