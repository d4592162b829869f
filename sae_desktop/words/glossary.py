"""The glossary: what each term on screen means, for hovering, F1 and the command line.

It is told once, in `terms`; curves, tables and evaluations take their sentences from here.
Free of Qt and torch.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from sae_desktop.words.terms.architecture_terms import ARCHITECTURE_TERMS
from sae_desktop.words.terms.asking_terms import ASKING_TERMS
from sae_desktop.words.terms.benchmark_terms import BENCHMARK_TERMS
from sae_desktop.words.terms.change_terms import CHANGE_TERMS
from sae_desktop.words.terms.circuit_terms import CIRCUIT_TERMS
from sae_desktop.words.terms.column_terms import COLUMN_TERMS
from sae_desktop.words.terms.comparing_terms import COMPARING_TERMS
from sae_desktop.words.terms.desk_terms import DESK_TERMS
from sae_desktop.words.terms.entry import Entry
from sae_desktop.words.terms.feature_terms import FEATURE_TERMS
from sae_desktop.words.terms.judge_terms import JUDGE_TERMS
from sae_desktop.words.terms.model_terms import MODEL_TERMS
from sae_desktop.words.terms.monitor_terms import MONITOR_TERMS
from sae_desktop.words.terms.safety_terms import SAFETY_TERMS
from sae_desktop.words.terms.score_terms import SCORE_TERMS
from sae_desktop.words.terms.search_terms import SEARCH_TERMS
from sae_desktop.words.terms.steering_terms import STEERING_TERMS
from sae_desktop.words.terms.training_terms import TRAINING_TERMS

_ONLY_WHOLE = frozenset({
    "#", "a", "add", "alive", "b", "buckets", "chat", "compare", "condition", "conditions", "dead",
    "decay", "everywhere", "filter", "fires", "front", "gated", "gradient", "job", "jobs", "k",
    "label", "labelled", "labels", "language", "languages", "length", "list", "lists", "loss",
    "lr", "map", "match", "matches", "max", "mean", "model", "models", "norm", "pin", "plain",
    "power", "q", "random", "run", "runs", "sae", "scan", "scans", "score", "source", "sources",
    "star", "std", "steer", "steered", "steering", "step", "steps", "template", "templates",
    "text", "turn", "where", "width", "windows", "★",
})  # fmt: skip
"""Names that mean the term where they are a whole text, and anything within a sentence."""
_MORE = re.compile(r"\s*(\([^()]*\)|[:…])$")
_EXACT, _BEGINS, _HAS, _TOLD = range(4)


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Return every entry, by the alphabet."""
    every = (
        *FEATURE_TERMS, *COLUMN_TERMS, *ASKING_TERMS, *COMPARING_TERMS, *MODEL_TERMS,
        *TRAINING_TERMS, *ARCHITECTURE_TERMS, *STEERING_TERMS, *SCORE_TERMS, *JUDGE_TERMS,
        *DESK_TERMS, *SEARCH_TERMS, *CIRCUIT_TERMS, *CHANGE_TERMS, *SAFETY_TERMS,
        *MONITOR_TERMS, *BENCHMARK_TERMS,
    )  # fmt: skip
    return tuple(sorted(every, key=lambda entry: entry.term.casefold()))


@functools.cache
def _by_name() -> dict[str, Entry]:
    named = {name.casefold(): entry for entry in entries() for name in entry.names}
    return named | {entry.term.casefold(): entry for entry in entries()}


def find(words: str) -> Entry | None:
    """Return the entry that a whole text names, such as “FVU” or “L0 (features per row)”."""
    words = " ".join(words.split()).casefold()
    while words:
        found = _by_name().get(words)
        if found is not None:
            return found
        shorter = _MORE.sub("", words)
        if shorter == words:
            return None
        words = shorter
    return None


def hover(term: str) -> str:
    """Return the sentence for hovering over a term. Raises KeyError for none of the glossary."""
    return _by_name()[term.casefold()].hover


@functools.cache
def _pattern() -> re.Pattern[str]:
    names = [name for name in _by_name() if name not in _ONLY_WHOLE]
    names.sort(key=len, reverse=True)
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, names))})s?(?!\w)", re.IGNORECASE)


def terms_in(text: str) -> list[Entry]:
    """Return the entries whose names stand in a text, in their order, each once."""
    whole = find(text)
    if whole is not None:
        return [whole]
    found = (_by_name()[match[1].casefold()] for match in _pattern().finditer(text))
    return list(dict.fromkeys(found))


def search(query: str) -> list[Entry]:
    """Return the entries that answer a query, the best first; for an empty one, all of them."""
    query = " ".join(query.split()).casefold()
    if not query:
        return list(entries())
    scored = [(_rank(query, entry), entry) for entry in entries()]
    return [entry for rank, entry in sorted(scored, key=lambda pair: pair[0]) if rank <= _TOLD]


def _rank(query: str, entry: Entry) -> int:
    names = [name.casefold() for name in (entry.term, *entry.names)]
    if query in names:
        return _EXACT
    if any(name.startswith(query) for name in names):
        return _BEGINS
    if any(query in name for name in names):
        return _HAS
    told = f"{entry.hover} {entry.more}".casefold()
    return _TOLD if all(word in told for word in query.split()) else _TOLD + 1


def entry_text(entry: Entry) -> str:
    """Return an entry as plain text: the term, what it is, where it is met, what to see."""
    parts = [entry.term, "", entry.hover, entry.more]
    if entry.where:
        parts += ["", f"Where: {entry.where}."]
    if entry.names:
        parts.append(f"On screen also as: {', '.join(entry.names)}.")
    if entry.see:
        parts.append(f"See also: {', '.join(entry.see)}.")
    return "\n".join(parts)


def list_text(found: Sequence[Entry]) -> str:
    """Return terms with their sentences, one a line."""
    return "\n".join(f"{entry.term}: {entry.hover}" for entry in found)
