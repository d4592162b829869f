"""Steering settings saved under a name in the project: `presets/<name>.json`. Free of torch and
Qt.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.language_model.names import same_name
from sae_desktop.project import Project, existing
from sae_desktop.steering.config import Sampling, Variant
from sae_desktop.steering.kept_pictures import KeptPicture
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

SCHEMA_VERSION = 4
"""Since 2 with a repetition penalty, since 3 with conditions: when it works, when a text ends,
since 4 with the pictures before the prompt."""


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """All that a steered continuation depends on, so that another start gives the same tokens."""

    schema_version: int = SCHEMA_VERSION
    name: str
    model: str
    site: str
    dictionary: str
    dictionary_hash: str = ""
    """Of the weights; empty where it was not known."""
    prompt: str
    variants: list[Variant]
    sampling: Sampling
    chat: bool = False
    pictures: list[KeptPicture] = []
    """Before the prompt, in their order."""


def preset_of(
    name: str,
    info: IndexInfo,
    prompt: str,
    variants: list[Variant],
    sampling: Sampling,
    *,
    chat: bool,
    pictures: Sequence[KeptPicture] = (),
) -> Preset:
    """Return a preset for the dictionary of an index."""
    return Preset(
        name=name, model=info.model, site=info.site, dictionary=info.dictionary,
        dictionary_hash=info.dictionary_hash, prompt=prompt, variants=variants,
        sampling=sampling, chat=chat, pictures=list(pictures),
    )  # fmt: skip


def save_preset(project: Project, preset: Preset, *, replace: bool = False) -> None:
    """Write a preset in one step.

    Raises UserError for a name that cannot be, one that is taken unless it may be replaced, and
    a full disk.
    """
    path = project.preset_path(preset.name)
    if not replace and path.exists():
        raise UserError(
            f"There is already a preset “{preset.name}”.",
            kept="It was left unchanged.",
            next_step="Choose another name, or choose to replace it.",
        )
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, msgspec.json.format(msgspec.json.encode(preset)))


def delete_preset(project: Project, name: str) -> None:
    """Take a preset away. Raises UserError when there is none, or it cannot be deleted."""
    path = project.preset_path(existing("preset", name, project.presets()))
    with explained(path):
        path.unlink()


def read_preset(project: Project, name: str) -> Preset:
    """Return a preset. Raises UserError when it is missing, damaged or too new."""
    existing("preset", name, project.presets())
    path = project.preset_path(name)
    try:
        return decode_preset(path.read_bytes(), name)
    except OSError as error:
        raise UserError(f"The preset “{name}” cannot be read: {error}.") from error


def decode_preset(data: bytes, name: str) -> Preset:
    """Return the preset a file holds. Raises UserError when it holds none, or a newer one."""
    try:
        preset = msgspec.json.decode(data, type=Preset)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"“{name}” is not a preset: {error}.",
            next_step="Choose a file that was saved as a preset.",
        ) from error
    if preset.schema_version > SCHEMA_VERSION:
        raise UserError(
            f"The preset “{name}” was written by a newer SAE Desktop.",
            next_step="Update SAE Desktop to use it.",
        )
    return upgraded(preset)


def upgraded(preset: Preset) -> Preset:
    """Return a preset as it is kept now: what had no repetition penalty was written without one."""
    sampling = preset.sampling
    if preset.schema_version < 2:
        sampling = msgspec.structs.replace(sampling, repetition_penalty=1.0)
    return msgspec.structs.replace(preset, schema_version=SCHEMA_VERSION, sampling=sampling)


def check_preset(preset: Preset, info: IndexInfo) -> None:
    """Raise UserError unless a preset is for the dictionary an index was made from."""
    same = same_name(preset.model, info.model)
    for what, wanted, found in (
        ("model", preset.model, preset.model if same else info.model),
        ("site", preset.site, info.site),
        ("dictionary", preset.dictionary, info.dictionary),
    ):
        if wanted != found:
            raise UserError(
                f"The preset “{preset.name}” is for the {what} “{wanted}”; the open index is for "
                f"“{found}”.",
                next_step="Open an index of that dictionary.",
            )
    hashes = {preset.dictionary_hash, info.dictionary_hash} - {""}
    if len(hashes) > 1:
        raise UserError(
            f"The dictionary “{preset.dictionary}” has been trained again since the preset "
            f"“{preset.name}” was saved, so its features have changed.",
            next_step="Choose the features again.",
        )
