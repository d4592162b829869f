"""A concept set as it is typed: lines of text, and what becomes of them. Free of torch and Qt.

A line is a text, and a template of its own. One that begins with “+ ” is a further text of the
template above it. “↵” in a line stands for a new line in the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sae_desktop.corpus.alike import groups_of_texts
from sae_desktop.safety.concept_file import ConceptFile, Families, Family, Side, from_file
from sae_desktop.safety.concept_set import ConceptSet, checked

NEW_LINE, FURTHER = "↵", "+ "
HELD_OUT_EVERY = 3
"""Of templates that are held out by themselves, every third is."""


def typed(families: Sequence[Family]) -> str:
    """Return templates as the lines that stand for them."""
    lines = []
    for family in families:
        texts = [family] if isinstance(family, str) else family
        for number, text in enumerate(texts):
            line = text.replace("\r\n", "\n").replace("\n", NEW_LINE)
            lines.append(f"{FURTHER}{line}" if number else line)
    return "\n".join(lines)


def families_of(lines: str) -> list[Family]:
    """Return the templates that lines stand for; empty ones stand for nothing."""
    found: list[list[str]] = []
    for line in lines.splitlines():
        if not line.strip():
            continue
        further = line.startswith(FURTHER) and found
        text = line.removeprefix(FURTHER) if further else line
        text = text.replace(NEW_LINE, "\n")
        if further:
            found[-1].append(text)
        else:
            found.append([text])
    return [texts[0] if len(texts) == 1 else texts for texts in found]


def held_out_by_itself(families: Sequence[Family]) -> Families:
    """Return templates with every third held out; what is nearly the same stays together."""
    firsts = [family if isinstance(family, str) else family[0] for family in families]
    alike = groups_of_texts(firsts).tolist() if firsts else []
    joined: dict[int, Family] = {}
    for group, family in zip(alike, families, strict=True):
        if group in joined:
            joined[group] = [*_listed(joined[group]), *_listed(family)]
        else:
            joined[group] = family
    parts = Families(train=[], held_out=[])
    for number, family in enumerate(joined.values()):
        last = number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        (parts.held_out if last else parts.train).append(family)
    return parts


def _listed(family: Family) -> list[str]:
    return [family] if isinstance(family, str) else list(family)


def filled(lists: Mapping[str, Sequence[str]]) -> str:
    """Return the lists that fill places, a line each: “place: one | two”."""
    return "\n".join(f"{place}: {' | '.join(fillers)}" for place, fillers in lists.items())


def fillers_of(lines: str) -> dict[str, list[str]]:
    """Return the lists that lines such as “place: one | two” stand for."""
    found = {}
    for line in lines.splitlines():
        place, colon, fillers = line.partition(":")
        if colon and place.strip():
            found[place.strip()] = [one.strip() for one in fillers.split("|") if one.strip()]
    return found


def as_file(found: ConceptSet) -> ConceptFile:
    """Return a set as its file would state it, with the texts of a template as a list."""
    file = ConceptFile(
        title=found.title, about=found.about, group=found.group, language=found.language,
        positive={}, negative={},
    )  # fmt: skip
    places: dict[int, list[str]] = {}
    for text in found.texts:
        if text.template not in places:
            places[text.template] = []
            side: Side = "positive" if text.positive else "negative"
            families = file.side(side).setdefault(text.language, Families(train=[], held_out=[]))
            (families.held_out if text.held_out else families.train).append(places[text.template])
        places[text.template].append(text.text)
    return file


def check(name: str, file: ConceptFile) -> ConceptSet:
    """Return the set that a file states. Raises UserError as `checked`."""
    return checked(name, from_file(name, file), ships=False)


def added_to(
    file: ConceptFile, texts: Sequence[str], side: Side, language: str, *, held_out: bool
) -> ConceptFile:
    """Return a set with further texts, each a template of its own.

    Those in another language than the set's are held out.
    """
    whole = msgspec.convert(msgspec.to_builtins(file), ConceptFile)
    language = language or whole.language
    families = whole.side(side).setdefault(language, Families(train=[], held_out=[]))
    part = families.held_out if held_out or language != whole.language else families.train
    part += [[text] for text in texts]
    return whole


def counted(file: ConceptFile, side: Side, language: str) -> tuple[int, int]:
    """Return how many templates of a side are learnt from, and how many are held out."""
    families = file.side(side).get(language, Families(train=[], held_out=[]))
    return len(families.train), len(families.held_out)
