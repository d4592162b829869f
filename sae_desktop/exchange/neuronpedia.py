"""Neuronpedia's batches: features, activations, explanations as gzipped JSON lines."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.exchange.json_lines import json_lines, numbers, pairs, texts, whole
from sae_desktop.exchange.records import ContextRecord, FeatureRecord
from sae_desktop.language_model.sites.site_names import is_centred, parse_site, uncentred
from sae_desktop.project_labels import (
    IMPORTED,
    MODEL,
    PERSON,
    STATISTICS,
    Label,
    label_text,
    number_of,
)
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained

KINDS = ("features", "activations", "explanations")
BATCH = 256
"""Features in a file."""
_COMPRESSION = 5
"""The usual 9 takes three times as long for 3% less."""
_TYPES = {PERSON: "human", MODEL: "model", IMPORTED: "imported", STATISTICS: "automatic"}
"""Method → the type of its explanations. Other programs call the way a model was asked so."""
_TOP = -1.0
"""Bounds of a context that is one of the top ones."""
_SHORT = {
    "hook_resid_pre": "res-pre", "hook_resid_post": "res", "hook_mlp_out": "mlp",
    "hook_attn_out": "att", "attn.hook_z": "att-z", "hook_resid_mid": "res-mid",
    "mlp.hook_in": "mlp-in", "mlp.hook_post": "mlp-post", "attn.hook_in": "att-in",
    "ln1.hook_normalized": "ln1", "ln2.hook_normalized": "ln2",
}  # fmt: skip


def layer_name(site: str, source: str) -> str:
    """Return what Neuronpedia calls a dictionary: “8-res-name”."""
    found = parse_site(site)
    safe = "".join(c if c.isalnum() else "-" for c in source.lower()).strip("-")
    short = _SHORT[uncentred(found.hook)]
    centred = "-centred" if is_centred(found.hook) else ""
    return f"{found.layer}-{short}{centred}-{safe or 'sae'}"


# ---------------------------------------------------------------- writing
def write_batches(
    folder: Path,
    records: Iterable[FeatureRecord],
    *,
    model: str,
    site: str,
    source: str,
    told: Callable[[int], None] = lambda done: None,
) -> int:
    """Write records into `folder`, a file of each kind for BATCH features; return how many.

    `told` gets the features written so far. Raises UserError when the disk is full.
    """
    layer = layer_name(site, source)
    own_layer = parse_site(site).layer
    common = {"modelId": model, "layer": layer}
    done = 0
    for number, batch in enumerate(_batches(records)):
        lines: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        for record in batch:
            lines["features"].append(common | _feature(record, site, layer, own_layer))
            lines["activations"] += [
                common | _activation(record, place, context)
                for place, context in enumerate(record.contexts)
            ]
            lines["explanations"] += [common | told for told in _explanations(record)]
        for kind in KINDS:
            if lines[kind] or kind == "features":
                _write(folder / kind / f"batch-{number}.jsonl.gz", lines[kind])
        done += len(batch)
        told(done)
    return done


def _batches(records: Iterable[FeatureRecord]) -> Iterator[list[FeatureRecord]]:
    batch: list[FeatureRecord] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without a time in it the same data gives the same file.
        with replacing(path) as part, part.open("wb") as raw, gzip.GzipFile(
            "", "wb", _COMPRESSION, fileobj=raw, mtime=0
        ) as file:  # fmt: skip
            for line in lines:
                file.write(msgspec.json.encode(line) + b"\n")


def _feature(record: FeatureRecord, site: str, layer: str, own_layer: int) -> dict[str, Any]:
    neurons = [(n, r) for at, n, r in record.neurons if at == own_layer]
    bins = len(record.histogram)
    return {
        "index": str(record.feature),
        "hookName": site,
        "sourceSetName": layer.split("-", 1)[1],
        "maxActApprox": record.max_activation,
        "hasVector": False,
        "vector": [],
        "vectorLabel": None,
        "topkCosSimIndices": [i for i, _ in record.neighbours],
        "topkCosSimValues": [v for _, v in record.neighbours],
        "neuron_alignment_indices": [],
        "neuron_alignment_values": [],
        "neuron_alignment_l1": [],
        "correlated_neurons_indices": [i for i, _ in neurons],
        "correlated_neurons_pearson": [v for _, v in neurons],
        "correlated_neurons_l1": [],
        "correlated_features_indices": [i for i, _ in record.coactive],
        "correlated_features_pearson": [v for _, v in record.coactive],
        "correlated_features_l1": [],
        "pos_str": [token for token, _ in record.raises],
        "pos_values": [value for _, value in record.raises],
        "neg_str": [token for token, _ in record.lowers],
        "neg_values": [value for _, value in record.lowers],
        "frac_nonzero": record.density,
        "freq_hist_data_bar_heights": record.histogram,
        "freq_hist_data_bar_values": [
            (place + 0.5) / bins * record.max_activation for place in range(bins)
        ],
        "logits_hist_data_bar_heights": [],
        "logits_hist_data_bar_values": [],
        "decoder_weights_dist": [],
    }


def _activation(record: FeatureRecord, place: int, context: ContextRecord) -> dict[str, Any]:
    low, high = context.bounds or (_TOP, _TOP)
    return {
        "id": f"{record.feature}-{place}",
        "index": str(record.feature),
        "tokens": context.tokens,
        "values": context.values,
        "maxValue": max(context.values),
        "maxValueTokenIndex": context.values.index(max(context.values)),
        "minValue": min(context.values),
        "dataSource": context.source,
        "dataIndex": context.title,
        "binMin": low,
        "binMax": high,
        "binContains": context.share if context.bounds else _TOP,
        "qualifyingTokenIndex": context.peak,
    }


def _explanations(record: FeatureRecord) -> list[dict[str, Any]]:
    """Return a line for each label, the shown one first; a feature's note stands in the first."""
    return [
        {
            "id": f"{record.feature}-{place}" if place else f"{record.feature}",
            "index": str(record.feature),
            "description": label.text,
            "authorId": label.author or None,
            "typeName": _TYPES[label.method],
            "explanationModelName": label.author if label.method == MODEL else None,
            "notes": "" if place else record.note,
            "createdAt": label.made,
            "scores": _scores(label),
        }
        for place, label in enumerate(record.labels or [Label(feature=record.feature, text="")])
        if label.text or record.note
    ]


def _scores(label: Label) -> list[dict[str, Any]]:
    if label.score is None:
        return []
    return [
        {
            "value": label.score, "low": label.score_low, "high": label.score_high,
            "explanationScoreTypeName": label.measure,
        }
    ]  # fmt: skip


# ---------------------------------------------------------------- reading
def is_batches(folder: Path) -> bool:
    """Return whether a folder holds batches as Neuronpedia exports them."""
    return any(_files(folder, kind) for kind in KINDS)


def read_batches(folder: Path) -> Iterator[FeatureRecord]:
    """Yield what the batches of a folder say, a record for every line.

    Several records speak of one feature: `RecordIndex.add` joins them. Raises UserError that
    names the file for what is damaged or no batch.
    """
    readers: dict[str, Callable[[dict[str, Any]], FeatureRecord]] = {
        "features": _read_feature,
        "activations": _read_activation,
        "explanations": _read_explanation,
    }
    for kind in KINDS:
        for path in _files(folder, kind):
            for line in json_lines(path):
                try:
                    yield readers[kind](line)
                except (KeyError, ValueError, TypeError) as error:
                    raise UserError(
                        f"“{path}” holds a line that is not one of Neuronpedia's {kind}: {error}.",
                        next_step="Download it again.",
                    ) from error


def names_in(folder: Path) -> tuple[str, str]:
    """Return the model's id and the hook that the first feature tells; "" for what it does not."""
    for path in _files(folder, "features"):
        for line in json_lines(path):
            return str(line.get("modelId") or ""), str(line.get("hookName") or "")
    return "", ""


def _files(folder: Path, kind: str) -> list[Path]:
    found = [*(folder / kind).glob("*.jsonl.gz"), *(folder / kind).glob("*.jsonl")]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _read_feature(line: dict[str, Any]) -> FeatureRecord:
    return FeatureRecord(
        feature=whole(line["index"]),
        max_activation=float(line.get("maxActApprox") or 0.0),
        density=float(line.get("frac_nonzero") or 0.0),
        histogram=numbers(line.get("freq_hist_data_bar_heights")),
        raises=pairs(line.get("pos_str"), line.get("pos_values")),
        lowers=pairs(line.get("neg_str"), line.get("neg_values")),
        neighbours=_related(line, "topkCosSimIndices", "topkCosSimValues"),
        coactive=_related(line, "correlated_features_indices", "correlated_features_pearson"),
    )


def _related(line: dict[str, Any], ids: str, values: str) -> list[tuple[int, float]]:
    found = zip(numbers(line.get(ids)), numbers(line.get(values)), strict=False)
    return [(int(i), v) for i, v in found]


def _read_activation(line: dict[str, Any]) -> FeatureRecord:
    values = numbers(line["values"])
    low, high = float(line.get("binMin") or 0.0), float(line.get("binMax") or 0.0)
    top = low == high == _TOP or (not low and not high)
    peak = line.get("qualifyingTokenIndex")
    if not isinstance(peak, int) or peak < 0:
        peak = line.get("maxValueTokenIndex")
    context = ContextRecord(
        tokens=texts(line["tokens"]),
        values=values,
        peak=peak if isinstance(peak, int) else -1,
        bounds=None if top else (low, high),
        share=0.0 if top else float(line.get("binContains") or 0.0),
        source=str(line.get("dataSource") or ""),
        title=str(line.get("dataIndex") or ""),
    )
    return FeatureRecord(feature=whole(line["index"]), contexts=[context])


def _read_explanation(line: dict[str, Any]) -> FeatureRecord:
    feature = whole(line["index"])
    text = label_text(str(line["description"]))
    record = FeatureRecord(feature=feature, label=text, note=str(line.get("notes") or ""))
    if text:
        record.labels = [_read_label(feature, text, line)]
    return record


def _read_label(feature: int, text: str, line: dict[str, Any]) -> Label:
    model = str(line.get("explanationModelName") or "")
    kind = str(line.get("typeName") or "")
    author = str(line.get("authorId") or "")
    methods = {name: method for method, name in _TYPES.items()}
    method = MODEL if model else methods.get(kind, IMPORTED)
    scores = line.get("scores")
    score = scores[0] if isinstance(scores, list) and scores else {}
    if not isinstance(score, dict):
        raise TypeError("its scores are not objects")
    value, low, high = (_share(score.get(name)) for name in ("value", "low", "high"))
    return Label(
        feature=feature,
        text=text,
        method=method,
        author=label_text(model or author) or ("Neuronpedia" if method == IMPORTED else ""),
        made=str(line.get("createdAt") or "")[:40],
        score=value,
        score_low=low,
        score_high=high,
        measure=label_text(str(score.get("explanationScoreTypeName") or ""))[:200],
    )


def _share(value: Any) -> float | None:
    """Return a score from 0 to 1; what is none is left out."""
    number = number_of(value)
    return number if number is not None and 0.0 <= number <= 1.0 else None
