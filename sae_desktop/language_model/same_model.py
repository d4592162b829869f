"""Whether two things belong to the same model; the one place where that is decided and
explained.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import ModelDtype
from sae_desktop.language_model.files.find import find_model, weights_there
from sae_desktop.language_model.identity import (
    Identity,
    identity_if_here,
    places_of,
    weights_part,
)
from sae_desktop.language_model.load import (
    LanguageModel,
    Network,
    load_any,
    load_model,
    load_reader,
)
from sae_desktop.language_model.names import KNOWN, PREFIX, ModelMark, hub_name, same_name
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

_FILE = "models.json"


class SaidSame(msgspec.Struct, frozen=True):
    """Models that the person said are one, in a project: pairs of identities or names."""

    pairs: list[tuple[str, str]] = []

    def others(self, mark: ModelMark) -> list[str]:
        """Return what the person said is the same as a model."""
        own = {mark.revision, mark.name} - {""}
        return [b if a in own else a for a, b in self.pairs if own & {a, b}]

    def same(self, one: ModelMark, other: ModelMark) -> bool:
        return bool({other.revision, other.name} & set(self.others(one)))


def said_same(project: Path) -> SaidSame:
    """Return what was said in a project; a file that cannot be read says nothing."""
    try:
        return msgspec.json.decode((project / _FILE).read_bytes(), type=SaidSame)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return SaidSame()


def say_same(project: Path, one: ModelMark, other: ModelMark) -> None:
    """Keep in a project that two models are one. Raises UserError when the disk is full."""
    pair = (one.key, other.key)
    kept = [old for old in said_same(project).pairs if set(old) != set(pair)]
    path = project / _FILE
    with explained(path):
        write_bytes(path, msgspec.json.format(msgspec.json.encode(SaidSame([*kept, pair]))))


def difference(one: ModelMark, other: ModelMark, project: Path) -> str:
    """Return in words how two models differ; "" where they are one, or nothing is known of one."""
    if not one.name or not other.name or said_same(project).same(one, other):
        return ""
    if one.has_identity and other.has_identity:
        return _between_identities(one, other)
    if one.revision and other.revision:
        return _between_revisions(one, other)
    if same_name(one.name, other.name):
        return ""
    found = [_identity(one), _identity(other)]
    if found[0] and found[1]:
        return _between_identities(ModelMark(one.name, found[0]), ModelMark(other.name, found[1]))
    return "their names alone do not show whether they are the same model"


def _between_identities(one: ModelMark, other: ModelMark) -> str:
    if one.revision != other.revision:
        if weights_part(one.revision) != weights_part(other.revision):
            return "their weights differ"
        return "their weights are the same, but their settings (config.json) differ"
    if one.tokenizer and other.tokenizer and one.tokenizer != other.tokenizer:
        return "their weights are the same, but their tokenizers differ"
    return ""


def _between_revisions(one: ModelMark, other: ModelMark) -> str:
    """Compare where at least one was written by a version that did not read weights."""
    if one.revision == other.revision or _first(one) == _first(other) != "":
        return ""
    # Of a model fetched by its short name that version's digest was of a temporary folder, too.
    if same_name(one.name, other.name) and hub_name(one.name) in _fetched():
        return ""
    if not _first(one) or not _first(other):
        return (
            "one was made by an earlier version of this program, which recorded less about its "
            "model"
        )
    return "their files differ"


def _fetched() -> set[str]:
    return {known.hub for known in KNOWN.values()}


def _first(mark: ModelMark) -> str:
    """Return the revision of earlier versions; of an identity, if that model is here."""
    if mark.first or not mark.has_identity:
        return mark.first or mark.revision
    for name in (mark.name, *places_of(mark.revision)):
        found = _here(name)
        if found is not None and found.text == mark.revision:
            return found.first
    return ""


def _identity(mark: ModelMark) -> str:
    if mark.has_identity:
        return mark.revision
    found = _here(mark.name)
    return found.text if found else ""


def _here(name: str) -> Identity | None:
    try:
        return identity_if_here(find_model(name)) if name else None
    except UserError:
        return None


def require_same_model(
    what: str, one: ModelMark, other_what: str, other: ModelMark, project: Path
) -> None:
    """Raise UserError where two things are of different models.

    Each is named as `models same` takes it: “store:name”, “dictionary:name”, “index:name”, or
    the name of a model.
    """
    how = difference(one, other, project)
    if not how:
        return
    command = " ".join(shlex.quote(word) for word in ("same", str(project), what, other_what))
    first, second = _in_words(what, one), _in_words(other_what, other)
    raise UserError(
        f"{first[0].upper()}{first[1:]} and {second} do not belong together: {how}.",
        kept="Nothing was changed.",
        next_step="Use the model it was made with, or make it again with this one. If you know "
        "that they are the same model, say so with “Set its model…” in its menu under "
        f"Project, or with: sae-desktop models {command}.",
    )


def _in_words(what: str, mark: ModelMark) -> str:
    kind, _, name = what.partition(":")
    if kind not in ("store", "dictionary", "index", "preset") or not name:
        return f"the model “{mark.name}”"
    return f"the {kind} “{name}” (model “{mark.name}”)"


def load_recorded(
    what: str,
    mark: ModelMark,
    project: Path,
    device: str,
    dtype: ModelDtype,
    beside: Sequence[LanguageModel] = (),
) -> LanguageModel:
    """Return the model with which something in a project was made.

    It is found where it was, or elsewhere on this machine by its identity, or as what the person
    said is the same; those that it is loaded `beside` stay in memory. Raises UserError where it is
    not here, and for another in its place.
    """
    lm = load_model(_findable(mark, project), device, dtype, beside=beside)
    require_same_model(what, mark, lm.name, lm.mark, project)
    return lm


def load_recorded_any(
    what: str, mark: ModelMark, project: Path, device: str, dtype: ModelDtype
) -> Network:
    """As `load_recorded`, an encoder of pictures alone, too."""
    lm = load_any(_findable(mark, project), device, dtype)
    require_same_model(what, mark, lm.name, lm.mark, project)
    return lm


def _findable(mark: ModelMark, project: Path) -> str:
    """Return by what name or place a model is found; its own name where it is not here.

    Of several places that have its weights, it is one that has its tokenizer, too.
    """
    if _is_here(mark.name):
        return mark.name
    aliases = [name for name, known in KNOWN.items() if known.hub == hub_name(mark.name)]
    known = [mark.revision, *said_same(project).others(mark)]
    places = [p for one in known for p in (places_of(one) if one.startswith(PREFIX) else [one])]
    found = [name for name in (*places, *aliases) if _is_here(name)]
    if mark.tokenizer and len(found) > 1:
        found.sort(key=lambda name: not _has_tokenizer(name, mark.tokenizer))
    return found[0] if found else mark.name


def _is_here(name: str) -> bool:
    try:
        return bool(name) and weights_there(find_model(name))
    except UserError:
        return False


def _has_tokenizer(name: str, digest: str) -> bool:
    try:
        return load_reader(name).tokenizer_hash == digest
    except UserError:
        return False
