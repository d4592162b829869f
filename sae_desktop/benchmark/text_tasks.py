"""Datasets for probes: of the texts that come with the program, and of a person's own.

A task is one label against the others, as many texts of either side. Free of torch and Qt.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import BUILTIN, Document, read_documents
from sae_desktop.errors import UserError

FEWEST = 20
"""Texts a side from which on a probe is worth the name."""
_MOST_LABELS = 8
_LONGEST = 4000
"""Characters of a text that are kept; many more than are read."""
_CHUNK_TITLE = 120
_BIBLES = ("kjv", "web")
_HANDBOOK = "handbook"
_ENTRIES = ("wordnet", "jargon", "devil")


@dataclass(frozen=True)
class TextTask:
    """Texts with the label, and as many without it."""

    name: str
    title: str
    source: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


Belongs = Callable[[Document], bool]


def _from(*sources: str) -> Belongs:
    return lambda document: document.source in sources


def _handbook(*languages: str) -> Belongs:
    return lambda d: d.source == _HANDBOOK and d.language in languages


_LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "fr": "French"}


def _builtin_sides() -> list[tuple[str, str, Belongs, Belongs]]:
    """Return name, title and the two sides of each task.

    The languages are of one book, so that it is not the subject which tells them apart.
    """
    found: list[tuple[str, str, Belongs, Belongs]] = []
    for code, language in _LANGUAGES.items():
        others = [other for other in _LANGUAGES if other != code]
        title = f"{language} or another language (the same handbook)"
        found.append((f"language {code}", title, _handbook(code), _handbook(*others)))
    prose = _from("manual", "jargon")
    return [
        *found,
        ("code", "Python code or prose about Python", _from("python"), _from("manual")),
        ("bible", "the Bible or other English prose", _from(*_BIBLES), prose),
        ("old english", "the King James Bible or a modern one", _from("kjv"), _from("web")),
        ("entries", "entries of dictionaries or running text", _from(*_ENTRIES),
         lambda d: d.source in ("manual", "web") or _handbook("en")(d)),
    ]  # fmt: skip


@functools.lru_cache(maxsize=1)
def _builtin_documents() -> tuple[Document, ...]:
    return tuple(read_documents(CorpusSettings(corpus=BUILTIN, order="files")))


def builtin_tasks(texts: int) -> list[TextTask]:
    """Return the tasks of the built-in texts, with at most `texts` a side."""
    documents = _builtin_documents()
    return [
        _balanced(
            name, title, BUILTIN,
            [_body(d.text) for d in documents if on(d)],
            [_body(d.text) for d in documents if off(d)], texts,
        )
        for name, title, on, off in _builtin_sides()
    ]  # fmt: skip


def _body(text: str) -> str:
    """Return a text without its first line, which is often a heading that gives it away."""
    head, _, rest = text.partition("\n")
    body = rest.strip()
    return (body if len(head) <= _CHUNK_TITLE and body else text)[:_LONGEST]


def labelled_tasks(file: str, column: str, texts: int) -> list[TextTask]:
    """Return a task for each label of a file, or one where there are two labels.

    Raises UserError for a file without the column, and for one in which no label has texts enough.
    """
    by_label: dict[str, list[str]] = {}
    missing = 0
    for document in read_documents(CorpusSettings(corpus=file)):
        label = document.metadata.get(column, "").strip()
        label = label or str(getattr(document, column, "") if column in _TAGS else "").strip()
        if not label:
            missing += 1
            continue
        by_label.setdefault(label, []).append(document.text[:_LONGEST])
    name = Path(file).name
    if not by_label:
        raise UserError(
            f"None of the {missing:,} texts in “{name}” has a label in the column “{column}”.",
            next_step="Name the columns text and label, or choose the column that holds the "
            "labels.",
        )
    total = sum(map(len, by_label.values()))
    usable = [
        label
        for label, of_label in by_label.items()
        if len(of_label) >= FEWEST and total - len(of_label) >= FEWEST
    ]
    if not usable:
        counts = Counter({label: len(of_label) for label, of_label in by_label.items()})
        told = ", ".join(f"{label}: {count}" for label, count in counts.most_common(5))
        raise UserError(
            f"No label in “{name}” has {FEWEST} texts with it and {FEWEST} without it ({told}).",
            next_step="Add texts, or leave the file out.",
        )
    usable.sort(key=lambda label: (-len(by_label[label]), label))
    if len(by_label) == 2:
        usable = usable[:1]
    return [
        _balanced(
            f"{Path(file).stem}: {label}",
            f"{label} or {_others(label, by_label)}",
            file,
            by_label[label],
            [text for other, of_other in by_label.items() if other != label for text in of_other],
            texts,
        )
        for label in usable[:_MOST_LABELS]
    ]


_TAGS = ("source", "language", "title")


def _others(label: str, labels: Iterable[str]) -> str:
    others = [other for other in labels if other != label]
    return others[0] if len(others) == 1 else "another label"


def _balanced(
    name: str, title: str, source: str, on: Sequence[str], off: Sequence[str], texts: int
) -> TextTask:
    """Return a task of equal sides, each a random sample that is the same every time."""
    count = min(len(on), len(off), texts)
    rng = np.random.default_rng(len(on) * 1009 + len(off))
    sides = [
        tuple(side[place] for place in sorted(rng.permutation(len(side))[:count].tolist()))
        for side in (on, off)
    ]
    return TextTask(name, title, source, *sides)
