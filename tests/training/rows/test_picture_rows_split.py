"""Training on a store with pictures: which rows are learnt from, and what is measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from picture_stores import SITE, Shown, write_picture_store

from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.training.rows.data import SiteRows, split_parts


@pytest.fixture
def store(tmp_path: Path) -> ActivationStore:
    """Thirty documents, rows of pictures a hundred times as long as those of texts."""
    documents = [[[5 + n, 6, 7 + n], Shown(f"{n}.png", (8 * n, 1, 2))] for n in range(30)]
    rows_RD = np.random.default_rng(0).normal(size=(270, 8))
    of_picture = np.tile([False] * 3 + [True] * 6, 30)
    rows_RD[of_picture] *= 100
    rows_RD[[0, 4]] *= 1000
    return write_picture_store(tmp_path / "s", documents, rows_RD)


@pytest.mark.parametrize(("of", "each"), [("both", 9), ("text", 3), ("pictures", 6)])
def test_rows_learnt_from__are_of_the_kind_asked_for(
    store: ActivationStore, of: str, each: int
) -> None:
    split = split_parts([SiteRows(store, SITE)], exclude_massive=True, of=of)  # type: ignore[arg-type]
    rows = np.sort(np.concatenate([split.training, split.held_out, split.excluded]))
    pictures = store.pictures.of_rows()[rows] >= 0
    assert len(rows) == 30 * each
    assert pictures.sum() == {"both": 180, "text": 0, "pictures": 180}[of]
    # Massive is judged beside rows of the same kind.
    assert split.excluded.tolist() == {"both": [0, 4], "text": [0], "pictures": [4]}[of]
    documents = {row // 9 for row in split.training} & {row // 9 for row in split.held_out}
    assert not documents


def test_rows_of_pictures__in_a_store_of_texts_are_refused(tmp_path: Path) -> None:
    store = write_picture_store(tmp_path / "t", [[[n, n + 1, n + 2]] for n in range(20)])
    with pytest.raises(UserError, match="has no rows of pictures"):
        split_parts([SiteRows(store, SITE)], exclude_massive=True, of="pictures")
