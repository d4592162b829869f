"""What is said of a benchmark, in the window and by the command line. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sae_desktop.benchmark.config import (
    BenchmarkResult,
    Figure,
    Over,
    Recipe,
    Subject,
    SyntheticConfig,
)
from sae_desktop.benchmark.pace import synthetic_seconds
from sae_desktop.benchmark.tables import figures_of, mean_figures
from sae_desktop.words.amounts import duration_words, exact_count, figure_text, share_text
from sae_desktop.words.published_figures import PUBLISHED, SAMPLES, differences

RowKind = Literal["recipe", "seed", "random", "pca"]
NOTHING = "–"


@dataclass(frozen=True)
class BenchmarkColumn:
    """A figure of every row."""

    key: str
    title: str
    """Its term in the glossary, with what is special about it in brackets."""
    text: Callable[[float], str]
    better: Literal["lower", "higher", ""] = ""


def _share(value: float) -> str:
    return share_text(value)


def _accuracy(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


COLUMNS = (
    BenchmarkColumn("l0", "L0", lambda value: figure_text(value, 1)),
    BenchmarkColumn("fvu", "FVU", figure_text, "lower"),
    BenchmarkColumn("dead", "Dead", _share, "lower"),
    BenchmarkColumn("f1", "F1 of true features", figure_text, "higher"),
    BenchmarkColumn("mcc", "MCC", figure_text, "higher"),
    BenchmarkColumn("uniqueness", "Uniqueness", _share, "higher"),
    BenchmarkColumn("loss_recovered", "Loss recovered", _share, "higher"),
    *(
        BenchmarkColumn(f"probe_{k}", f"Sparse probe (k = {k})", _accuracy, "higher")
        for k in (1, 2, 5, 16)
    ),
    BenchmarkColumn("absorbed", "Absorbed", _share, "lower"),
    BenchmarkColumn("absorbed_fully", "Fully absorbed", _share, "lower"),
    BenchmarkColumn("pw_mcc", "PW-MCC", figure_text, "higher"),
    BenchmarkColumn("returning", "Return in all seeds", _share, "higher"),
    BenchmarkColumn("never", "Return in no seed", _share, "lower"),
)
_OF_OVER: dict[Over, str] = {
    "texts": "for other texts", "words": "for other words", "seeds": "for other seeds",
}  # fmt: skip
KIND_TEXT: dict[RowKind, str] = {
    "recipe": "",
    "seed": "one seed of the recipe above",
    "random": "control: random directions of the same number, made to fire as often",
    "pca": "control: principal components, which take no training, made to fire as often",
}


@dataclass(frozen=True)
class BenchmarkRow:
    """A recipe, one of its seeds, or a control beside it."""

    kind: RowKind
    title: str
    recipe: str
    figures: dict[str, Figure] = field(default_factory=dict)


def benchmark_rows(result: BenchmarkResult, *, seeds: bool = True) -> list[BenchmarkRow]:
    """Return each recipe, with `seeds` its dictionaries one by one, and then its controls."""
    rows = []
    for recipe in result.recipes:
        mine = [subject for subject in result.subjects if subject.recipe == recipe.name]
        rows.append(BenchmarkRow("recipe", _recipe_title(recipe), recipe.name, _told(recipe)))
        own = [subject for subject in mine if subject.kind == "dictionary"]
        if seeds and len(own) > 1:
            rows += [BenchmarkRow("seed", s.name, recipe.name, figures_of(s)) for s in own]
        rows += _controls(recipe, mine)
    return rows


def _recipe_title(recipe: Recipe) -> str:
    count = len(recipe.members)
    return recipe.name if count == 1 else f"{recipe.name} · {count} seeds"


def _told(recipe: Recipe) -> dict[str, Figure]:
    found = dict(recipe.figures)
    if (stable := recipe.stability) is not None:
        if stable.pw_mcc is not None:
            found["pw_mcc"] = stable.pw_mcc
        found["returning"] = Figure(value=stable.returning)
        found["never"] = Figure(value=stable.never)
    return found


def _controls(recipe: Recipe, subjects: Sequence[Subject]) -> list[BenchmarkRow]:
    rows = []
    random = [subject for subject in subjects if subject.kind == "random"]
    if random:
        found = mean_figures(random)
        if (stable := recipe.stability) is not None:
            if stable.random_pw_mcc is not None:
                found["pw_mcc"] = Figure(value=stable.random_pw_mcc)
            found["returning"] = Figure(value=stable.random_returning)
            found["never"] = Figure(value=1 - stable.random_returning)
        rows.append(BenchmarkRow("random", "random directions", recipe.name, found))
    if of_pca := [subject for subject in subjects if subject.kind == "pca"]:
        figures = mean_figures(of_pca)
        rows.append(BenchmarkRow("pca", "principal components", recipe.name, figures))
    return rows


def shown_columns(rows: Sequence[BenchmarkRow]) -> list[BenchmarkColumn]:
    """Return the columns of which some row has a figure."""
    return [column for column in COLUMNS if any(column.key in row.figures for row in rows)]


def cell_text(column: BenchmarkColumn, row: BenchmarkRow) -> str:
    """Return a figure with its interval, such as “.931 (.912–.944)”; “–” where there is none."""
    figure = row.figures.get(column.key)
    if figure is None:
        return NOTHING
    text = column.text(figure.value)
    if figure.low is None or figure.high is None:
        return text
    return f"{text} ({column.text(figure.low)} to {column.text(figure.high)})"


def figure_sentence(column: BenchmarkColumn, figure: Figure, row: BenchmarkRow) -> str:
    """Return what a cell says: the figure, of what its interval is, whether it is a control."""
    text = f"{column.title}: {column.text(figure.value)}"
    if figure.low is not None and figure.high is not None:
        ends = f"{column.text(figure.low)} to {column.text(figure.high)}"
        text += f", 95% interval {ends} {_OF_OVER.get(figure.over, '')}".rstrip()
    kind = KIND_TEXT[row.kind]
    return f"{text}.{f' {kind[0].upper()}{kind[1:]}.' if kind else ''}"


def intervals_sentence(result: BenchmarkResult) -> str:
    """Return over what the intervals are, for below the table."""
    several = any(len(recipe.members) > 1 for recipe in result.recipes)
    if result.synthetic is not None:
        seeds = "for other seeds (Student’s t; few seeds make them wide)"
        return f"Intervals are 95%, {seeds}." if several else "One seed alone has no interval."
    told = "Intervals are 95%: of one dictionary for other texts (Wilson)"
    if several:
        told += ", of a recipe for other seeds (Student’s t; few seeds make them wide)"
    return f"{told}."


def headline(result: BenchmarkResult) -> str:
    """Return in a sentence what was measured on what."""
    if (made := result.synthetic) is not None:
        return (
            f"{exact_count(len(result.recipes))} architecture"
            f"{'' if len(result.recipes) == 1 else 's'}, {exact_count(made.seeds)} "
            f"seed{'' if made.seeds == 1 else 's'} each, trained on {exact_count(made.samples)} "
            f"samples made from {exact_count(made.true_features)} known features in "
            f"{exact_count(made.width)} dimensions: {exact_count(made.features)} features, "
            f"k = {made.k}."
        )
    dictionaries = sum(subject.kind == "dictionary" for subject in result.subjects)
    what = f"{exact_count(dictionaries)} dictionar{'y' if dictionaries == 1 else 'ies'}"
    rows = exact_count(result.rows)
    told = f"{what} at {result.site} of {result.model or 'imported activations'}, on {rows} rows"
    if result.tasks:
        told += f" and {exact_count(len(result.tasks))} datasets"
    return f"{told}."


def raw_sentence(result: BenchmarkResult) -> str:
    """Return how good a probe is that needs no dictionary; empty where there were no probes."""
    if not result.tasks:
        return ""
    raw = sum(task.raw.value for task in result.tasks) / len(result.tasks)
    majority = sum(task.majority for task in result.tasks) / len(result.tasks)
    by_k = {
        k: sum(task.raw_by_k[k].value for task in result.tasks) / len(result.tasks)
        for k in result.tasks[0].raw_by_k
    }
    few = ", ".join(f"{_accuracy(value)} (k = {k})" for k, value in by_k.items())
    return (
        f"Without a dictionary: a probe on all raw activations scores {_accuracy(raw)}, on the "
        f"best k of their coordinates {few}; always naming one label {_accuracy(majority)}."
    )


def letters_sentence(result: BenchmarkResult) -> str:
    """Return on what absorption was measured; empty where it was not."""
    told = result.letters
    if told is None or not told.usable:
        return ""
    return (
        f"Absorption: {told.usable} of {told.letters} letters are told well enough by a probe on "
        f"raw activations (mean F1 {told.probe_f1:.2f}; {told.chance_f1:.2f} with shuffled "
        f"letters); {exact_count(told.words)} words of the model’s vocabulary."
    )


def seen_sentence(result: BenchmarkResult) -> str:
    """Return which dictionaries may have seen the rows; empty where none has."""
    names = [subject.name for subject in result.subjects if not subject.trained_here]
    if not names:
        return ""
    listed = ", ".join(f"“{name}”" for name in names)
    return (
        f"Not trained on the store “{result.store}”: {listed}. Its rows may be like those they "
        "learnt from, or unlike them."
    )


def published_table() -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of what others have published of the full synthetic world."""
    heads = ["Published by others", "F1 of true features", "Source"]
    return heads, [[one.title, figure_text(one.f1), one.source] for one in PUBLISHED]


def synthetic_cost(config: SyntheticConfig) -> str:
    """Return what a benchmark on synthetic activations will take, and what its figures are."""
    time = duration_words(synthetic_seconds(config))
    kept = "Every seed that is finished is kept if you cancel."
    if config.world == "full":
        return (
            f"It takes {time} of one processor core, within a factor of two. Published figures are "
            f"of {exact_count(SAMPLES)} samples: with fewer, expect lower ones. {kept}"
        )
    return (
        f"It takes {time} of one processor core, within a factor of two. The small world’s figures "
        f"are not those of the full one. {kept}"
    )


def task_table(result: BenchmarkResult, k: str) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows: each dataset with what is reached by k features, and without."""
    heads = ["Dataset", "Majority", "Raw probe", f"Raw (k = {k})"]
    columns: list[list[Subject]] = []
    for recipe in result.recipes:
        mine = [subject for subject in result.subjects if subject.recipe == recipe.name]
        for kind, title in (
            ("dictionary", recipe.name), ("random", "random directions"),
            ("pca", "principal components"),
        ):  # fmt: skip
            if of_kind := [subject for subject in mine if subject.kind == kind]:
                columns.append(of_kind)
                heads.append(title)
    rows = []
    for task in result.tasks:
        raw_k = task.raw_by_k.get(k)
        cells = [task.title, _accuracy(task.majority), _accuracy(task.raw.value)]
        cells.append(NOTHING if raw_k is None else _accuracy(raw_k.value))
        for subjects in columns:
            values = [subject.tasks[task.name][k].value for subject in subjects]
            cells.append(_accuracy(sum(values) / len(values)))
        rows.append(cells)
    return heads, rows


def notes(result: BenchmarkResult) -> list[str]:
    """Return all that stands below the table, a sentence or two each."""
    if result.synthetic is not None:
        return [
            "Controls are the same for every architecture, and stand beside the first.",
            differences(result.synthetic),
            intervals_sentence(result),
        ]
    told = [
        f"Dead features are those silent on all {exact_count(result.rows)} rows.",
        raw_sentence(result), letters_sentence(result), *result.notes, seen_sentence(result),
        intervals_sentence(result),
    ]  # fmt: skip
    return [sentence for sentence in told if sentence]
