"""SAEDashboard's batches for Neuronpedia: `batch-N.json`, features with their activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.exchange.json_lines import json_file, numbers, pairs, texts, whole
from sae_desktop.exchange.neuronpedia import layer_name
from sae_desktop.exchange.records import ContextRecord, FeatureRecord
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

BATCH = 128
_TOP = -1.0


def write_batches(
    folder: Path,
    records: Iterable[FeatureRecord],
    *,
    model: str,
    site: str,
    source: str,
    told: Callable[[int], None] = lambda done: None,
) -> int:
    """Write records into `folder`, BATCH features a file; return how many.

    Raises UserError when the disk is full.
    """
    layer = layer_name(site, source)
    head = {"model_id": model, "layer": layer, "sae_set": layer.split("-", 1)[1],
            "sae_id_suffix": None}  # fmt: skip
    batch: list[dict[str, Any]] = []
    done = files = 0
    for record in records:
        batch.append(_feature(record))
        done += 1
        if len(batch) == BATCH:
            _write(folder / f"batch-{files}.json", head | {"features": batch})
            batch, files = [], files + 1
        told(done)
    if batch:
        _write(folder / f"batch-{files}.json", head | {"features": batch})
    return done


def _write(path: Path, content: dict[str, Any]) -> None:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, msgspec.json.encode(content))


def _feature(record: FeatureRecord) -> dict[str, Any]:
    bins = len(record.histogram)
    return {
        "feature_index": record.feature,
        "neg_str": [token for token, _ in record.lowers],
        "neg_values": [value for _, value in record.lowers],
        "pos_str": [token for token, _ in record.raises],
        "pos_values": [value for _, value in record.raises],
        "frac_nonzero": record.density,
        "freq_hist_data_bar_values": [
            (place + 0.5) / bins * record.max_activation for place in range(bins)
        ],
        "freq_hist_data_bar_heights": record.histogram,
        "logits_hist_data_bar_values": [],
        "logits_hist_data_bar_heights": [],
        "n_prompts_total": len(record.contexts),
        "n_tokens_in_prompt": max((len(c.tokens) for c in record.contexts), default=0),
        "dataset": next((c.source for c in record.contexts if c.source), ""),
        "activations": [_activation(context) for context in record.contexts],
    }


def _activation(context: ContextRecord) -> dict[str, Any]:
    low, high = context.bounds or (_TOP, _TOP)
    return {
        "bin_min": low,
        "bin_max": high,
        "bin_contains": context.share if context.bounds else _TOP,
        "qualifying_token_index": context.peak,
        "tokens": context.tokens,
        "values": context.values,
    }


# ---------------------------------------------------------------- reading
def batch_files(folder: Path) -> list[Path]:
    """Return the batches of a folder, in their order."""
    found = [path for path in folder.glob("batch-*.json") if path.is_file()]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def model_in(folder: Path) -> str:
    """Return the model's id that the first batch tells, or ""."""
    return str(json_file(batch_files(folder)[0]).get("model_id") or "")


def read_batches(folder: Path) -> Iterator[FeatureRecord]:
    """Yield the features of a folder's batches. Raises UserError that names the file."""
    for path in batch_files(folder):
        content = json_file(path)
        try:
            for feature in content["features"]:
                yield _read_feature(feature, str(feature.get("dataset") or ""))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"“{path}” is not one of SAEDashboard's batches: {error}.",
                next_step="Export it again from the program that made it.",
            ) from error


def _read_feature(feature: dict[str, Any], dataset: str) -> FeatureRecord:
    centres = numbers(feature.get("freq_hist_data_bar_values"))
    contexts = [_read_activation(a, dataset) for a in feature.get("activations") or []]
    # The chosen token of the strongest context is told more precisely than the text around.
    top = [c.values[c.peak] for c in contexts if c.bounds is None and 0 <= c.peak < len(c.values)]
    strongest = max(top or (max(c.values, default=0.0) for c in contexts), default=0.0)
    half = (centres[1] - centres[0]) / 2 if len(centres) > 1 else 0.0
    return FeatureRecord(
        feature=whole(feature["feature_index"]),
        max_activation=max(strongest, centres[-1] + half if centres else 0.0),
        density=float(feature.get("frac_nonzero") or 0.0),
        histogram=numbers(feature.get("freq_hist_data_bar_heights")),
        raises=pairs(feature.get("pos_str"), feature.get("pos_values")),
        lowers=pairs(feature.get("neg_str"), feature.get("neg_values")),
        contexts=contexts,
    )


def _read_activation(activation: dict[str, Any], dataset: str) -> ContextRecord:
    low = float(activation.get("bin_min") or 0.0)
    high = float(activation.get("bin_max") or 0.0)
    top = low == high == _TOP
    peak = activation.get("qualifying_token_index")
    return ContextRecord(
        tokens=texts(activation["tokens"]),
        values=numbers(activation["values"]),
        peak=peak if isinstance(peak, int) else -1,
        bounds=None if top else (low, high),
        share=0.0 if top else float(activation.get("bin_contains") or 0.0),
        source=dataset,
    )
