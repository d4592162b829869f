"""Where features lie on a map, and in which clusters. F features, D width."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.features.building.neighbours import Neighbours, nearest_directions
from sae_desktop.jobs import JobContext, SilentContext

MAP_NEIGHBOURS = 15
"""Of a point, itself among them, as umap counts."""
_MIN_DISTANCE = 0.05
_FEWEST = 20
_SPECTRAL_FEATURES = 100_000
_CLUSTERED = 30_000

Array = npt.NDArray[Any]


def map_arrays(
    W_dec_FD: Tensor,
    alive_F: Array | None = None,
    found: Neighbours | None = None,
    context: JobContext | None = None,
) -> dict[str, Array]:
    """Return the columns map_x, map_y (float32) and cluster (int32, −1: none).

    UMAP of the decoder directions by cosine, 15 neighbours, min_dist 0.05, as Towards
    Monosemanticity draws its maps; seeded, so that the same directions give the same map.
    Features that never fired (`alive_F` False) have NaN and no cluster: their directions are
    those of the initialisation and would drown the others. Fewer than 20 features are laid out
    by their two principal components. Clusters are those of HDBSCAN on the two coordinates, so
    that a cluster is what one sees on the map; of more than 30,000 features an even sample is
    clustered, since the time grows with the square, and the others join the nearest sampled one.
    `found` are neighbours of all features; used where none is left out.
    """
    context = context or SilentContext()
    features = len(W_dec_FD)
    alive = np.ones(features, bool) if alive_F is None else np.asarray(alive_F, bool)
    places = np.full((features, 2), np.nan, np.float32)
    cluster = np.full(features, -1, np.int32)
    numbers = np.flatnonzero(alive)
    context.check_cancelled()
    if len(numbers):
        chosen = torch.from_numpy(numbers).to(W_dec_FD.device)
        directions = torch.nn.functional.normalize(W_dec_FD[chosen].float(), dim=1)
        if len(numbers) < _FEWEST:
            context.log(f"The map of {len(numbers)} features shows two principal components.")
            places[numbers] = _principal(directions)
        else:
            usable = found is not None and len(numbers) == features
            places[numbers] = _umap(directions, found if usable else None, context)
            context.check_cancelled()
            context.progress(0, 1, "steps", "Finding clusters")
            cluster[numbers] = _clusters(places[numbers])
            context.progress(1, 1, "steps", "Finding clusters")
    return {
        "columns/map_x": np.ascontiguousarray(places[:, 0]),
        "columns/map_y": np.ascontiguousarray(places[:, 1]),
        "columns/cluster": cluster,
    }


def _principal(directions: Tensor) -> Array:
    centred = (directions - directions.mean(dim=0)).cpu()
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
    places = (centred @ axes.T).numpy()
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def _umap(directions: Tensor, found: Neighbours | None, context: JobContext) -> Array:
    needed = MAP_NEIGHBOURS - 1
    if found is None or found.ids.shape[1] < needed:
        found = nearest_directions(directions, needed, context)
    context.check_cancelled()
    context.progress(0, 0, "epochs", "Laying out the map")
    with _threads_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap import UMAP  # numba compiles for seconds: only where it is used

        _keep_compiled()
        own = np.arange(len(directions))[:, None]
        near = np.where(found.ids[:, :needed] >= 0, found.ids[:, :needed], own)
        ids = np.concatenate([own, near], axis=1)
        away = np.clip(1.0 - found.cosines[:, :needed], 0.0, 2.0)
        distances = np.concatenate([np.zeros_like(own, np.float32), away], axis=1)
        layout = UMAP(
            n_neighbors=MAP_NEIGHBOURS,
            min_dist=_MIN_DISTANCE,
            metric="cosine",
            random_state=0,
            n_jobs=1,
            init="spectral" if len(ids) <= _SPECTRAL_FEATURES else "pca",
            precomputed_knn=(ids, distances.astype(np.float32)),
            # Else it would look for the neighbours of small data again.
            force_approximation_algorithm=True,
            tqdm_kwds=_watched(context),
        )
        return np.asarray(layout.fit_transform(directions.cpu().numpy()), np.float32)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Give torch its number of threads back, which umap sets to that of the machine."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Epochs(io.StringIO):
    """Takes umap's bar of progress, which is drawn once an epoch between its compiled loops."""

    def __init__(self, context: JobContext) -> None:
        super().__init__()
        self._context = context

    def write(self, text: str) -> int:
        self._context.check_cancelled()
        done, _, total = text.strip().partition("/")
        if done.isdecimal() and total.isdecimal():
            self._context.progress(int(done), int(total), "epochs", "Laying out the map")
        return len(text)


def _watched(context: JobContext) -> dict[str, Any]:
    """Return umap's settings of its bar with which a job shows progress and can be cancelled."""
    return {
        "disable": False,
        "file": _Epochs(context),
        "bar_format": "{n}/{total}",
        "mininterval": 0.0,
        "miniters": 1,
    }


def _keep_compiled() -> None:
    """Let numba keep on disk what it compiles of umap: some seven seconds of each process else.

    The parallel loop shares its source with the one named here and is not used: only one of
    them may be kept.
    """
    from umap import layouts, umap_

    for module, name in (
        (umap_, "smooth_knn_dist"),
        (umap_, "compute_membership_strengths"),
        (layouts, "_nb_optimize_layout_euclidean_single_epoch"),
    ):
        function = getattr(module, name, None)
        # Without a place to write to it compiles anew, as it would have done.
        with suppress(AttributeError, RuntimeError):
            function.enable_caching()  # type: ignore[union-attr]


def _clusters(places: Array) -> Array:
    from scipy.spatial import cKDTree
    from sklearn.cluster import HDBSCAN

    step = -(-len(places) // _CLUSTERED)
    sample = places[::step]
    smallest = max(5, len(sample) // 500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(sample)
    if step > 1:
        labels = labels[cKDTree(sample).query(places)[1]]
    return np.asarray(labels, np.int32)
