"""Firings as they are collected from a store, row by row."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from imported_rows import STORE, import_rows

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.features.building.collect import _encode
from sae_desktop.features.building.site_rows import ReadSite, SiteRows, typical_limit
from sae_desktop.project import Project


def test_massive_rows__fire_nothing_not_even_by_a_bias(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 8)).astype(np.float32)
    rows[[7, 23]] *= 50
    project = Project.open_or_create(tmp_path / "p")
    import_rows(project, rows)
    store = ActivationStore.open(project.store_path(STORE))
    # The last feature fires on a row of zeros, too.
    bias = torch.tensor([0.0] * 7 + [100.0])
    dictionary = Dictionary(torch.eye(8), bias, torch.eye(8), torch.zeros(8))
    limit = typical_limit(store, store.site)
    sites = [ReadSite(site=store.site, massive_norm=limit)]
    group = SimpleNamespace(source=SiteRows([store], sites), first_row=0)
    part, massive = _encode(group, dictionary, 0, 40, 64)  # type: ignore[arg-type]
    assert massive == 2
    right = np.maximum(rows + bias.numpy(), 0)
    right[[7, 23]] = 0
    found = np.zeros_like(right)
    found[part.rows, part.features] = part.values
    np.testing.assert_allclose(found, right, rtol=1e-5)
    assert set(part.rows[part.features == 7].tolist()) == set(range(40)) - {7, 23}
