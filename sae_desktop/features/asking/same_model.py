"""The job `same_model`: the person declares that two things in a project belong to the same
model.
"""

from __future__ import annotations

from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import SameModelConfig, SameModelResult
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.identity import identity_if_here
from sae_desktop.language_model.names import ModelMark
from sae_desktop.language_model.same_model import difference, say_same
from sae_desktop.project import Project, existing
from sae_desktop.training.run_folder import read_summary


def same_model(config: SameModelConfig, context: JobContext) -> SameModelResult:
    """Keep in the project that two models are one, and say how they seemed to differ.

    Raises UserError for what is not there, and for imported activations, which have no model.
    """
    project = Project.open(config.project)
    context.progress(0, 1, "models", "Checking which models they are")
    one, other = mark_of(project, config.one), mark_of(project, config.other)
    differed = difference(one, other, project.path)
    say_same(project.path, one, other)  # one key, too: their tokenizers may differ
    context.progress(1, 1, "models", "Checking which models they are")
    return SameModelResult(one=one.name, other=other.name, differed=differed)


def mark_of(project: Project, word: str) -> ModelMark:
    """Return the model of “store:name”, “dictionary:name” or “index:name”, or one by its name.

    Raises UserError for what is not there.
    """
    kind, _, name = word.partition(":")
    found: ModelMark | None = None
    if kind == "store":
        found = ActivationStore.open(
            project.store_path(existing("activation store", name, project.stores()))
        ).mark
    elif kind == "dictionary":
        folder = project.dictionary_path(existing(kind, name, project.all_dictionaries()))
        found = read_summary(folder).mark
    elif kind == "index":
        found = read_info(project.index_path(existing(kind, name, project.indexes()))).mark
    if found is None:
        return _named(word)
    if not found.name:
        raise UserError(
            f"The model of the {kind} “{name}” is unknown: it was imported without one.",
            kept="Nothing was changed.",
        )
    return found


def _named(name: str) -> ModelMark:
    files = find_model(name)
    found = identity_if_here(files)
    return ModelMark(files.name, found.text) if found else ModelMark(files.name)
