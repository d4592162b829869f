"""Finds what a feature fires on: rules that hold where it fires and seldom elsewhere.

A rule is a fact, such as a token, and up to two that often hold where it does, such as the token
before; over and above its rules a feature may have a kind of text. The facts of a block's places
are counted together: a group is a fact of a feature (feature, kind of fact, code), G in all, e
entries. How telling a fact is, is the information it gives: the divergence of its share among the
firings, at the lower end of its interval, from its share in the same text. The interval is
corrected for how many facts of the feature are tried; fewer than `LEAST` places make no fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.base import Base
from sae_desktop.features.naming.facts import COUNT, FACTS
from sae_desktop.features.naming.runs import place_in_run, sorted_with

Array = npt.NDArray[Any]

LEAST = 5
RULES = 4
FACTS_OF_RULE = 3
LEAST_COVER = 0.07
"""Of the activation, what a further rule must add."""
ENOUGH = 0.9
LEAST_BITS = 0.12
"""Information of a rule's first fact, at least."""
_MORE_BITS, _MORE_SHARE = 0.25, 0.3
"""What a second or third fact must tell beyond those before it, and of how many of their places."""
_CANDIDATES = 10
_Z_MORE = np.array(2.6)
"""Standard errors of an interval where the best of a rule's candidates is looked at."""
_TEXT_BITS, _TEXT_SHARE = 0.2, 0.5
_CODES = np.int64(1) << 31
_WEIGHT = np.array([fact.weight for fact in FACTS])
_OF_TEXT = np.array([fact.group == "text" for fact in FACTS])
_GROUPS = {group: number for number, group in enumerate(dict.fromkeys(f.group for f in FACTS))}
_GROUP = np.array([_GROUPS[fact.group] for fact in FACTS])
_NEVER_FIRST = (
    "next_class", "next_case", "previous_case", "previous_kind", "piece", "second_before",
    "brackets",
)  # fmt: skip
_WHERE_FROM = np.array([fact.name in ("source", "document") for fact in FACTS])
"""What is said of a whole name, and so is no further rule of it."""
_FURTHER = ~_OF_TEXT & np.array([fact.name not in ("piece", "kind", "start") for fact in FACTS])
_FIRST = np.array([fact.name not in _NEVER_FIRST for fact in FACTS])
"""Facts that may come first in a rule."""


@dataclass
class Found:
    """The rules of a block's features. r rules at most of each, each of up to three facts."""

    kind: Array
    """(features, RULES, FACTS_OF_RULE) int16, place in FACTS; −1: none."""
    code: Array
    share: Array
    """Of the first fact and those before it: of the feature's activation."""
    base: Array
    """Its share in the text; of a second or third fact, where those before it hold."""
    low: Array
    """Lower end of the lift's interval."""
    bits: Array
    place: Array
    """Which place (of the block's) shows it."""
    covers: Array
    """(features, RULES): of the activation, what the rule adds."""
    text_kind: Array
    """(features,) the kind of text over and above the rules, as `kind`; and so the next four."""
    text_code: Array
    text_share: Array
    text_base: Array
    text_low: Array
    text_place: Array


@dataclass
class _Groups:
    order: Array
    """(e,) places' numbers, group by group."""
    of: Array
    """(e,) group of each."""
    feature: Array
    """(G,)"""
    kind: Array
    code: Array
    base: Array
    count: Array
    z: Array


def find_rules(X: Array, feature: Array, weights: Array, count: int, base: Base) -> Found:
    """Return the rules of features from their places.

    X (n, A) facts, feature (n,) ascending, weights (n,) that sum to 1 for each.
    """
    groups = _grouped(X, feature, count, base)
    effective = 1.0 / np.maximum(np.bincount(feature, weights**2, count), 1e-12)
    found = _nothing(count)
    left = weights.copy()
    covered = np.zeros(count)
    active = np.ones(count, bool)
    for number in range(RULES):
        best, bits, low = _best(groups, left, effective, active, count, _WHERE_FROM & (number > 0))
        active &= best >= 0
        if not active.any():
            break
        chosen = np.flatnonzero(active)
        holds = _put(found, number, 0, chosen, best[chosen], groups, X, feature, left, bits, low)
        for place in range(1, FACTS_OF_RULE):
            _refine(found, number, place, chosen, groups, X, feature, left, holds, effective, base)
        adds = np.bincount(feature, left * holds, count)
        few = active & (adds < (LEAST_COVER if number else 0.0))
        found.kind[few, number] = -1
        active &= ~few
        found.covers[:, number] = np.where(active, adds, 0.0)
        left = np.where(holds & active[feature], 0.0, left)
        covered += found.covers[:, number]
        active &= covered < ENOUGH
    _find_text(found, groups, feature, weights, effective, base)
    return found


def _nothing(count: int) -> Found:
    shape = (count, RULES, FACTS_OF_RULE)
    share, base, low, bits = (np.zeros(shape) for _ in range(4))
    text_share, text_base, text_low = (np.zeros(count) for _ in range(3))
    return Found(
        kind=np.full(shape, -1, np.int16), code=np.full(shape, -1, np.int64), share=share,
        base=base, low=low, bits=bits, place=np.full(shape, -1, np.int64),
        covers=np.zeros(shape[:2]), text_kind=np.full(count, -1, np.int16),
        text_code=np.full(count, -1, np.int64), text_share=text_share, text_base=text_base,
        text_low=text_low, text_place=np.full(count, -1, np.int64),
    )  # fmt: skip


def _grouped(X: Array, feature: Array, count: int, base: Base) -> _Groups:
    place, kind = np.nonzero(X >= 0)
    code = X[place, kind].astype(np.int64)
    key = (feature[place].astype(np.int64) * COUNT + kind) * _CODES + code
    key, place = sorted_with(key, place, len(X))
    new = np.ones(len(key), bool)
    new[1:] = key[1:] != key[:-1]
    starts = np.flatnonzero(new)
    of = np.cumsum(new) - 1
    sizes = np.diff(np.append(starts, len(key)))
    enough = sizes >= LEAST
    renumbered = np.cumsum(enough) - 1
    keep = enough[of]
    heads = key[starts][enough]
    kinds = (heads // _CODES) % COUNT
    features = heads // _CODES // COUNT
    codes = heads % _CODES
    tried = np.bincount(features, minlength=count)
    return _Groups(
        order=place[keep], of=renumbered[of[keep]], feature=features, kind=kinds,
        code=codes, base=base.shares(kinds, codes), count=sizes[enough],
        z=_critical(np.maximum(tried, 1))[features],
    )  # fmt: skip


def _critical(tried: Array) -> Array:
    """Return how many standard errors an interval reaches where the best of many is looked at."""
    from scipy.special import ndtri

    return np.asarray(-ndtri(0.025 / np.sqrt(tried)))


def lower_end(share: Array, n: Array, z: Array) -> Array:
    """Return the lower end of Wilson's interval of a share of n."""
    z2 = z**2
    middle = share + z2 / (2 * n)
    width = z * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return np.asarray(np.maximum((middle - width) / (1 + z2 / n), 0.0))


def divergence(share: Array, base: Array) -> Array:
    """Return in bits how much a share tells that is not that of the text; 0 for one below it."""
    p, q = np.clip(share, 1e-9, 1 - 1e-9), np.clip(base, 1e-9, 1 - 1e-9)
    bits = p * np.log2(p / q) + (1 - p) * np.log2((1 - p) / (1 - q))
    return np.where(share > base, bits, 0.0)


def _best(
    groups: _Groups, left: Array, effective: Array, active: Array, count: int, left_out: Array
) -> tuple[Array, Array, Array]:
    """Return each feature's most telling group (−1: none), bits (G,) and lower shares (G,)."""
    share = np.bincount(groups.of, left[groups.order], len(groups.feature)).clip(0, 1)
    low = lower_end(share, effective[groups.feature], groups.z)
    bits = divergence(low, groups.base) * _WEIGHT[groups.kind]
    usable = (bits >= LEAST_BITS) & active[groups.feature] & (_FIRST & ~left_out)[groups.kind]
    best = np.full(count, -1, np.int64)
    order = np.flatnonzero(usable)
    order = order[np.argsort(bits[order], kind="stable")]
    best[groups.feature[order]] = order
    return best, bits, low


def _put(
    found: Found, number: int, place: int, features: Array, chosen: Array, groups: _Groups,
    X: Array, feature: Array, left: Array, bits: Array, low: Array,
) -> Array:  # fmt: skip
    """Write a fact of some features' rules, and return (n,) where it holds."""
    kind, code = np.full(found.kind.shape[0], -1), np.full(found.kind.shape[0], -1, np.int64)
    kind[features], code[features] = groups.kind[chosen], groups.code[chosen]
    n = np.arange(len(X))
    holds = (kind[feature] >= 0) & (X[n, np.maximum(kind[feature], 0)] == code[feature])
    found.kind[features, number, place] = groups.kind[chosen]
    found.code[features, number, place] = groups.code[chosen]
    share = np.bincount(feature, left * holds, found.kind.shape[0])
    found.share[features, number, place] = share[features]
    found.base[features, number, place] = groups.base[chosen]
    found.low[features, number, place] = low[chosen] / np.maximum(groups.base[chosen], 1e-9)
    found.bits[features, number, place] = bits[chosen]
    found.place[features, number, place] = _strongest(holds, feature, left, len(kind))[features]
    return np.asarray(holds)


def _refine(
    found: Found, number: int, place: int, features: Array, groups: _Groups, X: Array,
    feature: Array, left: Array, holds: Array, effective: Array, base: Base,
) -> None:  # fmt: skip
    """Add to rules a fact that often holds where their first does, and tells more."""
    count = found.kind.shape[0]
    before = np.bincount(feature, left * holds, count)
    inside = np.bincount(groups.of, (left * holds)[groups.order], len(groups.feature))
    share = (inside / np.maximum(before[groups.feature], 1e-9)).clip(0, 1)
    n = np.maximum(effective * before, 1.0)[groups.feature]
    low = lower_end(share, n, _Z_MORE)
    known = found.kind[:, number, :place]
    groups_known = np.where(known >= 0, _GROUP[np.maximum(known, 0)], -1)
    used = (groups_known[groups.feature] == _GROUP[groups.kind][:, None]).any(axis=1)
    told = np.isin(groups.feature, features) & (share >= _MORE_SHARE)
    hope = divergence(low, groups.base) * _WEIGHT[groups.kind]
    usable = told & ~used & _FURTHER[groups.kind] & (hope >= _MORE_BITS)
    some = np.flatnonzero(usable)
    some = some[np.lexsort((-hope[some], groups.feature[some]))]
    some = some[place_in_run(groups.feature[some]) < _CANDIDATES]
    # How often the fact holds in the text where the first does.
    first = found.kind[:, number, :1], found.code[:, number, :1]
    rate = base.shares_where(*first, groups.feature[some], groups.kind[some], groups.code[some])
    bits = divergence(low[some], rate) * _WEIGHT[groups.kind[some]]
    enough = bits >= _MORE_BITS
    some, rate, bits = some[enough], rate[enough], bits[enough]
    best = np.full(count, -1, np.int64)
    order = np.argsort(bits, kind="stable")
    best[groups.feature[some[order]]] = order
    chosen = np.flatnonzero(best >= 0)
    pick, at = some[best[chosen]], best[chosen]
    found.kind[chosen, number, place] = groups.kind[pick]
    found.code[chosen, number, place] = groups.code[pick]
    found.share[chosen, number, place] = share[pick]
    found.base[chosen, number, place] = rate[at]
    found.low[chosen, number, place] = low[pick] / np.maximum(rate[at], 1e-9)
    found.bits[chosen, number, place] = bits[at]
    kind, code = np.full(count, -1), np.full(count, -1, np.int64)
    kind[chosen], code[chosen] = groups.kind[pick], groups.code[pick]
    has = holds & (X[np.arange(len(X)), np.maximum(kind[feature], 0)] == code[feature])
    found.place[chosen, number, place] = _strongest(has, feature, left, count)[chosen]


def _find_text(
    found: Found, groups: _Groups, feature: Array, weights: Array, effective: Array, base: Base
) -> None:
    """Find the kind of text that a feature fires in more than its rules would have it."""
    count = len(found.text_kind)
    share = np.bincount(groups.of, weights[groups.order], len(groups.feature)).clip(0, 1)
    low = lower_end(share, effective[groups.feature], np.minimum(groups.z, _Z_MORE))
    usable = _OF_TEXT[groups.kind] & (share >= _TEXT_SHARE) & (low > groups.base)
    first = found.kind[:, 0, 0]
    usable &= ~_OF_TEXT[np.maximum(first, 0)][groups.feature] | (first < 0)[groups.feature]
    some = np.flatnonzero(usable)
    asked = groups.feature[some], groups.kind[some], groups.code[some]
    rate = np.zeros(len(some))
    of_rules = np.zeros(len(some))
    for number in range(RULES):
        part = found.covers[asked[0], number] * (found.kind[asked[0], number, 0] >= 0)
        rule = found.kind[:, number, :1], found.code[:, number, :1]
        rate += part * base.shares_where(*rule, *asked)
        of_rules += part
    rest = np.maximum(1 - of_rules, 0.0)
    rate = (rate + rest * groups.base[some]) / np.maximum(of_rules + rest, 1e-9)
    bits = divergence(low[some], rate) * _WEIGHT[groups.kind[some]]
    some, rate, bits = some[bits >= _TEXT_BITS], rate[bits >= _TEXT_BITS], bits[bits >= _TEXT_BITS]
    order = np.argsort(bits, kind="stable")
    best = np.full(count, -1, np.int64)
    best[groups.feature[some[order]]] = order
    chosen = np.flatnonzero(best >= 0)
    pick, at = some[best[chosen]], best[chosen]
    found.text_kind[chosen], found.text_code[chosen] = groups.kind[pick], groups.code[pick]
    found.text_share[chosen], found.text_base[chosen] = share[pick], rate[at]
    found.text_low[chosen] = low[pick] / np.maximum(rate[at], 1e-9)
    inside = np.isin(groups.of, pick)
    strongest = np.full(count, -1, np.int64)
    strongest[feature[groups.order[inside]]] = groups.order[inside]
    found.text_place[chosen] = strongest[chosen]


def _strongest(holds: Array, feature: Array, weights: Array, count: int) -> Array:
    """Return each feature's (count,) weightiest place of those where something holds; −1: none."""
    order = np.flatnonzero(holds)
    order = order[np.argsort(weights[order], kind="stable")]
    found = np.full(count, -1, np.int64)
    found[feature[order]] = order
    return found


def rule_holds(found: Found, X: Array, feature: Array, number: int) -> Array:
    """Return (n,) bool, whether the first fact of a rule holds at places."""
    kind, code = found.kind[feature, number, 0], found.code[feature, number, 0]
    return np.asarray((kind >= 0) & (X[np.arange(len(X)), np.maximum(kind, 0)] == code))
