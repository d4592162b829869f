"""What features are called: rules in the words of a list, and in whole sentences.

A name says first what tells most: the tokens, then what stands before them, then the kind of text.
What is text stands in quotes; “…ing” ends a word, “un…” begins one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sae_desktop.features.naming.quoting import quoted
from sae_desktop.features.naming.tokens import BLANKS

LONGEST = 60
"""Characters of a short name, about."""
EXAMPLES = 3
_FEW, _GUESS = 0.5, 0.33
"""Of the strength: where a name covers less, it says that there is more, or that it is a guess."""
_OFTEN = 0.6
TOKENS = ("token", "key", "word", "begun", "pair", "triple", "four")
"""Facts that are a piece of text itself."""
PROGRAMS = ("Python", "Java", "JavaScript", "Rust")
"""Languages that are written in code."""
NO_PATTERN, FEW_FIRINGS = "many kinds of tokens", "few firings"
FEW_PLACES = 16
"""Places, of which a feature with fewer is said to fire seldom rather than on anything."""

ON = {
    "class": "{}", "sign": "{}", "case": "{}", "kind": "{}", "script": "{}",
    "end2": "words ending in {}", "end3": "words ending in {}", "end4": "words ending in {}",
    "start1": "words beginning with {}", "start2": "words beginning with {}",
    "start3": "words beginning with {}",
    "source": "text of {}", "language": "{} text", "document": "{}",
    "previous": "after {}", "previous_word": "after the word {}", "previous_pair": "after {}",
    "previous_class": "after {}", "previous_kind": "after {}", "previous_case": "after {}",
    "second_before": "two tokens after {}",
    "next": "before {}", "next_class": "before {}", "next_case": "before {}",
    "line": "{}", "sentence": "{}", "start": "{}", "brackets": "{}", "piece": "{}",
    "line_head": "in lines that begin with {}",
}  # fmt: skip
"""What a fact is called, of a kind that is not a piece of text itself."""
IN_A_WORD = " in a word"
IS_QUOTED = (
    "end2", "end3", "end4", "start1", "start2", "start3", "previous", "previous_word",
    "previous_pair", "second_before", "next", "line_head",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A fact in words."""

    kind: str
    value: str
    """As it stands in the text, or what a person calls it."""
    share: float
    base: float
    low: float
    slots: list[int] = field(default_factory=list)
    """Of the feature's contexts, those in which it holds."""
    parts: tuple[str, ...] = ()
    """Quoted: characters of which a token is some of the bytes."""
    piece: str = ""
    """“…” before or after: how a token stands in its word, such as “…x” for the end."""

    @property
    def is_token(self) -> bool:
        return self.kind in TOKENS

    @property
    def place(self) -> str:
        """A kind of text, as where something is."""
        if self.kind != "language":
            return self.value
        return f"{self.value} code" if self.value in PROGRAMS else self.value

    @property
    def words(self) -> str:
        """The fact as a part of a name."""
        if self.parts:
            return f"{'parts' if len(self.parts) > 1 else 'a part'} of {', '.join(self.parts)}"
        if self.value in BLANKS:
            shown = self.value
        elif self.is_token:
            return in_word(self.value, self.piece)
        elif self.kind == "language" and self.value in PROGRAMS:
            return self.place
        elif self.kind == "previous" and self.piece.startswith("…"):
            return f"after {in_word(self.value, 'x…')}{IN_A_WORD}"
        elif self.kind in IS_QUOTED:
            shown = quoted(self.value)
        else:
            shown = self.value
        if self.kind.startswith(("end", "start")) and self.kind != "start":
            shown = in_word(self.value, "…x" if self.kind.startswith("end") else "x…")
        if self.is_token:
            return shown
        return ON[self.kind].format(shown)

    @property
    def brief(self) -> str:
        """The fact as a part of a list's name, what tells most first: it may be cut short."""
        if self.kind.startswith(("end", "start")) and self.kind != "start":
            return in_word(self.value, "…x" if self.kind.startswith("end") else "x…")
        if self.kind == "source":
            return self.value
        return self.words.removesuffix(IN_A_WORD)


@dataclass(frozen=True)
class ToldRule:
    """A rule in words: its facts, what it adds, and tokens that show it."""

    facts: list[Told]
    covers: float
    examples: list[str]
    """Quoted."""


def in_word(text: str, piece: str) -> str:
    """Return a piece of a word in quotes, with “…” where the word continues."""
    return quoted(text, "…" if piece.startswith("…") else "", "…" if piece.endswith("…") else "")


# ---------------------------------------------------------------- short
def short_name(
    rules: Sequence[ToldRule], text: Told | None, examples: Sequence[str],
    raised: Sequence[str], places: int,
) -> str:  # fmt: skip
    """Return the name for a list. `examples`: tokens of the strongest firings, quoted; `places`:
    how many firings it is made from.
    """
    tail = _text_tail(text)
    room = LONGEST - len(tail)
    if not rules:
        told = _listed(list(examples[:EXAMPLES]))
        few = places < FEW_PLACES
        plain = FEW_FIRINGS if few else NO_PATTERN
        head = f"{plain}{', on ' if few else ', such as '}{told}" if told else plain
        return (head if len(head) <= room else plain) + tail
    parts: list[str] = []
    used = 0.0
    for group in _merged(rules):
        part = _group_words(group, room - len("; ".join([*parts, ""])), first=not parts)
        if parts and len("; ".join([*parts, part])) > room:
            break
        parts.append(part)
        used += sum(rule.covers for rule in group)
    head = "; ".join(parts)
    if used < _GUESS and len(head) + len("perhaps ") <= room:
        head = f"perhaps {head}"
    elif used < _FEW and len(head) + len(" and others") <= room:
        head += " and others"
    name = head + tail
    if raised and used >= _OFTEN and len(name) < LONGEST - 22:
        more = f", then {quoted(raised[0])}"
        if raised[0].casefold() not in head.casefold():
            name = head + more + tail
    return name


def _text_tail(text: Told | None) -> str:
    if text is None:
        return ""
    return f" · {text.place}" if text.share >= 0.8 else f" · mostly {text.place}"


def _merged(rules: Sequence[ToldRule]) -> list[list[ToldRule]]:
    """Put rules that are said in one breath together: tokens, endings, what stands before."""
    groups: dict[str, list[ToldRule]] = {}
    for rule in rules:
        first = rule.facts[0]
        key = "token" if first.is_token else first.kind
        groups.setdefault(key.rstrip("234"), []).append(rule)
    return list(groups.values())


def _group_words(group: Sequence[ToldRule], room: int, *, first: bool) -> str:
    if len(group) == 1:
        return _rule_words(group[0], room, first=first)
    # Parts of characters last: “parts of” would seem to go with whatever follows.
    facts = sorted((rule.facts[0] for rule in group), key=lambda fact: bool(fact.parts))
    words = [fact.brief for fact in facts]
    kind = facts[0].kind
    if not facts[0].is_token and ON.get(kind, "{}") != "{}" and words[0] == facts[0].words:
        before, _, after = ON[kind].partition("{}")
        bare = [word.removeprefix(before).removesuffix(after) for word in words]
        return f"{before}{_listed(bare, room - len(before))}{after}"
    if kind == "previous":
        bare = [word.removeprefix("after ") for word in words]
        return f"after {_listed(bare, room - 6)}"
    told = _listed(words, room)
    shared = [q for q in group[0].facts[1:] if all(_has(rule, q) for rule in group[1:])]
    for fact in shared:
        if len(told) + len(fact.brief) + 2 <= room:
            told += f", {fact.brief}"
    return told


def _has(rule: ToldRule, fact: Told) -> bool:
    return any((f.kind, f.value) == (fact.kind, fact.value) for f in rule.facts[1:])


def _rule_words(rule: ToldRule, room: int, *, first: bool) -> str:
    fact = rule.facts[0]
    told = fact.brief
    shows = not fact.is_token and rule.examples and fact.kind not in ("start",)
    alone = told.casefold().strip("“”…")
    examples = [e for e in rule.examples if e.casefold().strip("“”…") != alone]
    if shows and first:
        for count in range(min(EXAMPLES, len(examples)), 0, -1):
            more = f"{told}: {', '.join(examples[:count])}"
            if len(more) <= room:
                told = more
                break
    for qualifier in rule.facts[1:]:
        often = "" if qualifier.share >= _OFTEN else "often "
        more = f"{told}, {often}{qualifier.brief}"
        if qualifier.is_token:  # the examples say as much
            continue
        if len(more) <= room:
            told = more
    return told


def _listed(words: list[str], room: int = 1000) -> str:
    """Return “a”, “b” or “c”, of as many as there is room for."""
    words = list(dict.fromkeys(words))
    for count in range(len(words), 0, -1):
        some = words[:count]
        told = ", ".join(some[:-1]) + f" or {some[-1]}" if count > 1 else some[0]
        if len(told) <= room or count == 1:
            return told
    return ""


# ---------------------------------------------------------------- long
def long_name(
    rules: Sequence[ToldRule], text: Told | None, examples: Sequence[str],
    raised: Sequence[str], places: int, cover: float,
) -> str:  # fmt: skip
    """Return the name in whole sentences, with its evidence."""
    sentences = []
    for number, rule in enumerate(rules):
        sentences.append(_rule_sentence(rule, number))
    if not rules:
        shown = f" Its strongest firings are on {_listed(list(examples))}." if examples else ""
        sentences.append(f"No fact stands out where it fires.{shown}")
    elif cover < _FEW:
        sentences.append(
            f"This covers {_percent(cover)} of its firings; for the rest no fact stands out."
        )
    if text is not None:
        sentences.append(
            f"{_percent(text.share)} of its firings are in {text.place}, where "
            f"{_percent(text.base)} would be expected."
        )
    if raised:
        sentences.append(f"It raises {_and(quoted(token) for token in raised)}.")
    noun = "place" if places == 1 else "places"
    sentences.append(f"Made from {places:,} {noun} where it fires.")
    return " ".join(sentences)


def _rule_sentence(rule: ToldRule, number: int) -> str:
    fact = rule.facts[0]
    start = "It fires" if number == 0 else "It also fires"
    told = _clause(fact)
    sentence = (
        f"{start} {told}: {_percent(rule.covers)} of its firings, at least {_times(fact.low)} "
        "as often as elsewhere in the text"
    )
    if rule.examples and not fact.is_token:
        sentence += f"; such as {_and(rule.examples)}"
    for qualifier in rule.facts[1:]:
        sentence += f"; {_percent(qualifier.share)} of these are {_clause(qualifier)}"
    return sentence + "."


def _clause(fact: Told) -> str:
    words = fact.words
    if fact.kind in ("previous", "previous_word", "previous_pair", "previous_class",
                     "previous_kind", "previous_case", "next", "next_class", "next_case",
                     "second_before", "line", "sentence", "start", "brackets",
                     "line_head"):  # fmt: skip
        return words
    return f"in {words}" if fact.kind in ("source", "language", "document") else f"on {words}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


def _times(lift: float) -> str:
    return f"{lift:,.0f} times" if lift >= 10 else f"{lift:.1f} times"


def _and(words: Iterable[str]) -> str:
    some = list(words)
    return some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"
