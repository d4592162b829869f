"""A project from Python: what is in it, and its jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.activations.store import ActivationStore
from sae_desktop.api import html
from sae_desktop.api.dictionary import Dictionary
from sae_desktop.api.index import Index
from sae_desktop.api.job import Job, run, start
from sae_desktop.api.kinds import checked
from sae_desktop.circuits.reading.graph_file import Graph, read_graph
from sae_desktop.demonstrations import chosen_demonstration, demonstration_copy
from sae_desktop.errors import UserError
from sae_desktop.project import Project as Folder
from sae_desktop.project import existing


class Project:
    """A project folder. Made by `open_project`, `create_project` and `open_demonstration`."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        """Where each thing of it lies."""

    def __repr__(self) -> str:
        return f"<Project {self.title}: {self.path}>"

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def title(self) -> str:
        return self.folder.title

    # ------------------------------------------------------------------ what is in it
    @property
    def indexes(self) -> list[str]:
        """Names of the indexes, sorted."""
        return self.folder.indexes()

    @property
    def dictionaries(self) -> list[str]:
        """Names of the dictionaries, and after them of the members of sets, such as "set.L03"."""
        return self.folder.all_dictionaries()

    @property
    def stores(self) -> list[str]:
        """Names of the activation stores."""
        return self.folder.stores()

    @property
    def sets(self) -> list[str]:
        """Names of the sets: a dictionary for each layer of a model."""
        return self.folder.sets()

    @property
    def graphs(self) -> list[str]:
        """Names of the attribution graphs that are kept."""
        return self.folder.graphs()

    def index(self, name: str = "") -> Index:
        """Return an index; without a name the newest. Raises UserError that lists what there is."""
        names = self.indexes
        if not name and names:
            name = max(names, key=lambda one: self.folder.index_path(one).stat().st_mtime)
        return Index(self, existing("index", name, names))

    def dictionary(self, name: str) -> Dictionary:
        """Return a dictionary, or a set's member. Raises UserError that lists what there is."""
        return Dictionary(self, existing("dictionary", name, self.dictionaries))

    def store(self, name: str) -> ActivationStore:
        """Return an activation store of R rows. Raises UserError that lists what there is.

        `read(start, stop)` gives rows start…stop−1 of a site: of float16 and float32 in one
        segment a read-only view of the mapped file, across segments, of bfloat16 and of int8 a
        copy (as float32); `gather(rows)` copies the rows asked for. `tokens`, `positions` and
        `norms()` are views where the store has one segment.
        """
        return ActivationStore.open(self.folder.store_path(existing("store", name, self.stores)))

    def graph(self, name: str) -> Graph:
        """Return an attribution graph that is kept: nodes, edges, scores, as arrays."""
        return read_graph(self.folder.graph_path(existing("graph", name, self.graphs)))

    # ------------------------------------------------------------------ jobs
    def config(self, kind: type[msgspec.Struct], **settings: Any) -> Any:
        """Return the config of a job of this project: `config(TrainConfig, name="d", …)`.

        Raises UserError that names a setting that is unknown or of a wrong type.
        """
        own = {"project": str(self.path)} if "project" in kind.__struct_fields__ else {}
        return checked(kind, {**own, **settings})

    def run(self, config: Any, **told: Any) -> Any:
        """Run a job of any kind and return its result: `sae_desktop.api.run`."""
        return run(self._of_this(config), **told)

    def start(self, config: Any) -> Job:
        """Start a job and return at once: `sae_desktop.api.start`."""
        return start(self._of_this(config))

    def _of_this(self, config: Any) -> Any:
        """Refuse a config that another project is meant by."""
        named = getattr(config, "project", "")
        if named and Path(named).expanduser().resolve() != self.path:
            raise UserError(
                f"This config is of the project “{named}”, not of “{self.path}”.",
                next_step="Make it with Project.config, or run it with sae_desktop.api.run.",
            )
        return config

    def _repr_html_(self) -> str:
        held = {
            "stores": self.stores,
            "dictionaries": self.folder.dictionaries(),
            "sets": self.sets,
            "indexes": self.indexes,
            "graphs": self.graphs,
        }
        rows = [(kind, ", ".join(names)) for kind, names in held.items() if names]
        return html.heading(self.title) + html.quiet(str(self.path)) + html.table(("", ""), rows)


def open_project(path: str | Path) -> Project:
    """Open a project folder. Raises UserError when it is not one, or from a newer version."""
    return Project(Folder.open(path))


def create_project(path: str | Path, *, title: str = "") -> Project:
    """Make a project in a new or empty folder, or open the one that is there."""
    return Project(Folder.open_or_create(path, title=title))


def open_demonstration(
    folder: str | Path | None = None, *, pictures: bool = False, smollm2: bool = False
) -> Project:
    """Open your own copy of the demonstration that ships; it is unpacked the first time.

    It lies in `folder`, or where the window keeps it. `pictures`: the demonstration “Pictures and
    words”. `smollm2`: the one of the chat model SmolLM2, which is not fetched. Raises UserError
    when the installation lacks it, the copy cannot be written, or both are asked for.
    """
    of = chosen_demonstration(pictures=pictures, smollm2=smollm2)
    return Project(Folder.open(demonstration_copy(None if folder is None else Path(folder), of)))
