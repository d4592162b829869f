"""What a label says that can be looked for in a text: quoted pieces, words, languages, kinds.

“who”, after “a person” · dictionary entries: the piece “who” at the marked place, the piece “a
person” before it, the words “dictionary” and “entries” near it. What stands in brackets, such as
(?) or (sich, es), is taken as quoted. Free of torch.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from sae_desktop.features.reading.token_kinds import TOKEN_KINDS, label_words
from sae_desktop.language_names import language_codes

Where = Literal["at", "before", "after", "near"]
What = Literal["piece", "word", "language", "kind"]

MOST_TERMS = 24
_MOST_LABEL = 2000
"""Characters of a label that are read."""
_QUOTED = re.compile(r"“([^”]+)”|‘([^’]+)’|\"([^\"]+)\"|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
_LISTED = re.compile(r"\(([^()]*)\)")
"""Examples in brackets, with commas between."""
_MOST_PART = 24
_BEFORE = re.compile(r"(after|following|preceded by|follows)\s*$", re.IGNORECASE)
_AFTER = re.compile(r"(before|followed by|precedes|preceding)\s*$", re.IGNORECASE)
_KINDS = {
    "newline": "line breaks", "newlines": "line breaks", "line": "line breaks",
    "digits": "numbers", "number": "numbers", "numbers": "numbers", "numerals": "numbers",
    "punctuation": "punctuation", "brackets": "brackets", "bracket": "brackets",
    "capital": "capitals", "capitals": "capitals", "capitalised": "capitals",
    "cyrillic": "Cyrillic letters", "devanagari": "Indic letters", "hangul": "Korean letters",
}  # fmt: skip
"""Words that name a kind of token."""
_SCRIPTS = {kind.split()[0].casefold(): kind for kind in TOKEN_KINDS if kind.split()[0].istitle()}
_EMPTY = frozenset({"break", "breaks", "text", "texts", "english", "letter", "letters"})
"""Words that are part of a kind, or say nothing alone."""


class Term(NamedTuple):
    """Something a label says."""

    what: What
    text: str
    """In lower case; of a language its code, of a kind its name in TOKEN_KINDS."""
    where: Where


def terms_of(label: str) -> tuple[Term, ...]:
    """Return what a label says, each once, in its order."""
    label = label[:_MOST_LABEL]
    found: list[Term] = []
    rest, end = [], 0
    for match in _QUOTED.finditer(label):
        before = label[end : match.start()]
        rest.append(before)
        end = match.end()
        piece = next(group for group in match.groups() if group is not None)
        text = " ".join(piece.split()).casefold() or "\n" * ("\n" in piece)
        where: Where = "at"
        if _BEFORE.search(before):
            where = "before"
        elif _AFTER.search(before):
            where = "after"
        if text:
            found.append(Term("piece", text, where))
    rest.append(label[end:])
    text = " ".join(rest)
    for listed in _LISTED.findall(text):
        parts = (" ".join(part.split()).casefold() for part in listed.split(","))
        found += [Term("piece", part, "at") for part in parts if 0 < len(part) <= _MOST_PART]
    found += _words(_LISTED.sub(" ", text))
    return tuple(dict.fromkeys(found))[:MOST_TERMS]


def _words(text: str) -> list[Term]:
    codes = language_codes()
    found = []
    for word in label_words(text):
        if word in codes:
            found.append(Term("language", codes[word], "near"))
        kind = _KINDS.get(word) or _SCRIPTS.get(word)
        if kind:
            found.append(Term("kind", kind, "at"))
        if word not in _EMPTY and word not in codes:
            found.append(Term("word", word, "near"))
    return found
