"""How a concept set lies in a file: TOML with templates, or a table in CSV or JSON lines.

A TOML file says what the set is of, and has for each side and language the templates to learn
from (`train`) and those that are only scored on (`held_out`). A template is a text with places
such as {{topic}}, filled from the lists of its language under `fill`: the n-th text has the n-th
filler of each list, so that a template gives as many texts as its longest list. In the place of a
template a list of texts may stand: they are of one template. A table has the columns text and
side, and may have language, template and held_out. Free of torch and Qt.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from sae_desktop.corpus.source_code import program_languages
from sae_desktop.errors import UserError
from sae_desktop.language_names import is_language
from sae_desktop.storage.faults import explained

Side = Literal["positive", "negative"]
SIDES: tuple[Side, Side] = ("positive", "negative")
ENDINGS = (".toml", ".jsonl", ".csv")
MOST_BYTES = 8_000_000
MOST_TEXTS = 20_000
LONGEST_TEXT = 20_000
"""Characters."""
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_YES, _NO = {"1", "yes", "true", "positive"}, {"0", "no", "false", "negative", ""}
Family = str | list[str]


class Families(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The templates of one side in one language."""

    train: list[Family] = []
    held_out: list[Family] = []


class ConceptFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Content of a TOML file."""

    title: str
    about: str = ""
    """What the texts have in common that the near misses have not, in plain words."""
    group: str = "own"
    language: str = "en"
    """That of the templates which are learnt from; a programming language for code."""
    positive: dict[str, Families]
    negative: dict[str, Families]
    fill: dict[str, dict[str, list[str]]] = {}

    def side(self, side: Side) -> dict[str, Families]:
        return self.positive if side == "positive" else self.negative


class Row(NamedTuple):
    """One text as a file states it."""

    text: str
    side: Side
    language: str
    template: str
    """Names its template; empty: not told."""
    held_out: bool | None
    """None: not told."""


class Stated(NamedTuple):
    """What a file states."""

    title: str
    about: str
    group: str
    language: str
    """Empty: not told."""
    rows: list[Row]


def unusable(name: str, why: str, next_step: str) -> UserError:
    """Return what is said of a set that cannot be used."""
    return UserError(f"The concept set “{name}” cannot be used: {why}.", next_step=next_step)


def read_text(path: Path) -> str:
    """Return a set's file as text. Raises UserError where it is too large, or is not UTF-8."""
    with explained(path, reading=True):
        if (size := path.stat().st_size) > MOST_BYTES:
            raise unusable(
                path.stem,
                f"the file has {size:,} bytes, and a set has at most {MOST_BYTES:,}",
                "Split it into several sets.",
            )
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise unusable(
                path.stem, "the file is not text in UTF-8", "Save it in UTF-8."
            ) from error


def read_stated(path: Path) -> Stated:
    """Return what the file of a set states. Raises UserError that says where it is wrong."""
    text = read_text(path)
    if path.suffix.lower() == ".toml":
        return from_file(path.stem, read_file(path))
    if path.suffix.lower() == ".jsonl":
        return _table(path.stem, _json_rows(path.stem, text))
    if path.suffix.lower() == ".csv":
        return _table(path.stem, enumerate(csv.DictReader(io.StringIO(text)), 2))
    raise unusable(
        path.stem,
        f"“{path.name}” does not end in {', '.join(ENDINGS)}",
        "Save it as TOML, JSON lines or CSV.",
    )


def read_file(path: Path) -> ConceptFile:
    """Return a TOML file of a set. Raises UserError where it is none."""
    try:
        return msgspec.convert(tomllib.loads(read_text(path)), ConceptFile)
    except (ValueError, RecursionError) as error:
        raise unusable(
            path.stem, f"its file is not in the form of a set: {error}",
            "Mend the file; sae-desktop concept-sets show prints one as an example.",
        ) from error  # fmt: skip


def from_file(name: str, file: ConceptFile) -> Stated:
    """Return the texts of a set with their templates filled in."""
    rows: list[Row] = []
    for side in SIDES:
        for language, families in file.side(side).items():
            for held_out, part in ((False, families.train), (True, families.held_out)):
                for number, family in enumerate(part, 1):
                    where = f"{side}.{language}.{'held_out' if held_out else 'train'} {number}"
                    for text in _filled(name, where, family, file.fill.get(language, {})):
                        rows.append(Row(text, side, language, where, held_out))
            if len(rows) > MOST_TEXTS:
                raise _too_many(name)
    return Stated(file.title, file.about, file.group, file.language, rows)


def _filled(name: str, where: str, family: Family, fill: Mapping[str, list[str]]) -> Iterator[str]:
    if isinstance(family, list):
        yield from family
        return
    places = list(dict.fromkeys(_PLACE.findall(family)))
    for place in places:
        if not fill.get(place):
            language = where.split(".")[1]
            raise unusable(
                name, f"nothing fills the place {{{{{place}}}}} of the template {where}",
                f"Write a list “{place}” under [fill.{language}].",
            )  # fmt: skip
    for number in range(max((len(fill[place]) for place in places), default=1)):

        def filler(found: re.Match[str], number: int = number) -> str:
            listed = fill[found.group(1)]
            return listed[number % len(listed)]

        yield _PLACE.sub(filler, family)


def _too_many(name: str) -> UserError:
    return unusable(name, f"it has more than {MOST_TEXTS:,} texts", "Split it into several sets.")


def _json_rows(name: str, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line)
            except (ValueError, RecursionError) as error:
                raise unusable(
                    name, f"line {number} is not JSON: {error}", "Mend that line."
                ) from error


def _table(name: str, lines: Iterator[tuple[int, Any]]) -> Stated:
    rows = []
    for number, fields in lines:
        rows.append(_row(name, number, fields))
        if len(rows) > MOST_TEXTS:
            raise _too_many(name)
    return Stated(name, "", "own", "", rows)


def _row(name: str, number: int, fields: Any) -> Row:
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise unusable(
            name, f"line {number} has no field “text”",
            "Name the columns text, side, language, template and held_out; the last three may "
            "be missing.",
        )  # fmt: skip
    side = str(fields.get("side", "")).strip().lower()
    if side not in _YES | _NO - {""}:
        raise unusable(
            name, f"the side on line {number} is “{side}”", "Write positive or negative."
        )
    told = fields.get("held_out")
    held_out = None if told is None or told == "" else str(told).strip().lower() in _YES
    return Row(
        fields["text"],
        "positive" if side in _YES else "negative",
        str(fields.get("language") or "en").strip(),
        str(fields.get("template") or "").strip(),
        held_out,
    )


def check_language(name: str, language: str) -> None:
    """Raise UserError for what is neither a language’s code nor a programming language."""
    if not is_language(language) and language.lower() not in program_languages():
        raise unusable(
            name, f"“{language}” is not a language",
            "Write a code such as en, de or zh, or for code a programming language such as "
            "python or go.",
        )  # fmt: skip
