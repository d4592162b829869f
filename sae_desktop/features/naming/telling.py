"""Turns the rules of features into words, with examples and the contexts they come from."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.documents import source_name
from sae_desktop.features.naming.facts import FACTS, OWN_NAMES, PLACE, RowFacts
from sae_desktop.features.naming.quoting import quoted
from sae_desktop.features.naming.rules import FACTS_OF_RULE, RULES, Found, rule_holds
from sae_desktop.features.naming.samples import Places
from sae_desktop.features.naming.tokens import BLANKS
from sae_desktop.features.naming.wording import (
    EXAMPLES,
    Told,
    ToldRule,
    in_word,
    long_name,
    short_name,
)
from sae_desktop.features.reading.names_file import NameDetail
from sae_desktop.language_names import language_name

if TYPE_CHECKING:
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]

_PIECES = ("x", "x…", "…x…", "…x")
_MOST_OF = 0.6
_RAISED = 3
_LONGEST_STEM = 20
"""Letters of a picture’s name in a feature’s."""
_SLOTS = 8
"""Contexts kept of each piece of evidence."""
_KEY, _PIECE, _TOKEN = PLACE["key"], PLACE["piece"], PLACE["token"]


class Teller:
    """Tells names of an index's features."""

    def __init__(self, index: IndexFile, facts: RowFacts) -> None:
        self._index = index
        self._facts = facts
        self._names = {name: table.names for name, table in facts.tables.facts.items()}
        ids = index.array("logits/top_ids")
        self._raised = ids if ids is not None and ids.shape[1] else None

    def tell(
        self, places: Places, found: Found, X: Array, feature: Array, rows: Array, weights: Array
    ) -> list[tuple[str, NameDetail]]:
        """Return the short name and the rest of each feature of a block; empty for a dead one."""
        starts = np.searchsorted(feature, np.arange(places.count + 1))
        holds = np.stack([rule_holds(found, X, feature, number) for number in range(RULES)])
        return [
            self._feature(
                places.first + own, own, found, slice(int(starts[own]), int(starts[own + 1])),
                X, rows, weights, holds,
            )
            for own in range(places.count)
        ]  # fmt: skip

    def _feature(
        self, number: int, own: int, found: Found, span: slice, X: Array, rows: Array,
        weights: Array, holds: Array,
    ) -> tuple[str, NameDetail]:  # fmt: skip
        if span.start == span.stop:
            return self._unread(number)
        X, rows, weights = X[span], rows[span], weights[span]
        slots = self._slots(number, rows)
        rules = []
        for rule in range(RULES):
            if found.kind[own, rule, 0] < 0:
                continue
            hit = holds[rule, span]
            told = [
                self._fact(found, own, rule, place, span, X, rows, weights, hit, slots)
                for place in range(FACTS_OF_RULE)
                if found.kind[own, rule, place] >= 0
            ]
            rules.append(
                ToldRule(
                    told, float(found.covers[own, rule]), self._examples(X, rows, weights, hit)
                )
            )
        text = self._text(found, own, X, slots)
        every = self._examples(X, rows, weights, np.ones(len(rows), bool))
        raised = self._raises(number)
        cover = sum(rule.covers for rule in rules)
        expected = self._expected(X, weights, raised)
        short = short_name(rules, text, every, expected, len(rows))
        long = long_name(rules, text, every, raised, len(rows), cover)
        return short, self._detail(long, rules, text, raised)

    def _unread(self, number: int) -> tuple[str, NameDetail]:
        """Return what is said of a feature of which no firing is kept: what it raises, if it is
        alive."""
        nothing = NameDetail("", [], [])
        if not self._index.columns["density"][number] > 0:
            return "", nothing
        raised = self._raises(number)
        kinds = self._index.columns.get("modality")
        if kinds is not None and self._index.columns["text_firings"][number] == 0:
            return self._of_pictures(number), nothing
        if not raised:
            return "no context was kept", nothing
        listed = ", ".join(quoted(token) for token in raised)
        long = f"No text is kept in which it fires. It raises {listed}."
        return f"raises {listed}", self._detail(long, [], None, raised)

    def _of_pictures(self, number: int) -> str:
        """Return what is said of a feature that fires on pictures alone: in which it is strongest.

        Whatever they have in common, no counting of words finds it.
        """
        arrays, pictures = self._index.arrays, self._index.pictures
        row = int(arrays["contexts/row"][number, 0])
        if pictures is None or row < 0:
            return "pictures alone"
        name = pictures.get(int(arrays["picture"][row])).record.name
        stem = PurePath(name).stem or name
        return f"pictures: “{stem if len(stem) <= _LONGEST_STEM else stem[:_LONGEST_STEM] + '…'}”"

    # ------------------------------------------------------------------ facts
    def _fact(
        self, found: Found, own: int, rule: int, place: int, span: slice, X: Array, rows: Array,
        weights: Array, hit: Array, slots: Array,
    ) -> Told:  # fmt: skip
        kind, code = int(found.kind[own, rule, place]), int(found.code[own, rule, place])
        has = hit & (X[:, kind] == code)
        at = int(found.place[own, rule, place])
        row = int(rows[at - span.start]) if at >= 0 else int(rows[np.argmax(weights * has)])
        return Told(
            kind=FACTS[kind].name,
            value=self._value(kind, code, row, X, weights) or self._facts.character_at(row),
            share=float(found.share[own, rule, place]),
            base=float(found.base[own, rule, place]),
            low=float(found.low[own, rule, place]),
            slots=_some(slots[has]),
            piece=self._piece(kind, X, weights, has),
            parts=self._parts(kind, code, rows[has]),
        )

    def _text(self, found: Found, own: int, X: Array, slots: Array) -> Told | None:
        kind, code = int(found.text_kind[own]), int(found.text_code[own])
        if kind < 0:
            return None
        return Told(
            FACTS[kind].name, self._value(kind, code, 0, X, X[:, 0]), float(found.text_share[own]),
            float(found.text_base[own]), float(found.text_low[own]),
            _some(slots[X[:, kind] == code]),
        )  # fmt: skip

    def _value(self, kind: int, code: int, row: int, X: Array, weights: Array) -> str:
        fact, facts = FACTS[kind], self._facts
        if fact.name == "word":
            return facts.word_around(row)[0].strip()
        if fact.name == "begun":
            return facts.word_around(row)[1].strip()
        if fact.name in ("pair", "triple", "four"):
            return facts.tokens_before(row, ("pair", "triple", "four").index(fact.name) + 2).strip(
                " "
            )
        if fact.name == "previous_pair":
            return facts.tokens_before(row, 2, 1).strip(" ")
        if fact.name == "source":
            return source_name(self._index, facts.sources[code])
        if fact.name == "language":
            return language_name(facts.languages[code].decode("utf-8", "replace"))
        if fact.name == "document":
            return facts.kinds[code]
        if fact.name == "key":
            return self._as_written(kind, code, X, weights)
        if fact.table:
            return self._names[fact.table][code]
        return OWN_NAMES[fact.name][code]

    def _parts(self, kind: int, code: int, rows: Array) -> tuple[str, ...]:
        """Return the characters, quoted, of which a token is a part; none of a whole one."""
        if FACTS[kind].name != "token" or self._names["token"][code] or not len(rows):
            return ()
        step = max(len(rows) // 12, 1)
        found = Counter(self._facts.character_at(int(row)) for row in rows[::step][:12])
        return tuple(quoted(c) for c, _ in found.most_common(2) if c.strip())

    def _as_written(self, kind: int, code: int, X: Array, weights: Array) -> str:
        """Return a word as it is mostly written where it holds, in capitals or not."""
        has = X[:, kind] == code
        if not has.any():
            return self._names["key"][code]
        mass = np.bincount(X[has, _TOKEN], weights[has])
        return self._names["token"][int(mass.argmax())]

    def _piece(self, kind: int, X: Array, weights: Array, has: Array) -> str:
        """Return how a token stands in its words, where it mostly stands alike."""
        name = FACTS[kind].name
        if name == "begun":
            return "x…"
        if name not in ("token", "key", "previous"):
            return "x"
        known = has & (X[:, _PIECE] >= 0)
        if not known.any():
            return "x"
        mass = np.bincount(X[known, _PIECE], weights[known], len(_PIECES))
        best = int(mass.argmax())
        return _PIECES[best] if mass[best] >= _MOST_OF * mass.sum() else "x"

    def _examples(self, X: Array, rows: Array, weights: Array, hit: Array) -> list[str]:
        """Return the tokens of most of the activation where something holds, quoted."""
        at = np.flatnonzero(hit)
        keys, begins, own = np.unique(X[at, _KEY], return_index=True, return_inverse=True)
        mass = np.bincount(own, weights[at], len(keys))
        # The first of the strongest places of each.
        order = np.lexsort((-at, weights[at]))
        strongest = np.zeros(len(keys), np.int64)
        strongest[own[order]] = at[order]
        found: list[str] = []
        for number in np.lexsort((begins, -mass)).tolist():
            key = int(keys[number])
            if key < 0:
                told = quoted(self._facts.character_at(int(rows[strongest[number]])))
            else:
                has = hit & (X[:, _KEY] == key)
                word = self._as_written(_KEY, key, X, weights)
                told = in_word(word, self._piece(_KEY, X, weights, has))
                if self._names["key"][key] in BLANKS:
                    told = self._names["key"][key]
            if told not in found and told != "“”":
                found.append(told)
            if len(found) == EXAMPLES:
                break
        return found

    # ------------------------------------------------------------------ the rest
    def _raises(self, number: int) -> list[str]:
        if self._raised is None:
            return []
        ids = [int(i) for i in self._raised[number]]
        texts = [
            self._facts.tables.texts[i].strip() for i in ids if 0 <= i < self._facts.tables.size
        ]
        return list(dict.fromkeys(text for text in texts if text))[:_RAISED]

    def _expected(self, X: Array, weights: Array, raised: list[str]) -> list[str]:
        """Return what is raised and indeed stands next, as often as not."""
        keys = self._names["key"]
        following = X[:, PLACE["next"]]
        total: dict[str, float] = defaultdict(float)
        for code, weight in zip(following.tolist(), weights.tolist(), strict=True):
            if code >= 0:
                total[keys[code]] += weight
        return [token for token in raised if total.get(token.casefold(), 0.0) >= 0.3]

    def _slots(self, number: int, rows: Array) -> Array:
        """Return which of the feature's contexts is chosen at each row (n,); −1: none."""
        chosen = np.asarray(self._index.arrays["contexts/row"][number], np.int64)
        order = np.argsort(chosen, kind="stable")
        at = np.minimum(np.searchsorted(chosen[order], rows), len(order) - 1)
        return np.where(chosen[order][at] == rows, order[at], -1)

    def _detail(
        self, long: str, rules: list[ToldRule], text: Told | None, raised: list[str]
    ) -> NameDetail:
        told = [(rule.covers if n == 0 else fact.share * rule.covers, fact)
                for rule in rules for n, fact in enumerate(rule.facts)]  # fmt: skip
        if text is not None:
            told.append((text.share, text))
        pieces = [
            (fact.kind, fact.words if not fact.is_token else fact.value, round(share, 4),
             float(f"{fact.low:.3g}"), fact.slots)
            for share, fact in told
        ]  # fmt: skip
        pieces += [("raises", token, 0.0, 0.0, list[int]()) for token in raised]
        senses = []
        if len(rules) > 1:
            senses = [(rule.facts[0].words, round(rule.covers, 4)) for rule in rules]
        return NameDetail(long, pieces, senses)


def _some(slots: Array) -> list[int]:
    found = np.unique(slots[slots >= 0])
    return [int(slot) for slot in found[:_SLOTS]]
