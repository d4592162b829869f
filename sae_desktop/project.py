"""The project folder: what is in it and where. Reads no format of its own but project.toml."""

from __future__ import annotations

import datetime
import re
import unicodedata
from pathlib import Path

import msgspec
import msgspec.toml

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.storage.lock import ProjectLock

SCHEMA_VERSION = 1
SETS = "sets"
LONGEST_NAME, LONGEST_NAME_BYTES = 80, 120
"""Two names and an ending fit into the 255 bytes that file systems allow."""
_MARKS = " ._+-"
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
"""Of devices on Windows, whatever follows after a point."""
_MEMBER = re.compile(r"L\d{2,4}|all")
"""Folders of a set: a dictionary for each layer, or one of all layers."""


class ProjectFile(msgspec.Struct, frozen=True, kw_only=True):
    """Content of project.toml."""

    schema_version: int = SCHEMA_VERSION
    title: str = ""
    about: str = ""
    """What it holds and what it lacks, in its maker's words."""
    created: datetime.datetime


class Project:
    """Paths and names inside one project folder.

    ```
    project.toml
    activations/<name>/000.h5 …   stores
    dictionaries/<name>/          cfg.json, sae_weights.safetensors, run.h5, checkpoint/
    sets/<name>/set.json          a dictionary for each layer, L00/ L01/ …, or one of all, all/;
                                  each a folder as those above, and called <name>.L00
    graphs/<name>.h5              attribution graphs; <name>.view.json: what a person did to one
    changes/<name>.h5             comparisons of checkpoints; <name>.watch.json: what was watched,
                                  <name>.calibration.json: when a watch raises an alert
    features/<name>.h5            indexes; <name>.effect: what features do when turned up,
                                  <name>.names: what they are called by statistics,
                                  <name>.judged: what a language model says of their labels,
                                  <name>.kinds: which are one concept in words and pictures,
                                  <name>.meaning: vectors by which they are searched by meaning
    sweeps/<name>.json            tables of sweeps
    matches/<a>~<b>.h5            features of two dictionaries, matched
    concepts/<name>.txt           lists of concepts; <name>.toml .jsonl .csv: concept sets
    scans/<name>.h5               what tells concept sets apart in which dictionary
    benchmarks/<name>.h5          dictionaries measured alike, beside controls
    completeness/<name>.json      which concepts have a feature in which dictionary
    presets/<name>.json           steering kept under a name
    monitors/<name>.json          what is watched, above which score it fires, what was promised;
                                  <name>.<digest>.safetensors: a direction, scores of calibration
    hits/<name>.jsonl, .json      where monitors fired, and what became of the run
    steering.jsonl                every steered run
    notes.sqlite                  labels and notes
    notes_copies/<day>.sqlite     the notes as they were when work began on a day
    requests.sqlite               what was asked of models, and their answers
    prompts/explain_<name>.toml   prompts of its own, before the shipped ones
    .trash/ .work/ .gone/ .moves/ .incoming/   what was deleted, what jobs need while they run
    ```
    """

    def __init__(self, path: Path, file: ProjectFile) -> None:
        self.path = path
        self.file = file

    @classmethod
    def open(cls, path: str | Path) -> Project:
        """Open an existing project. Raises UserError when the folder is not one."""
        path = Path(path).expanduser().resolve()
        toml = path / "project.toml"
        if not toml.is_file():
            state = "has no project.toml" if path.is_dir() else "does not exist"
            raise UserError(
                f"“{path}” is not an SAE Desktop project: it {state}.",
                next_step="Choose another folder, or make a project of it with File › New.",
            )
        try:
            file = msgspec.toml.decode(toml.read_bytes(), type=ProjectFile)
        except (ValueError, RecursionError) as error:
            raise UserError(f"“{toml}” cannot be read: {error}.") from error
        if file.schema_version > SCHEMA_VERSION:
            raise UserError(
                f"“{path.name}” was made by a newer SAE Desktop "
                f"(schema {file.schema_version}; this one reads up to {SCHEMA_VERSION}).",
                next_step="Update SAE Desktop to open it.",
            )
        return cls(path, file)

    @classmethod
    def open_or_create(cls, path: str | Path, *, title: str = "", about: str = "") -> Project:
        """Open a project, or make one where there is nothing or an empty folder.

        A new one is called `title`, or as its folder is, and says `about` of itself.
        """
        path = Path(path).expanduser().resolve()
        if (path / "project.toml").exists():
            return cls.open(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(
                f"“{path}” contains other files and is not an SAE Desktop project.",
                kept="Nothing was changed.",
                next_step="Choose a new folder, or an empty one.",
            )
        file = ProjectFile(
            title=title or path.stem,
            about=about,
            created=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        )
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
        write_bytes(path / "project.toml", msgspec.toml.encode(file))
        return cls(path, file)

    @property
    def title(self) -> str:
        return self.file.title or self.path.stem

    @property
    def about(self) -> str:
        return self.file.about

    def lock(self) -> ProjectLock:
        """Return the lock that a writer must hold."""
        return ProjectLock(self.path)

    # Paths; a name that could leave the folder is refused.
    def store_path(self, name: str) -> Path:
        return self.path / "activations" / checked_name(name)

    def dictionary_path(self, name: str) -> Path:
        """Return the folder of a dictionary, or of a set's member such as “<set>.L03”.

        A dictionary of that very name comes first.
        """
        plain = self.path / "dictionaries" / checked_name(name)
        member = None if plain.exists() else self.member_of(name)
        return plain if member is None else self.set_path(member[0]) / member[1]

    def member_of(self, name: str) -> tuple[str, str] | None:
        """Return set and member of a name such as “<set>.L03”; None where there is no such."""
        whole, _, member = checked_name(name).rpartition(".")
        if not whole or not is_member(member):
            return None
        try:
            folder = self.set_path(whole) / member
        except UserError:  # what is before the point is no name
            return None
        return (folder.parent.name, member) if folder.is_dir() else None

    def set_path(self, name: str) -> Path:
        return self.path / SETS / checked_name(name)

    def graph_path(self, name: str) -> Path:
        return self.path / "graphs" / f"{checked_name(name)}.h5"

    def change_path(self, name: str) -> Path:
        return self.path / "changes" / f"{checked_name(name)}.h5"

    def watch_path(self, name: str) -> Path:
        return self.path / "changes" / f"{checked_name(name)}.watch.json"

    def calibration_path(self, name: str) -> Path:
        return self.path / "changes" / f"{checked_name(name)}.calibration.json"

    def lens_path(self, name: str) -> Path:
        return self.path / "lenses" / f"{checked_name(name)}.safetensors"

    def index_path(self, name: str) -> Path:
        return self.path / "features" / f"{checked_name(name)}.h5"

    def sweep_path(self, name: str) -> Path:
        return self.path / "sweeps" / f"{checked_name(name)}.json"

    def match_path(self, smaller: str, larger: str) -> Path:
        # No name has a tilde, so that the pair can be told from the file's.
        return self.path / "matches" / f"{checked_name(smaller)}~{checked_name(larger)}.h5"

    def concepts_path(self, name: str) -> Path:
        return self.path / "concepts" / f"{checked_name(name)}.txt"

    def concept_file(self, name: str) -> Path:
        """Return where the file of a concept set is; `name` has its ending, such as .toml."""
        return self.path / "concepts" / checked_name(name)

    def scan_path(self, name: str) -> Path:
        return self.path / "scans" / f"{checked_name(name)}.h5"

    def completeness_path(self, name: str) -> Path:
        return self.path / "completeness" / f"{checked_name(name)}.json"

    def benchmark_path(self, name: str) -> Path:
        return self.path / "benchmarks" / f"{checked_name(name)}.h5"

    def preset_path(self, name: str) -> Path:
        return self.path / "presets" / f"{checked_name(name)}.json"

    def monitor_path(self, name: str) -> Path:
        return self.path / "monitors" / f"{checked_name(name)}.json"

    def hits_path(self, name: str) -> Path:
        return self.path / "hits" / f"{checked_name(name)}.jsonl"

    @property
    def requests_path(self) -> Path:
        return self.path / "requests.sqlite"

    @property
    def steering_path(self) -> Path:
        return self.path / "steering.jsonl"

    @property
    def notes_path(self) -> Path:
        return self.path / "notes.sqlite"

    # Names of what is there, sorted.
    def stores(self) -> list[str]:
        return sorted(p.parent.name for p in self.path.glob("activations/[!.]*/000.h5"))

    def dictionaries(self) -> list[str]:
        """Dictionaries that can be used: a run that has saved nothing yet is not among them."""
        return sorted(p.parent.name for p in self.path.glob("dictionaries/[!.]*/cfg.json"))

    def sets(self) -> list[str]:
        """Sets that can be used: one that is still in training is not among them."""
        return sorted(p.parent.name for p in self.path.glob(f"{SETS}/[!.]*/set.json"))

    def set_runs(self) -> list[str]:
        """Sets that were trained here, the unfinished ones too."""
        return sorted(p.parent.name for p in self.path.glob(f"{SETS}/[!.]*/train.json"))

    def set_members(self, name: str) -> list[str]:
        """Names of a set's dictionaries, from the first layer on."""
        return [
            f"{name}.{cfg.parent.name}"
            for cfg in sorted(self.set_path(name).glob("*/cfg.json"), key=_member_order)
            if is_member(cfg.parent.name)
        ]

    def all_dictionaries(self) -> list[str]:
        """The dictionaries, and after them the members of the sets."""
        plain = self.dictionaries()
        members = [member for name in self.sets() for member in self.set_members(name)]
        return plain + [member for member in members if member not in set(plain)]

    def graphs(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("graphs/[!.]*.h5"))

    def changes(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("changes/[!.]*.h5"))

    def watches(self) -> list[str]:
        return sorted(
            p.name.removesuffix(".watch.json") for p in self.path.glob("changes/[!.]*.watch.json")
        )

    def calibrations(self) -> list[str]:
        """The calibrations of alerts."""
        ending = ".calibration.json"
        found = self.path.glob(f"changes/[!.]*{ending}")
        return sorted(path.name.removesuffix(ending) for path in found)

    def lenses(self) -> list[str]:
        """The fitted lenses, each named after a digest of its model."""
        return sorted(p.stem for p in self.path.glob("lenses/[!.]*.safetensors"))

    def runs(self) -> list[str]:
        """Training runs, the unfinished ones too."""
        return sorted(p.parent.name for p in self.path.glob("dictionaries/[!.]*/run.h5"))

    def indexes(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("features/[!.]*.h5"))

    def sweeps(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("sweeps/*.json"))

    def matches(self) -> list[Path]:
        return sorted(self.path.glob("matches/*~*.h5"))

    def concept_lists(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("concepts/*.txt"))

    def scans(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("scans/[!.]*.h5"))

    def benchmarks(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("benchmarks/[!.]*.h5"))

    def presets(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("presets/*.json"))

    def monitors(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("monitors/[!.]*.json"))

    def completeness_tables(self) -> list[str]:
        return sorted(p.stem for p in self.path.glob("completeness/*.json"))


def is_member(name: str) -> bool:
    """Tell whether a folder of a set is a dictionary: “L03”, or “all”."""
    return _MEMBER.fullmatch(name) is not None


def dictionary_name(folder: Path) -> str:
    """Return the name in its project of the dictionary in a folder: “name”, or “<set>.L03”."""
    if folder.parent.parent.name == SETS and is_member(folder.name):
        return f"{folder.parent.name}.{folder.name}"
    return folder.name


def _member_order(cfg: Path) -> tuple[int, str]:
    return len(cfg.parent.name), cfg.parent.name


def config_record(config: msgspec.Struct) -> str:
    """Return a job's config as JSON for the files it makes.

    Without the project's path: a project may be copied, and goes by where it is.
    """
    return msgspec.json.encode(msgspec.structs.replace(config, project="")).decode()


def checked_name(name: str) -> str:
    """Return `name`, composed (NFC), if it can name a thing in a project on every system.

    Raises UserError otherwise.
    """
    name = unicodedata.normalize("NFC", name)
    fits = len(name) <= LONGEST_NAME and len(name.encode("utf-8", "replace")) <= LONGEST_NAME_BYTES
    if not (name and fits and _is_letter(name[0]) and all(map(_may_stand, name))) or (
        name.endswith((".", " "))
    ):
        raise UserError(
            f"“{name}” is not a valid name.",
            next_step=f"Use up to {LONGEST_NAME} letters, digits, spaces or . _ + -, starting "
            "with a letter or digit.",
        )
    if _RESERVED.fullmatch(name.partition(".")[0].rstrip()):
        raise UserError(
            f"“{name}” is not a valid name: it is the name of a device on Windows.",
            next_step="Choose another name.",
        )
    return name


def _is_letter(character: str) -> bool:
    return unicodedata.category(character) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"}


def _may_stand(character: str) -> bool:
    # Marks are the vowels of many scripts. None of these is a separator or has another meaning.
    return (
        character in _MARKS
        or _is_letter(character)
        or unicodedata.category(character) in {"Mn", "Mc"}
    )


def existing(kind: str, name: str, names: list[str]) -> str:
    """Return `name` if it is among `names`. Raises UserError that lists what there is."""
    if name in names:
        return name
    composed = unicodedata.normalize("NFC", name)
    if composed in names:
        return composed
    there = ", ".join(names[:12]) if names else "none yet"
    raise UserError(f"The project has no {kind} “{name}”.", next_step=f"Available: {there}.")
