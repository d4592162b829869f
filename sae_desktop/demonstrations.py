"""The demonstration projects that ship, unpacked to where they may be written. Free of Qt."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.names import SMOLLM2 as SMOLLM2_MODEL
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.storage.archives import unpack
from sae_desktop.storage.faults import explained
from sae_desktop.storage.own_folders import data_folder
from sae_desktop.words.first_steps import CHATTING, LOOKING, READING, Guide

CIRCUIT_PROMPT = "The capital of France is the city of"
"""What is traced first in Circuits."""
OTHER_CIRCUIT_PROMPT = "The capital of Spain is the city of"
"""As many tokens of the built-in model: what is patched into it first."""
START_LIST = "Start here"
"""The list of features that are easy to read, the clearest first."""


@dataclass(frozen=True)
class Demonstration:
    """A project that ships."""

    id: str
    title: str
    """Of the project: it is known by that, wherever a copy of it lies."""
    called: str
    """In a sentence, after “Open”."""
    told: str
    """What it is, for a person who has never heard of any of it."""
    archive: str
    """What ships: a folder of that project, packed."""
    folder: str
    """Name of a person's copy."""
    first_index: str
    """Opened first; its features have labels."""
    prompt: str
    clamp: float
    """What steering is shown with, in multiples of a feature's maximum."""
    guide: Guide
    model: str = ""
    """The short name of its model, where that has to be fetched; empty: it ships."""
    tried_picture: str = ""
    """Put before the text that is tried first: a resource, of which a copy has one of its own."""
    steered_picture: str = ""
    """Put before the prompt: likewise."""

    @property
    def pictures(self) -> list[str]:
        """The resources that a copy has, too."""
        return [name for name in (self.tried_picture, self.steered_picture) if name]

    @property
    def ships(self) -> bool:
        """Whether this installation has it."""
        try:
            resource_path(self.archive)
        except UserError:
            return False
        return True


SENTENCES = Demonstration(
    id="demonstration",
    title="Demonstration",
    called="the demonstration",
    told=(
        "A small language model: see on which words each of its features fires, try your own "
        "sentences, and trace why it writes a word."
    ),
    archive="demonstration.zip",
    folder="demonstration.saeproj",
    first_index="builtin-L3",
    prompt="This is",
    clamp=1.5,
    guide=READING,
)
PICTURES = Demonstration(
    id="pictures",
    title="Pictures and words",
    called="“Pictures and words”",
    told=(
        "A small model that looks at drawings and names them: see one feature fire on the drawing "
        "of a thing and on the words for it, and try a picture of your own."
    ),
    archive="pictures.zip",
    folder="pictures.saeproj",
    first_index="pictures-L3",
    prompt="English:",
    clamp=1.5,
    guide=LOOKING,
    tried_picture="drawings/horse.png",
    steered_picture="drawings/house.png",
)
SMOLLM2 = Demonstration(
    id="smollm2",
    title="SmolLM2",
    called="SmolLM2",
    told=(
        "A real chat model with 135 million parameters: find one of its many thousand features and "
        "turn it up. The features are included; the model is fetched once (93 to 270 MB)."
    ),
    archive="smollm2.zip",
    folder="smollm2.saeproj",
    first_index="smollm2",
    prompt="The best thing about my life is",
    clamp=1.0,
    guide=CHATTING,
    model=SMOLLM2_MODEL,
)
DEMONSTRATIONS = (SENTENCES, PICTURES, SMOLLM2)


def offered() -> list[Demonstration]:
    """Return what a person is offered: what this installation has.

    The first always is: to open it says what a damaged installation lacks.
    """
    return [one for one in DEMONSTRATIONS if one is SENTENCES or one.ships]


def chosen_demonstration(*, pictures: bool, smollm2: bool) -> Demonstration:
    """Return which demonstration is asked for. Raises UserError where two are."""
    if pictures and smollm2:
        raise UserError(
            "Two demonstrations were asked for at once.",
            next_step="Ask for “Pictures and words” or for SmolLM2.",
        )
    if pictures:
        return PICTURES
    return SMOLLM2 if smollm2 else SENTENCES


def demonstration_path(of: Demonstration) -> Path:
    """Return where a person's own copy of a demonstration is."""
    return data_folder() / of.folder


def demonstration_copy(folder: Path | None = None, of: Demonstration = SENTENCES) -> Path:
    """Return a person's own copy of a demonstration, made now if it is not there.

    It is in `folder`, or in the person's data folder.

    Raises UserError when the installation lacks it or the copy cannot be written.
    """
    copy = demonstration_path(of) if folder is None else folder.resolve() / of.folder
    if (copy / "project.toml").is_file():
        return copy
    packed, *pictures = map(resource_path, (of.archive, *of.pictures))
    part = copy.with_name(copy.name + ".part")
    with explained(copy):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        unpack(packed, part, SilentContext())
        _unpack_weights(part)
        for picture in pictures:
            shutil.copyfile(picture, part / picture.name)
        # The newest index is the one that opens.
        os.utime(Project.open(part).index_path(of.first_index))
        part.rename(copy)
    return copy


def _unpack_weights(folder: Path) -> None:
    """Make the dictionaries whole that ship in 8 bit."""
    # numpy: not before the first show
    from sae_desktop.features.reading.directions import WEIGHTS
    from sae_desktop.language_model.files.packed import PACKED, unpack_in_place

    for packed in folder.glob(f"dictionaries/*/{PACKED}"):
        unpack_in_place(packed.parent, WEIGHTS)


def demonstration_of(project: Project | None) -> Demonstration | None:
    """Return which demonstration a project is a copy of, wherever it lies; None: of none."""
    title = None if project is None else project.title
    return next((one for one in DEMONSTRATIONS if one.title == title), None)


def own_picture(project: Project | None, resource: str) -> str:
    """Return a demonstration's picture in a copy of it; empty where it is not there."""
    if project is None or not resource:
        return ""
    path = project.path / Path(resource).name
    return str(path) if path.is_file() else ""
