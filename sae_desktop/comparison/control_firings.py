"""The firings of random directions over an index's text: a control that learned nothing."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
import torch

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.errors import UserError
from sae_desktop.features.building.collect import Reading, collect
from sae_desktop.features.building.site_rows import SiteRows, read_sites
from sae_desktop.features.reading.firing_files import StoredFirings, group_paths
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.project import Project
from sae_desktop.storage.moves import leave_work, work_folder

_SAMPLE = 8192


class ControlFirings:
    """As many random directions as an index has features, at its mean L0, on its text.

    A context manager; the firings lie in the project until it is left.
    """

    def __init__(
        self, project: Project, index: FeatureIndex, seed: int, device: str, context: JobContext
    ) -> None:
        self._project, self._index, self._seed = project, index, seed
        self._device, self._context = device, context
        self._folder: Path | None = None
        self._scale = torch.ones(())

    def __enter__(self) -> StoredFirings:
        """Read the text. Raises UserError when a store of the index is gone."""
        info, paths = self._index.info, []
        stores = [
            [self._store(name) for name in (text.activations, *text.other_activations)]
            for text in info.texts
        ]
        l0 = float(np.asarray(self._index.columns["density"], np.float64).sum())
        control = random_direction_dictionary(
            self._sample(stores[0]), self._index.features, l0, self._seed
        )
        if len(info.reads) > 1:
            control.W_enc = control.W_enc / self._scale[:, None]
        whole = self._folder = work_folder(self._project.path, "control")
        try:
            for number, (text, store) in enumerate(zip(info.texts, stores, strict=True)):
                folder = whole / f"{number:03}"
                reading = Reading(
                    dictionary_hash="control",
                    sites=read_sites(info.reads, store),
                    text=text,
                )
                folders = [one.folder for one in store]
                collect(folder, reading, folders, control, self._context)
                paths += group_paths(folder)
        except BaseException:
            self._remove()
            raise
        return StoredFirings.open(paths)

    def _store(self, name: str) -> ActivationStore:
        if name not in self._project.stores():
            raise UserError(
                f"The store “{name}”, on which the index “{self._index.path.stem}” was made, is "
                "gone, so random directions cannot be scored.",
                kept="Nothing was changed.",
                next_step="Leave them out, or harvest the store again.",
            )
        return ActivationStore.open(self._project.store_path(name))

    def _sample(self, stores: list[ActivationStore]) -> torch.Tensor:
        """Return some of the text's rows, none of them massive.

        Several sites are each scaled to a like size, or the largest would decide alone.
        """
        text = self._index.info.texts[0]
        rows = np.unique(np.linspace(0, text.rows - 1, _SAMPLE).astype(np.int64)) + text.first_row
        source = SiteRows(stores, read_sites(self._index.info.reads, stores))
        found, massive = source.gather(rows)
        sample = torch.from_numpy(found[~massive]).to(resolve_device(self._device))
        if len(source.sites) > 1:
            limits = np.repeat([site.massive_norm for site in source.sites], source.widths)
            self._scale = torch.from_numpy(limits).to(sample)
            sample = sample / self._scale
        return sample

    def _remove(self) -> None:
        if self._folder is not None:
            leave_work(self._project.path, self._folder)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()
