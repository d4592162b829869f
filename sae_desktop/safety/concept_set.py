"""Concept sets: texts with something in common, near misses without it, and what is held out.

Those that ship are `resources/concepts/*.toml`, a project's own `concepts/*.toml`, `.jsonl` or
`.csv`, which come before. What is learnt from and what is scored on are apart by template: a text
that is scored is of a template of which no text was learnt from. Texts in another language than
the set's are never learnt from. Free of torch and Qt.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.safety.concept_file import (
    ENDINGS,
    LONGEST_TEXT,
    SIDES,
    Row,
    Stated,
    check_language,
    read_stated,
    unusable,
)
from sae_desktop.safety.one_sided import one_sided_fillers, one_sided_text

FEWEST_TEMPLATES = 2
"""Of each side, both to learn from and to score on."""
USUAL_TEMPLATES = 6
"""Held out on each side from which on an interval says something."""
_HELD_OUT_EVERY = 3
"""Of a table that does not say what is held out, every third template is."""
_SHOWN = 60


class SetText(NamedTuple):
    """One text of a set."""

    text: str
    positive: bool
    language: str
    template: int
    """Texts of one number are of one template."""
    held_out: bool


class ConceptSet(NamedTuple):
    """A set that was checked: see `checked`."""

    name: str
    title: str
    about: str
    group: str
    """“safety”, “everyday”, or “own”."""
    language: str
    """That which is learnt from."""
    ships: bool
    texts: tuple[SetText, ...]

    def part(
        self,
        *,
        positive: bool | None = None,
        held_out: bool | None = None,
        other: bool | None = None,
    ) -> list[int]:
        """Return the places of texts of a side, a part, other languages; None: of all."""
        return [
            place
            for place, text in enumerate(self.texts)
            if positive in (None, text.positive)
            and held_out in (None, text.held_out)
            and other in (None, text.language != self.language)
        ]

    @property
    def digest(self) -> str:
        """Tells these texts and their parts from every other."""
        told = msgspec.json.encode([tuple(text) for text in self.texts])
        return hashlib.blake2b(told, digest_size=8).hexdigest()

    @property
    def other_languages(self) -> list[str]:
        """The languages that are never learnt from."""
        return sorted({text.language for text in self.texts} - {self.language})

    def warnings(self) -> list[str]:
        """Return what speaks against figures of this set, in sentences."""
        lines = []
        for positive, side in ((True, "positives"), (False, "near misses")):
            kept = self.part(positive=positive, held_out=True, other=False)
            if (count := len({self.texts[place].template for place in kept})) < USUAL_TEMPLATES:
                lines.append(
                    f"Of the {side}, {count} {'template is' if count == 1 else 'templates are'} "
                    f"held out. With fewer than {USUAL_TEMPLATES}, figures are uncertain: their "
                    "intervals are wide."
                )
        if not self.other_languages:
            lines.append("It has no text in another language, so nothing is said of others.")
        return lines + one_sided_text(one_sided_fillers(self.texts))


def shipped_sets() -> list[str]:
    """Return the names of the sets that ship."""
    return sorted(path.stem for path in resource_path("concepts").glob("*.toml"))


def own_sets(project: Project) -> dict[str, Path]:
    """Return the files of a project's own sets by name; TOML comes before JSON lines and CSV."""
    found: dict[str, Path] = {}
    for ending in ENDINGS:
        for path in sorted(project.path.glob(f"concepts/[!.]*{ending}")):
            found.setdefault(path.stem, path)
    return found


def all_sets(project: Project | None) -> list[str]:
    """Return the names of all sets, the project's own among them."""
    own = own_sets(project) if project is not None else {}
    return sorted({*own, *shipped_sets()})


def set_path(project: Project | None, name: str) -> tuple[Path, bool]:
    """Return the file of a set, and whether it ships. Raises UserError where there is none."""
    own = own_sets(project) if project is not None else {}
    if name in own:
        return own[name], False
    if name not in shipped_sets():
        raise UserError(
            f"There is no concept set “{name}”.",
            next_step=f"Available: {', '.join(all_sets(project))}.",
        )
    return resource_path(f"concepts/{name}.toml"), True


def read_set(project: Project | None, name: str) -> ConceptSet:
    """Return a set of the project's, or one that ships. Raises UserError as `checked`."""
    path, ships = set_path(project, name)
    return checked(name, read_stated(path), ships=ships)


def read_set_file(path: Path) -> ConceptSet:
    """Return a set from any file. Raises UserError as `checked`."""
    return checked(path.stem, read_stated(path), ships=False)


def checked(name: str, stated: Stated, *, ships: bool) -> ConceptSet:
    """Return what a file states, put in order.

    Raises UserError for a side without enough texts, a text on both sides, nothing held out, one
    template only, templates that are the same in both parts, an unknown language, and an empty or
    overlong text.
    """
    rows = stated.rows
    for language in dict.fromkeys([row.language for row in rows]):
        check_language(name, language)
    for row in rows:
        if not row.text.strip():
            raise unusable(name, f"one of its {row.side} texts is empty", "Leave it out.")
        if len(row.text) > LONGEST_TEXT:
            raise unusable(
                name,
                f"“{_short(row.text)}” has {len(row.text):,} characters, and a text has at most "
                f"{LONGEST_TEXT:,}",
                "Leave it out or shorten it.",
            )
    _refuse_both_sides(name, rows)
    main = stated.language or _usual_language(rows)
    texts = _parted(rows, main)
    _refuse_too_few(name, texts, main)
    _refuse_alike(name, texts, main)
    return ConceptSet(name, stated.title, stated.about, stated.group, main, ships, tuple(texts))


def _refuse_both_sides(name: str, rows: Sequence[Row]) -> None:
    sides = {
        side: {" ".join(row.text.casefold().split()) for row in rows if row.side == side}
        for side in SIDES
    }
    for side in SIDES:
        if len(sides[side]) < FEWEST_TEMPLATES * 2:
            raise unusable(
                name,
                f"it has {len(sides[side])} different {side} text"
                f"{'' if len(sides[side]) == 1 else 's'}, and at least {FEWEST_TEMPLATES * 2} are "
                "needed: some to learn from and others to be scored on",
                f"Add {side} texts of several templates.",
            )
    if both := sides["positive"] & sides["negative"]:
        raise unusable(
            name, f"“{_short(min(both))}” is a positive and a negative",
            "Leave it out on one side.",
        )  # fmt: skip


def _usual_language(rows: Sequence[Row]) -> str:
    return Counter(row.language for row in rows).most_common(1)[0][0]


def _parted(rows: Sequence[Row], main: str) -> list[SetText]:
    """Return the texts, each with the number of its template and whether it is held out."""
    from sae_desktop.corpus.alike import groups_of_texts  # scipy: only once it is needed

    alike = groups_of_texts([row.text for row in rows]).tolist()
    numbers: dict[tuple[str, str, str], int] = {}
    families: dict[tuple[str, bool], list[int]] = {}
    texts = []
    for row, group in zip(rows, alike, strict=True):
        key = (row.side, row.language, row.template or f"alike {group}")
        number = numbers.setdefault(key, len(numbers))
        held_out = row.held_out
        if held_out is None:
            listed = families.setdefault((row.side, row.language == main), [])
            if number not in listed:
                listed.append(number)
            held_out = listed.index(number) % _HELD_OUT_EVERY == _HELD_OUT_EVERY - 1
        other = row.language != main
        texts.append(
            SetText(row.text, row.side == "positive", row.language, number, held_out or other)
        )
    return texts


def _refuse_too_few(name: str, texts: Sequence[SetText], main: str) -> None:
    for side in SIDES:
        for held_out in (False, True):
            families = {
                text.template
                for text in texts
                if text.language == main
                and text.positive == (side == "positive")
                and text.held_out == held_out
            }
            if len(families) >= FEWEST_TEMPLATES:
                continue
            if held_out and not families:
                raise unusable(
                    name, f"nothing of its {side} texts is held out",
                    "Put at least a third of the templates under held_out.",
                )  # fmt: skip
            part = "scored on" if held_out else "learnt from"
            count = {0: "no", 1: "one"}[len(families)]
            raise unusable(
                name,
                f"its {side} texts have {count} template that is {part}, and at least "
                f"{FEWEST_TEMPLATES} are needed: texts of one template say nothing of others",
                "Write texts of further templates.",
            )


def _refuse_alike(name: str, texts: Sequence[SetText], main: str) -> None:
    """Raise UserError where a template that is scored on is one that is learnt from, too."""
    from sae_desktop.corpus.alike import groups_of_texts  # scipy: only once it is needed

    own = [text for text in texts if text.language == main]
    groups = groups_of_texts([text.text for text in own]).tolist()
    learnt: dict[tuple[bool, int], SetText] = {}
    for text, group in zip(own, groups, strict=True):
        if not text.held_out:
            learnt.setdefault((text.positive, group), text)
    for text, group in zip(own, groups, strict=True):
        other = learnt.get((text.positive, group))
        if text.held_out and other is not None:
            raise unusable(
                name,
                f"“{_short(text.text)}” is held out but nearly the same as "
                f"“{_short(other.text)}”, which is learnt from",
                "Put both under train, or both under held_out.",
            )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
