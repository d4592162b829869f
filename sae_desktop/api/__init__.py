"""SAE Desktop from Python: projects, jobs, indexes, dictionaries and features as objects.

    from sae_desktop.api import open_demonstration

    project = open_demonstration()
    index = project.index()
    feature = index[1406]
    feature.label, feature.density, feature.raises[:3]
    feature                     # in a notebook: its contexts, with lit tokens

Jobs take the very config objects that the window and the command line use:

    from sae_desktop.api import TrainConfig

    config = project.config(TrainConfig, name="d", activations="acts", features=2048, k=32)
    result = project.run(config, progress=print)

What is named in `__all__` here is stable: it changes only with a new major version, and the old
form is kept beside the new one for a minor version. Nothing here needs Qt or a display, and torch
is imported only when a job runs or a dictionary is loaded to compute with.

Errors that have an explanation are `UserError`: `what` happened, what was `kept`, the `next_step`.
"""

from __future__ import annotations

from typing import Any

from sae_desktop.api.dictionary import Dictionary
from sae_desktop.api.feature import Feature, FeatureList
from sae_desktop.api.index import Index
from sae_desktop.api.job import Job, run, start
from sae_desktop.api.kinds import Kind, config_from, config_types, job_kinds
from sae_desktop.api.probed import ProbedText
from sae_desktop.api.project import Project, create_project, open_demonstration, open_project
from sae_desktop.errors import JobCancelledError, UserError

__all__ = [
    "Dictionary",
    "Feature",
    "FeatureList",
    "Index",
    "Job",
    "JobCancelledError",
    "Kind",
    "ProbedText",
    "Project",
    "UserError",
    "config_from",
    "create_project",
    "job_kinds",
    "open_demonstration",
    "open_project",
    "run",
    "start",
]
_CONFIGS = config_types()
__all__ += sorted(_CONFIGS)


def __getattr__(name: str) -> Any:
    """Return the config of a kind of job, or one of the structs it is put together from."""
    try:
        return _CONFIGS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return __all__
