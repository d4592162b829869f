"""Dictionaries by their names in SAELens's directory of releases, loaded through SAELens."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from sae_desktop.dictionary.formats.through_saelens import INSTALL
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.files.hub_faults import explained_hub
from sae_desktop.storage.network import network_off, way_online

PREFIX = "saelens:"
_SHOWN = 6


def bring_release(source: str, folder: Path, context: JobContext) -> None:
    """Save the dictionary `saelens:RELEASE/ID` in a folder, in SAELens's own format.

    SAELens knows more formats of files than this project; whichever it is, this is read alike.
    Pickles are read as tensors only. Raises UserError where SAELens is not installed, for a name
    that is not in its directory, where the network is off, and for what the hub ends a download
    with.
    """
    release, _, inside = source.removeprefix(PREFIX).partition("/")
    if find_spec("sae_lens") is None:
        raise UserError(
            f"“{source}” is a name from SAELens's directory, but SAELens is not installed.",
            next_step=f"Install it with {INSTALL}, and try again.",
        )
    if network_off():
        raise UserError(
            f"“{source}” lies on the hub, and the network is off in the settings.",
            next_step=f"{way_online()}, or import a folder of its files.",
        )
    from sae_lens import SAE
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    directory: dict[str, Any] = get_pretrained_saes_directory()
    _require_known(release, list(directory), "SAELens knows no release", "Releases")
    _require_known(
        inside, list(directory[release].saes_map), f"Of “{release}” there is no", "It has"
    )
    context.log(f"SAELens is loading “{inside}” of “{release}”.")
    with explained_hub(directory[release].repo_id), _tensors_only():
        try:
            sae = SAE.from_pretrained(release, inside, device="cpu")
        except UnpicklingError as error:
            raise UserError(
                f"The weights of “{source}” contain more than tensors and numbers: opening them "
                "could run code.",
                kept="They were not opened.",
                next_step="Ask its maker for the weights as safetensors.",
            ) from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError(
                f"SAELens cannot read “{source}”: {error}.",
                next_step="Try another version of SAELens.",
            ) from error
    context.check_cancelled()
    sae.save_model(folder)


def _require_known(name: str, names: list[str], says: str, introduces: str) -> None:
    if name in names:
        return
    near = get_close_matches(name, names, n=_SHOWN, cutoff=0.3) or names[:_SHOWN]
    rest = f", and {len(names) - len(near)} more" if len(names) > len(near) else ""
    raise UserError(f"{says} “{name}”.", next_step=f"{introduces}: {', '.join(near)}{rest}.")


_guard = threading.Lock()
_guarded = 0
"""How many imports need the guard now; what they found stands in `_before`."""
_before: str | None = None
_ONLY_WEIGHTS = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


@contextlib.contextmanager
def _tensors_only() -> Iterator[None]:
    """Have torch refuse pickles that hold more than tensors, whoever reads them.

    It is one switch for the whole process: it stays on while any import needs it.
    """
    global _guarded, _before
    with _guard:
        if _guarded == 0:
            _before = os.environ.get(_ONLY_WEIGHTS)
        _guarded += 1
        os.environ[_ONLY_WEIGHTS] = "1"
    try:
        yield
    finally:
        with _guard:
            _guarded -= 1
            if _guarded == 0 and _before is None:
                os.environ.pop(_ONLY_WEIGHTS, None)
            elif _guarded == 0:
                os.environ[_ONLY_WEIGHTS] = str(_before)
