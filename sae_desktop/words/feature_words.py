"""What is said of a feature that nobody has labelled: its automatic name, or context and tokens.

Free of Qt and torch. A number alone tells nobody what a feature is, so wherever a feature stands
without a label, these words stand in the label's place, quietly: its name by statistics, or where
it has none the text around its strongest firing with the token in brackets, “…of the [king] of
France…”, then the tokens it fires on. They are never a label: nothing filters by them as if a
person had written them.
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.label_words import isolated, score_figure, score_sentence
from sae_desktop.project_labels import label_text
from sae_desktop.words.name_text import evidence_lines
from sae_desktop.words.running_text import RunningText, shown_token

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex

NARROW, WIDE = 28, 64
"""Characters of a place that is narrow (a link, a card) and of one that has a line."""
NEVER_FIRED = "never fired"
NO_CONTEXT = "no context was kept"
UNREADABLE = "its contexts cannot be read"
STRONGEST_ON, FIRES_ON, RAISES = "fires most strongly on", "fires on", "raises"
AUTOMATIC_NAME = "An automatic name, made by counting: no person and no model has read it."
BRACKETS = "The brackets mark the token on which the feature is strongest."
_BEFORE, _AFTER = 24, 16
"""Tokens read around the strongest firing."""
_TOKENS = 4
_SHARE_BEFORE = 0.35
"""Of the characters around the token, those before it: what it leads to says more."""
_SAID = 0.4
"""Of the room, what must be filled before a quotation that does not fit is left out whole."""
_HELD = 20_000
_SPACES = re.compile(r"[ \u00a0]+")
_CUT_BEFORE, _CUT_AFTER = re.compile("^(⟨0x..⟩)+"), re.compile("(⟨0x..⟩)+$")
"""Bytes of a character of which the rest lies outside what was read."""


@dataclass(frozen=True)
class FeatureWords:
    """The words for one feature, as text that can be shown: nothing in it steers a screen."""

    before: str = ""
    """Text before the token of the strongest firing; empty at the start of a text."""
    peak: str = ""
    """The token, or the character it is part of; empty where no context is known."""
    after: str = ""
    starts: bool = False
    """Whether `before` is all there is."""
    ends: bool = False
    tokens: tuple[str, ...] = ()
    """The tokens of its strongest firings; of an index that does not know, those on which it fires
    most often, or those it raises most."""
    told: str = ""
    """Which of these `tokens` are: STRONGEST_ON, FIRES_ON or RAISES."""
    remark: str = ""
    """What is said in place of a context."""
    name: str = ""
    """What it is called by statistics; empty: it has no name, or a person rejected it."""
    evidence: tuple[str, ...] = ()
    """What the name comes from, in short lines."""
    score: float | None = None
    """How well the name fits, as a detector: 0.5 is chance."""
    score_low: float | None = None
    score_high: float | None = None
    measure: str = ""
    """What the score is."""

    def context(self, room: int = WIDE) -> str:
        """Return the context in at most about `room` characters, the token always whole."""
        if not self.peak:
            return self.remark
        left = max(room - _width(self.peak) - len("[]……"), 0)
        before_room = max(int(left * _SHARE_BEFORE), left - _width(self.after))
        before = _last(self.before, before_room)
        after = _first(self.after, left - _width(before))
        start = "" if self.starts and before == self.before else "…"
        end = "" if self.ends and after == self.after else "…"
        return isolated(f"{start}{before}[{self.peak}]{after}{end}")

    @cached_property
    def token_text(self) -> str:
        """The tokens in one line, such as “king, King, kings”; empty: none are known."""
        return isolated(", ".join(self.tokens))

    def line(self, room: int = WIDE) -> str:
        """Return the name in about `room` characters; without one context and tokens."""
        if self.name:
            return isolated(self._cut_name(room))
        if not self.token_text or self.tokens == (self.peak,):
            return self.context(room)
        if not self.peak:
            return f"{self.remark} · {self.token_text}" if self.remark else self.token_text
        spare = room - _width(self.token_text) - len(" · ")
        if spare < NARROW:
            return self.context(room)
        return f"{self.context(spare)} · {self.token_text}"

    @cached_property
    def spoken(self) -> str:
        """All there is to say, in whole phrases: for those who listen."""
        named = [f"automatic name {self.name}"] if self.name else []
        scored = [f"score {self.score_text}"] if self.score_text else []
        return "; ".join([*named, *scored, *self._phrases])

    @cached_property
    def tip(self) -> str:
        """All there is to say, in short lines: for hovering where a label would stand."""
        if self.name:
            scored = score_sentence(self.score, self.score_low, self.score_high, self.measure)
            strongest = f"Strongest in “{self.context(WIDE)}”" if self.peak else ""
            evidence = [*self.evidence, strongest] if self.evidence or strongest else []
            parts = [[isolated(self.name), scored], [AUTOMATIC_NAME], evidence]
        else:
            lines = [f"{said[:1].upper()}{said[1:]}" for said in self._phrases]
            parts = [["No label yet.", *lines, BRACKETS if self.peak else ""]]
        return "\n\n".join("\n".join(_wrapped(part)) for part in parts if any(part))

    @cached_property
    def score_text(self) -> str:
        """The score as it stands small beside the name; empty without one."""
        return score_figure(self.score) if self.name else ""

    def _cut_name(self, room: int) -> str:
        if _width(self.name) <= room:
            return self.name
        cut = _first(self.name, max(room - 1, 1))
        quote = cut.rfind("“")
        if quote > cut.rfind("”") and _width(cut[:quote]) >= _SAID * room:
            # Part of a quotation tells nothing, and its own “…” would stand beside ours.
            return f"{cut[:quote].rstrip()} …"
        said = cut.rstrip(" ,;:…")
        return f"{cut.rstrip()} …" if said.endswith("”") else f"{said}…"

    @property
    def _phrases(self) -> list[str]:
        parts = [f"strongest in “{self.context(2 * WIDE)}”" if self.peak else self.remark]
        if self.tokens:
            parts.append(f"{self.told} {self.token_text}")
        return [part for part in parts if part]


class FeatureWordsReader:
    """Reads the words of an index's features, each when it is first asked for."""

    def __init__(self, index: FeatureIndex) -> None:
        self.index = index
        self._held: dict[int, FeatureWords] = {}

    def words(self, feature: int) -> FeatureWords:
        """Return the words of a feature; empty ones for a number the index does not have."""
        found = self._held.get(feature)
        if found is None:
            if len(self._held) >= _HELD:
                self._held.clear()
            try:
                found = feature_words(self.index, feature)
            except (UserError, IndexError, ValueError):  # the feature's page says what is damaged
                found = FeatureWords(remark=UNREADABLE)
            self._held[feature] = found
        return found


def feature_words(index: FeatureIndex, feature: int, slot: int | None = None) -> FeatureWords:
    """Return what an index says of a feature in a few words.

    `slot`: the context that is told; None: the strongest.
    """
    if not 0 <= feature < index.features:
        return FeatureWords()
    index.release_maps()
    return replace(_seen(index, feature, slot), **_named(index, feature))


def _named(index: FeatureIndex, feature: int) -> dict[str, Any]:
    """Return what the index says of the feature's automatic name."""
    found = index.name(feature)
    if found is None:
        return {}
    figures = {
        name: None if math.isnan(value) else value
        for name, value in (
            ("score", found.score), ("score_low", found.score_low), ("score_high", found.score_high)
        )
    }  # fmt: skip
    evidence = tuple(map(label_text, evidence_lines(found.pieces)))
    return {
        "name": label_text(found.short),
        "evidence": evidence,
        "measure": found.measure,
        **figures,
    }


def _seen(index: FeatureIndex, feature: int, slot: int | None) -> FeatureWords:
    """Return a context, the strongest where none is given, and the tokens."""
    tokens, told = _tokens(index, feature)
    slot = _strongest(index, feature) if slot is None else slot
    if slot is None:
        fires = bool(index.columns["density"][feature] > 0)
        remark = NO_CONTEXT if fires else NEVER_FIRED
        return FeatureWords(tokens=tokens, told=told, remark="" if tokens and fires else remark)
    context = index.context(feature, slot, _BEFORE, _AFTER).as_read()
    text = RunningText(context.tokens)
    at = text.piece_of_token(context.peak)
    assert at is not None  # the chosen token is always drawn
    pieces = [
        " " if not piece.text.strip(" \u00a0") else shown
        for piece, shown in zip(text.pieces, text.shown_pieces, strict=True)
    ]
    before, after = "".join(pieces[:at]), "".join(pieces[at + 1 :])
    peak = pieces[at] if pieces[at] != " " else "·"
    starts = context.peak < _BEFORE
    ends = len(context.tokens) - context.peak <= _AFTER
    word = peak.strip()
    if word:
        lead, tail = peak.split(word)
        before, peak, after = before + lead, word, tail + after
    return FeatureWords(
        before=_SPACES.sub(" ", before if starts else _CUT_BEFORE.sub("", before)),
        peak=peak,
        after=_SPACES.sub(" ", after if ends else _CUT_AFTER.sub("", after)),
        starts=starts,
        ends=ends,
        tokens=tokens,
        told=told,
    )


def _strongest(index: FeatureIndex, feature: int) -> int | None:
    """Return the slot of the strongest context; None when none was kept."""
    rows = index.arrays["contexts/row"][feature]
    kept = np.flatnonzero(rows >= 0)
    if not len(kept):
        return None
    return int(kept[np.argmax(index.arrays["contexts/activation"][feature][kept])])


def _tokens(index: FeatureIndex, feature: int) -> tuple[tuple[str, ...], str]:
    """Return the tokens that say most of a feature, the first ones first, and what they are."""
    counted = Counter(index.tokens[index.strongest_rows(feature)].tolist())
    sources: tuple[tuple[str, Callable[[], list[str]]], ...] = (
        (STRONGEST_ON, lambda: [index.token(number) for number, _ in counted.most_common()]),
        (FIRES_ON, lambda: [fired.token for fired in index.firing_tokens(feature)]),
        (RAISES, lambda: [token for token, _ in index.top_logits(feature)]),
    )
    for what, read in sources:
        names = read()
        whole = [_token(name) for name in names if "⟨0x" not in name]
        if whole:
            return tuple(dict.fromkeys(whole))[:_TOKENS], what
        if names:  # nothing but parts of characters, which the context shows whole
            return (), ""
    return (), ""


def _token(text: str) -> str:
    """Return a token as it stands in a row of them, without the space before a word."""
    word = text.strip(" \u00a0")
    return _SPACES.sub(" ", shown_token(word)) if word else "·"


def _wrapped(lines: Iterable[str]) -> list[str]:
    wrapped = (textwrap.wrap(line, WIDE, break_on_hyphens=False) for line in lines)
    return [line for part in wrapped for line in part]


def _width(text: str) -> int:
    """Return how many columns of a letter's width a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _first(text: str, room: int) -> str:
    """Return the beginning of a text that takes no more than `room`."""
    for place, character in enumerate(text):
        room -= _columns(character)
        if room < 0:
            return text[:place]
    return text


def _last(text: str, room: int) -> str:
    """Return the end of a text that takes no more than `room`."""
    for place in range(len(text) - 1, -1, -1):
        room -= _columns(text[place])
        if room < 0:
            end = text[place + 1 :]
            return end.lstrip("".join({c for c in end if not _columns(c)}))
    return text
