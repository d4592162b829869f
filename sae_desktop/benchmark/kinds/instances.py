"""Kinds of instance of one idea, read from files. Free of torch.

A file holds a group of concepts and the sentences into which their words are put; its form is told
in resources/instances/README.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path

SHIPPED = "instances"
LANGUAGES = ("en", "de", "fr", "es", "ru")
SYNONYMS, DESCRIPTION, SYMBOL, CODE, PICTURE = (
    "synonyms", "description", "symbol", "code", "picture",
)  # fmt: skip
KINDS = (*LANGUAGES, SYNONYMS, DESCRIPTION, SYMBOL, CODE, PICTURE)
"""In the order of a table: from the word itself to what only means it."""
_SYMBOL_FRAMES = ("{s}", "{s}{s}{s}", "{s} !", "– {s} –", "{s} ? {s}", "1. {s} 2. {s}")
"""Of no language, so that the symbol alone says what it is."""
_MOST_BYTES = 2_000_000


class Concept(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of one concept."""

    symbols: list[str]
    pictures: list[str] = []
    """Code points of drawings, such as “1f40e”, which is also what their files are called."""
    en: dict[str, str] = {}
    de: dict[str, str] = {}
    fr: dict[str, str] = {}
    es: dict[str, str] = {}
    ru: dict[str, str] = {}
    """By language, the forms of its word by the names that frames call them."""
    synonyms: list[str] = []
    description: list[str] = []
    code: list[str] = []


class Instance(NamedTuple):
    """One text, or one picture, of a concept."""

    concept: str
    kind: str
    text: str
    """Of a picture its code point."""
    frame: int
    """Which sentence, word or picture of its kind it is: what is held out together."""


class Named(NamedTuple):
    """A concept with its group."""

    name: str
    group: str
    told: Concept
    frames: dict[str, list[str]]


def read_concepts(folder: Path | None = None) -> list[Named]:
    """Return the concepts of a folder's files, in their order; None: those that are shipped.

    Raises UserError that names the file and what is wrong in it.
    """
    folder = resource_path(SHIPPED) if folder is None else folder
    files = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    if not files:
        raise UserError(
            f"“{folder}” has no files of concepts.",
            next_step="Choose a folder with .toml files of concepts and their kinds of instance.",
        )
    found = [concept for file in files for concept in _read_file(file)]
    names = [concept.name for concept in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"The concept “{twice}” stands in “{folder}” twice.", next_step="Rename one of them."
        )
    return found


def _read_file(file: Path) -> list[Named]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
        data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        frames = msgspec.convert(data.pop("frames"), dict[str, list[str]])
        concepts = msgspec.convert(data, dict[str, Concept])
        found = [Named(name, file.stem, told, frames) for name, told in concepts.items()]
        for named in found:
            list(instances(named))  # so that a form that is missing is told here
    except KeyError as error:
        raise _unreadable(file, f"there is no {error}") from error
    except (OSError, ValueError, IndexError, msgspec.ValidationError) as error:
        raise _unreadable(file, str(error)) from error
    return found


def _unreadable(file: Path, why: str) -> UserError:
    return UserError(
        f"“{file}” cannot be read as concepts: {why}.",
        kept="Nothing was read.",
        next_step="Mend the file; the README.md beside the shipped ones tells its form.",
    )


def chosen_concepts(concepts: Sequence[Named], names: Sequence[str]) -> list[Named]:
    """Return those of some names; without names all. Raises UserError for one that is unknown."""
    known = {concept.name: concept for concept in concepts}
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise UserError(
            f"There is no concept “{unknown}”.", next_step=f"Choose of: {', '.join(known)}."
        )
    return [known[name] for name in names] if names else list(concepts)


def instances(concept: Named) -> Iterator[Instance]:
    """Yield all instances of a concept, pictures by their code points."""
    told, frames = concept.told, concept.frames
    for language in LANGUAGES:
        forms = getattr(told, language)
        if not forms:
            continue
        for number, frame in enumerate(frames.get(language, [])):
            yield Instance(concept.name, language, filled(frame, forms), number)
    of_synonyms = frames.get(SYNONYMS, [])
    for number, word in enumerate(told.synonyms):
        text = filled(of_synonyms[number % len(of_synonyms)], {"a": word}) if of_synonyms else word
        yield Instance(concept.name, SYNONYMS, text, number)
    for number, text in enumerate(told.description):
        yield Instance(concept.name, DESCRIPTION, text, number)
    for number, frame in enumerate(_SYMBOL_FRAMES):
        symbol = told.symbols[number % len(told.symbols)]
        yield Instance(concept.name, SYMBOL, frame.replace("{s}", symbol), number)
    for number, text in enumerate(told.code):
        yield Instance(concept.name, CODE, text, number)
    for number, code_point in enumerate(told.pictures):
        yield Instance(concept.name, PICTURE, code_point, number)


def filled(frame: str, forms: dict[str, str]) -> str:
    """Return a sentence with forms of a word in it; {A} is the form {a} with a capital.

    Raises KeyError for a form that there is not.
    """
    capital = {name[:1].upper() + name[1:]: form[:1].upper() + form[1:]
               for name, form in forms.items()}  # fmt: skip
    return frame.format_map({**capital, **forms})
