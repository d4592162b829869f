"""Finding features by the words of their automatic names. Free of torch and Qt.

All short names lie in one array of bytes, so that a search reads it block by block and makes no
text of a name that is not found. Answers are arrays of feature numbers, ascending, each once.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.project_labels import label_text

if TYPE_CHECKING:  # they bring h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.names_file import ShortNames
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

AT_ONCE = 1 << 16
"""The names of more features are searched beside the window."""
_CHUNK_FEATURES = 1 << 14
_KEPT_ANSWERS = 8
_LOOKED_AT = 500
"""Names found of which the best are told."""
_BORDER = 0x0A
"""Between two names, so that nothing is found across them."""
_LETTERS = re.compile(r"[^\W_]+")
_QUOTES = "“”\"‘’'( …"

_answers: weakref.WeakKeyDictionary[ShortNames, dict[str, Array]] = weakref.WeakKeyDictionary()


def names_with_text(index: FeatureIndex, text: str) -> Array:
    """Return the features whose automatic name has words that begin with those of `text`.

    Letters of ASCII match in either case, others in the usual ones. A text without a letter or a
    digit, such as “::”, is found wherever it stands. The last answers are kept.
    """
    names = index.short_names()
    answers, key = _answers.setdefault(names, {}), text.strip()
    found = answers.get(key)
    if found is None:
        found = _searched(names, key)
        while len(answers) >= _KEPT_ANSWERS:
            answers.pop(next(iter(answers)), None)
        answers[key] = found
    return found


def name_answer_is_known(index: FeatureIndex, text: str) -> bool:
    """Return whether `names_with_text` answers before anybody notices."""
    names = index.short_names()
    return len(names) <= AT_ONCE or text.strip() in _answers.get(names, {})


def shown_names_with_text(
    index: FeatureIndex, text: str, labelled: Array, rejected: Mapping[int, Set[str]]
) -> Array:
    """Return those of `names_with_text` whose automatic name is shown.

    It is not where the feature is among `labelled`, or a person has `rejected` it.
    """
    found = names_with_text(index, text)
    found = found[~np.isin(found, labelled)]
    if rejected:
        names = index.short_names()
        gone = [
            feature
            for feature in np.intersect1d(found, list(rejected)).tolist()
            if label_text(names[feature]).casefold() in rejected[feature]
        ]
        found = found[~np.isin(found, gone)]
    return found


def best_names(index: FeatureIndex, features: Array, text: str, most: int) -> list[int]:
    """Return the best of the features found for `text`, at most `most`.

    Those whose name begins with it go first, then those whose name fits best.
    """
    names, wanted = index.short_names(), text.strip().casefold().strip(_QUOTES)
    scores = index.columns.get("name_score")

    def place(feature: int) -> tuple[bool, float, int]:
        begins = names[feature].casefold().lstrip(_QUOTES).startswith(wanted)
        score = 0.0 if scores is None else float(np.nan_to_num(scores[feature]))
        return not begins, -score, feature

    return sorted(features[:_LOOKED_AT].tolist(), key=place)[:most]


def _searched(names: ShortNames, text: str) -> Array:
    words = _LETTERS.findall(text)
    wanted = [(word, True) for word in words] or ([(text, False)] if text else [])
    patterns = [(_pattern(word), begins) for word, begins in wanted]
    found: list[Array] = [np.empty(0, dtype=np.int64)]
    for first in range(0, len(names) if patterns else 0, _CHUNK_FEATURES):
        block, starts = _block(names, first, min(first + _CHUNK_FEATURES, len(names)))
        there = np.ones(len(starts), dtype=bool)
        for pattern, begins in patterns:
            there &= _having(block, starts, pattern, begins=begins)
            if not there.any():
                break
        found.append(first + np.flatnonzero(there))
    return np.concatenate(found)


def _block(names: ShortNames, first: int, last: int) -> tuple[bytes, Array]:
    """Return some names in lower case, a border before and after each, and where each begins."""
    offsets = np.asarray(names.offsets[first : last + 1], dtype=np.int64)
    starts = offsets[:-1] - offsets[0] + np.arange(1, last - first + 1)
    size = int(offsets[-1] - offsets[0]) + last - first + 1
    text = np.ones(size, dtype=bool)
    text[0] = text[-1] = False
    text[starts - 1] = False
    out = np.full(size, _BORDER, dtype=np.uint8)
    out[text] = names.data[offsets[0] : offsets[-1]]
    return out.tobytes().lower(), starts


def _having(block: bytes, starts: Array, pattern: re.Pattern[bytes], *, begins: bool) -> Array:
    """Return which of the names have a match; with `begins`, at the beginning of a word."""
    places = np.array([match.start() for match in pattern.finditer(block)], dtype=np.int64)
    if begins:
        before = np.frombuffer(block, dtype=np.uint8)[places - 1]
        places = places[~_IN_A_WORD[before]]
    having = np.zeros(len(starts), dtype=bool)
    having[np.searchsorted(starts, places, side="right") - 1] = True
    return having


_IN_A_WORD = np.isin(np.arange(256), list(b"abcdefghijklmnopqrstuvwxyz0123456789"))


def _pattern(text: str) -> re.Pattern[bytes]:
    cases = dict.fromkeys((text, text.lower(), text.upper(), text.capitalize(), text.title()))
    data = dict.fromkeys(re.escape(case.encode("utf-8", "replace").lower()) for case in cases)
    return re.compile(b"|".join(data))
