"""Every place outside of projects that the program writes to, as data. Free of torch and Qt."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from sae_desktop.demonstrations import Demonstration, demonstration_path, offered
from sae_desktop.language_model.files.model_cache import (
    digests_path,
    is_unpacked,
    models_cache,
)
from sae_desktop.language_model.names import MINILM
from sae_desktop.reports.crash_reports import crash_folder
from sae_desktop.storage.own_folders import (
    COMPILED,
    TEMPORARY_PREFIX,
    cache_folder,
    compiled_folder,
    config_folder,
    desktop_files,
    log_folder,
    places_folder,
)


@dataclass(frozen=True)
class Kept:
    """One kind of thing that the program keeps on this machine."""

    id: str
    """By which a command names it."""
    title: str
    what: str
    """What it is for, in a sentence."""
    place: Callable[[], Path]
    """The folder that is shown."""
    parts: Callable[[], list[Path]]
    """The files and folders that it is made of and that are there now. May raise OSError."""
    back: str = ""
    """How it is there again after it was cleared."""
    stays: str = ""
    """Why it is not cleared here, and what to do instead; empty: it may be cleared."""
    held: bool = False
    """Whether the program may have it open: a model that is loaded, a job that runs."""
    words: str = ""
    """Further words by which it is found."""

    @property
    def sentence(self) -> str:
        """Return what it is for, and how it comes back or why it stays."""
        return f"{self.what} {self.back or self.stays}"


def kept_things() -> list[Kept]:
    """Return all that the program keeps outside of projects."""
    return [*_models(), *map(_demonstration, offered()), *_made(), *_told()]


def _models() -> list[Kept]:
    return [
        Kept(
            "models", "Fetched models", "Models that you have asked the program to fetch.",
            models_cache, lambda: _inside(models_cache(), _is_fetched),
            back="After a Clear, fetch one again in Harvest or with sae-desktop models get; that "
            "needs the network.",
            held=True, words="cache directory path disk smollm2 download",
        ),
        Kept(
            "unpacked", "Unpacked models", "Models that ship with the program, made ready to read.",
            models_cache, lambda: _inside(models_cache(), is_unpacked),
            back="After a Clear, each is unpacked again when it is next opened: some seconds, "
            "without the network.",
            held=True, words="cache directory path disk built-in builtin pictures",
        ),
        Kept(
            "encoder", "Sentence encoder", "The model by which Explore searches by meaning.",
            models_cache, lambda: _there([models_cache() / MINILM]),
            back="After a Clear, Explore offers to fetch it again; that needs the network.",
            held=True, words="cache directory path disk minilm meaning search download",
        ),
        Kept(
            "hub", "Downloads from the hub",
            "What was downloaded from Hugging Face, for every program on this machine. The "
            "variable HF_HOME moves it.",
            _hub_folder, lambda: _there(_hub_folders()),
            stays="Others use it too, so it is not cleared here: “hf cache rm model/OWNER/NAME” "
            "deletes one model.",
            words="cache directory path disk hugging face HF_HOME models datasets",
        ),
    ]  # fmt: skip


def _made() -> list[Kept]:
    return [
        _compiled(),
        Kept(
            "digests", "Digests of models",
            "Which model lies where, so that its weights are read through only once.",
            cache_folder,
            lambda: _inside(cache_folder(), lambda name: name.startswith(digests_path().stem)),
            back="After a Clear, the weights of each model are read through when it is next "
            "opened.",
            held=True, words="cache identity hash sha256",
        ),
        Kept(
            "rates", "Speed of this machine",
            "What was measured for Engine › What will it take?",
            cache_folder, lambda: _inside(cache_folder(), lambda name: name.startswith("rates-")),
            back="After a Clear, it is measured again when you ask for it there.",
            words="cache benchmark measure sizing",
        ),
        Kept(
            "temporary", "Temporary files",
            "Files of work that was under way when the program or the machine was stopped.",
            lambda: Path(tempfile.gettempdir()), _temporary,
            back="Nobody needs them any more.",
            held=True, words="temp tmp directory left over scratch",
        ),
        Kept(
            "places", "Places in projects",
            "Where you were in each project, so that it opens there again.",
            places_folder, lambda: _inside(places_folder()),
            back="After a Clear, a project opens at its overview; from then on places are kept "
            "again.",
            words="state history restore privacy",
        ),
    ]  # fmt: skip


def _compiled() -> Kept:
    own, moved = compiled_folder(), os.environ.get(COMPILED)
    folder = Path(moved or own)
    elsewhere = folder != own
    return Kept(
        "compiled", "Compiled code", "Loops of indexes and maps, compiled for this processor.",
        lambda: folder, lambda: _inside(folder),
        back="" if elsewhere else "After a Clear, the next index and the next map compile them "
        "again, which takes some seconds.",
        stays=f"The variable {COMPILED} has moved it to where other programs may use it, so it is "
        "not cleared here." if elsewhere else "",
        held=True, words="cache numba umap directory",
    )  # fmt: skip


def _told() -> list[Kept]:
    crashes = crash_folder().name
    return [
        Kept(
            "logs", "Log", "What the window, the engine and commands have said; Help › Log… shows "
            "it.",
            log_folder, lambda: _inside(log_folder(), lambda name: name != crashes),
            back="After a Clear, it is written again from then on.",
            words="messages errors privacy",
        ),
        Kept(
            "crashes", "Crash reports", "Reports of failures that you have kept.",
            crash_folder, lambda: _there([crash_folder()]),
            stays="Delete them one by one in Help › Crash reports.",
            words="faults errors privacy",
        ),
        Kept(
            "settings", "Settings and consents",
            "Your settings, the code of models that you trust, and the plug-ins switched off.",
            config_folder, lambda: _there([config_folder(), *desktop_files()]),
            stays="They are not cleared here: “Reset the settings” sets the settings back.",
            words="configuration directory trusted code",
        ),
    ]  # fmt: skip


def _demonstration(of: Demonstration) -> Kept:
    folder = partial(demonstration_path, of)
    return Kept(
        of.id, of.title, "Your own copy of this demonstration, made when you first open it.",
        folder, lambda: _there([folder()]),
        stays="What you write there is your own, so it is never cleared here.",
        words="directory path example copy",
    )  # fmt: skip


# ---------------------------------------------------------------- where
def _there(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if os.path.lexists(path)]


def _inside(folder: Path, fits: Callable[[str], bool] = lambda _name: True) -> list[Path]:
    """Return the entries of a folder, which may be a link by which a person has moved it."""
    try:
        return sorted(path for path in folder.iterdir() if fits(path.name))
    except FileNotFoundError:
        return []


def _is_fetched(name: str) -> bool:
    """Whether an entry of the models' cache is of a fetched model, whole or half."""
    return name != MINILM and not is_unpacked(name)


def _temporary() -> list[Path]:
    """Return this user's temporary files of this program that are older than this process."""
    found = _inside(Path(tempfile.gettempdir()), lambda name: name.startswith(TEMPORARY_PREFIX))
    started = psutil.Process().create_time()
    return [path for path in found if _is_left(path, started)]


def _is_left(path: Path, started: float) -> bool:
    try:
        told = path.lstat()
    except OSError:  # gone meanwhile
        return False
    own = not hasattr(os, "getuid") or told.st_uid == os.getuid()
    return own and told.st_mtime < started


def _hub_folder() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _hub_folders() -> list[Path]:
    """Return what the hub's libraries keep: models, code of models, tables of datasets."""
    from huggingface_hub import constants

    home = Path(constants.HF_HOME)
    datasets = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets")
    modules = Path(os.environ.get("HF_MODULES_CACHE") or home / "modules")
    return [_hub_folder(), Path(constants.HF_XET_CACHE), modules, datasets]
