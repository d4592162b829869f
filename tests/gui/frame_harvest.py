"""What the engine answers about models, corpora and stores, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from sae_desktop.activations.config import (
    HarvestEstimate,
    HarvestResult,
    OutlierDimension,
    Share,
    SiteFigures,
    StoreDescription,
)
from sae_desktop.corpus.config import CorpusDescription, WindowPreview
from sae_desktop.language_model.config import ModelDescription
from sae_desktop.words.site_words import HOOK_TEXTS

HOOKS = tuple(HOOK_TEXTS)
PARALLEL = tuple(hook for hook in HOOKS if hook != "hook_resid_mid")
NORM_EDGES = [float(edge) for edge in np.logspace(0, 4, 9)]


def sites(layers: int = 4, hooks: tuple[str, ...] = HOOKS) -> list[str]:
    return [f"blocks.{layer}.{hook}" for layer in range(layers) for hook in hooks]


def model(layers: int = 4, hooks: tuple[str, ...] = HOOKS, **values: Any) -> ModelDescription:
    names = sites(layers, hooks)
    fields: dict[str, Any] = {
        "name": "builtin",
        "architecture": "LlamaForCausalLM",
        "layers": layers,
        "width": 32,
        "vocabulary": 512,
        "context_size": 256,
        "parameters": 100_000,
        "sites": names,
        "default_site": "blocks.2.hook_resid_post",
        "cached": True,
        "bos_token": "<s>",
        "site_widths": [128 if name.endswith("hook_post") else 32 for name in names],
        "site_shapes": ["4 heads × 8" if name.endswith("hook_z") else "" for name in names],
    }
    return ModelDescription(**(fields | values))


def corpus(**values: Any) -> CorpusDescription:
    fields: dict[str, Any] = {
        "name": "builtin",
        "format": "",
        "documents": 3,
        "duplicates": 0,
        "bytes": 2_000,
        "columns": [],
        "column": "",
        "sources": ["a"],
        "languages": ["en", "de"],
        "notes": [],
        "preview": [preview(["In", " the"])],
    }
    return CorpusDescription(**(fields | values))


def preview(tokens: list[str], **values: Any) -> WindowPreview:
    fields: dict[str, Any] = {
        "title": "T",
        "source": "a",
        "language": "en",
        "metadata": {},
        "tokens": tokens,
        "special": [False] * len(tokens),
    }
    return WindowPreview(**(fields | values))


def estimate(**values: Any) -> HarvestEstimate:
    fields: dict[str, Any] = {
        "bytes": 256_000_000,
        "free_bytes": 12_000_000_000,
        "seconds": 180.0,
        "tokens_per_second": 2_800.0,
        "memory_bytes": 0,
        "free_memory_bytes": 0,
        "batch_tokens": 0,
    }
    return HarvestEstimate(**(fields | values))


def harvest_result(name: str, rows: int = 500_000) -> HarvestResult:
    return HarvestResult(
        name=name,
        site="blocks.2.hook_resid_post",
        rows=rows,
        width=32,
        windows=1,
        documents=1,
        bytes=1,
        seconds=1,
        tokens_per_second=1,
    )


def site_figures(site: str, **values: Any) -> SiteFigures:
    """Most rows have a norm near 20; 12 are of about 3,000."""
    fields: dict[str, Any] = {
        "site": site,
        "width": 32,
        "rows": 1_012,
        "mean_square": 400.0,
        "scalar": 0.28,
        "mean_norm": 3.0,
        "median_norm": 20.0,
        "norm_edges": NORM_EDGES,
        "norm_counts": [0, 10, 900, 90, 0, 0, 12, 0],
        "massive_rows": 12,
        "massive_first_rows": 10,
        "first_rows": 11,
        "first_norm": 3_000.0,
        "outliers": [OutlierDimension(dimension=7, variance_share=0.25, mean=-3.5)],
        "storage_fvu": 1e-6,
    }
    return SiteFigures(**(fields | values))


def store_description(name: str, names: list[str], **values: Any) -> StoreDescription:
    fields: dict[str, Any] = {
        "name": name,
        "rows": 1_012,
        "rows_wanted": 4_000,
        "windows": 11,
        "documents": 2,
        "segments": 1,
        "bytes": 64_000,
        "dtype": "float16",
        "model": "builtin",
        "corpus": "builtin",
        "policy": "BOS first",
        "sites": [site_figures(site) for site in names],
        "tokens": [Share(name=" the", rows=506), Share(name="\n", rows=101)],
        "distinct_tokens": 2,
        "window_lengths": [Share(name="1–8", rows=100), Share(name="9–128", rows=912)],
        "languages": [Share(name="en", rows=1_012)],
        "sources": [],
    }
    return StoreDescription(**(fields | values))
