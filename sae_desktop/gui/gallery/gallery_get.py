"""The job that brings a public dictionary, or a set of them, with its model."""

from __future__ import annotations

from sae_desktop.exchange.config import ImportDictionaryConfig
from sae_desktop.exchange.gallery import Family
from sae_desktop.exchange.set_config import ImportSetConfig
from sae_desktop.gui.forms.exchange_forms import safe_name
from sae_desktop.gui.forms.job_forms import free_name
from sae_desktop.gui.state.session import Session

ALL_LAYERS = -1
"""The choice of a family that is a set: the whole of it."""
_NAME = 60
"""Characters of a repository's name in that of its dictionary."""


def getting(
    session: Session, family: Family, layer: int
) -> ImportDictionaryConfig | ImportSetConfig:
    """Return the job that brings a layer of a family, or all of it, with its model."""
    project, own = session.project_path, safe_name(family.repository.rpartition("/")[2])[:_NAME]
    if layer == ALL_LAYERS:
        taken = [item.name for item in session.inventory.sets]
        return ImportSetConfig(
            project=project, name=free_name(own, taken), source=family.repository,
            model=family.model, with_model=True,
        )  # fmt: skip
    taken = [d.name for d in session.inventory.dictionaries]
    return ImportDictionaryConfig(
        project=project, name=free_name(f"{own}-L{layer}", taken), source=family.source(layer),
        model=family.model, site=family.site(layer), site_out=family.site_out(layer),
        sha256=family.digests.get(str(layer), ""), with_model=True,
    )  # fmt: skip
