"""Delphi's cached latents: where each feature fires, in safetensors, over sequences of tokens.

`{module}/{start}_{end}.safetensors`: locations (N, 3) sequence, position, feature − start;
activations (N,) float16; tokens (sequences, length). `config.json` says how they were made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from sae_desktop.errors import UserError
from sae_desktop.exchange.delphi_explanations import read_explanations, write_explanations
from sae_desktop.exchange.delphi_layout import EXPLANATIONS, latent_files
from sae_desktop.exchange.places import without_place
from sae_desktop.exchange.records import ContextRecord, FeatureRecord
from sae_desktop.features.reading.layout import BINS
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.load import load_reader
from sae_desktop.language_model.names import public_name
from sae_desktop.project_labels import Label
from sae_desktop.storage.atomic import replacing, write_bytes
from sae_desktop.storage.faults import explained

Array = npt.NDArray[np.int64]
LENGTH = 256
"""Tokens of a sequence."""
_FEATURES = 4096
"""In a file."""
_TOP, _BUCKETS, _EACH = 20, 5, 4
"""Contexts chosen of what is read: the strongest, and of each bucket evenly spaced ones."""


def write_latents(
    folder: Path,
    index: FeatureIndex,
    labels: Iterable[Label] = (),
    told: Callable[[int], None] = lambda done: None,
) -> int:
    """Write all firings of an index, and labels as explanations; return the number of features.

    A text that is longer than a sequence continues in the next; shorter ones are followed
    by the tokenizer's padding, or its end of a text. Raises UserError where the firings were not
    kept, for a model that is not here, and when the disk is full.
    """
    firings = index.firings()
    if firings is None:
        raise UserError(
            f"The index “{index.path.stem}” did not keep its firings, which Delphi's files "
            "contain.",
            next_step="Build it again, keeping all activations.",
        )
    module = folder / index.info.site
    padding = _padding_of(index)
    tokens, sequence, position = _sequences(index, padding)
    with explained(folder):
        module.mkdir(parents=True, exist_ok=True)
        for first in range(0, index.features, _FEATURES):
            last = min(first + _FEATURES, index.features)
            block, _ = firings.block(first, last)
            features = np.repeat(np.arange(last - first), np.diff(block.offsets))
            arrays: dict[str, npt.NDArray[Any]] = {
                "locations": np.stack(
                    [sequence[block.rows], position[block.rows], features], axis=1
                ).astype(np.int64),
                "activations": block.values.astype(np.float16),
                "tokens": tokens,
            }
            with replacing(module / f"{first}_{last - 1}.safetensors") as part:
                save_file(arrays, part)
            told(last)
        config = {
            "model_name": public_name(index.info.model),
            "dataset_repo": without_place(index.info.corpus),
            "cache_ctx_len": LENGTH, "n_tokens": int(tokens.size), "batch_size": 32,
            "n_splits": -(-index.features // _FEATURES), "pad_token_id": padding,
        }  # fmt: skip
        write_bytes(module / "config.json", json.dumps(config, indent=2).encode())
    write_explanations(folder, index.info.site, labels)
    return index.features


def _padding_of(index: FeatureIndex) -> int:
    """Return a token that stands for no text. Raises UserError for a model that is not here."""
    reader = load_reader(index.info.model)
    ids = (reader.tokenizer.pad_token_id, reader.tokenizer.eos_token_id, reader.bos_id)
    found = next((int(i) for i in (*ids, *sorted(reader.special_ids)) if i is not None), None)
    if found is None:
        raise UserError(
            f"The tokenizer of “{index.info.model}” has no padding token, which Delphi's files "
            "need after a short text.",
            next_step="Export in another format.",
        )
    return found


def _sequences(index: FeatureIndex, padding: int) -> tuple[Array, Array, Array]:
    """Return tokens (B, LENGTH), and each row's sequence and position (R,)."""
    rows = index.info.rows
    sequence, position = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    count = 0
    for first, length in zip(
        index.passages["first_row"].tolist(), index.passages["length"].tolist(), strict=True
    ):
        place = np.arange(length)
        sequence[first : first + length] = count + place // LENGTH
        position[first : first + length] = place % LENGTH
        count += -(-length // LENGTH)
    tokens = np.full((count, LENGTH), padding, np.int64)
    tokens[sequence, position] = index.tokens[:rows]
    return tokens, sequence, position


# ---------------------------------------------------------------- reading
def read_latents(folder: Path, token: Callable[[int], str]) -> Iterator[FeatureRecord]:
    """Yield the features of a module's files; `token` gives a token's text.

    Explanations that lie where Delphi puts them become labels. Raises UserError that names the
    file for arrays that do not fit together.
    """
    explanations = _explanations_of(folder)
    padding = _told_padding(folder)
    for first, last, path in latent_files(folder):
        locations, activations, tokens = _arrays(path, last - first + 1)
        order = np.argsort(locations[:, 2], kind="stable")
        locations, activations = locations[order], activations[order]
        features, starts = np.unique(locations[:, 2], return_index=True)
        ends = np.append(starts[1:], len(locations))
        for feature, start, end in zip(features, starts, ends, strict=True):
            record = _record(
                int(feature) + first, locations[start:end], activations[start:end],
                _Texts(tokens, _lengths(tokens, padding), token),
            )  # fmt: skip
            label = explanations.get(record.feature)
            if label is not None:
                record.label, record.labels = label.text, [label]
            yield record


class _Texts(NamedTuple):
    """The sequences of a file, and how much of each is text."""

    tokens: Array
    """(sequences, length)."""
    lengths: Array
    """(sequences,)."""
    token: Callable[[int], str]


def _told_padding(folder: Path) -> int | None:
    """Return the token with which short texts are filled, where the files say it."""
    try:
        found = json.loads((folder / "config.json").read_bytes()).get("pad_token_id")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, int) else None


def _lengths(tokens: Array, padding: int | None) -> Array:
    """Return how many tokens of each sequence come before its padding."""
    if padding is None:
        return np.full(len(tokens), tokens.shape[1])
    text = tokens != padding
    ends = tokens.shape[1] - np.argmax(text[:, ::-1], axis=1)
    return np.where(text.any(axis=1), ends, 0)


def _explanations_of(module: Path) -> dict[int, Label]:
    """Return what is in `explanations` beside a module, or beside the folder of all modules."""
    for above in (module.parent, module.parent.parent):
        if (above / EXPLANATIONS).is_dir():
            found = read_explanations(above / EXPLANATIONS, module.name)
            return {label.feature: label for label in found}
    return {}


def _arrays(path: Path, features: int) -> tuple[Array, npt.NDArray[np.float32], Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
        locations = found["locations"].astype(np.int64)
        activations = found["activations"].astype(np.float32)
        tokens = found["tokens"].astype(np.int64)
        if locations.ndim != 2 or locations.shape[1] != 3 or tokens.ndim != 2:
            raise ValueError("locations and tokens are not of the right shape")
        if len(activations) != len(locations):
            raise ValueError("there are not as many activations as locations")
        bounds = (*tokens.shape, features)
        inside = (locations >= 0).all() and (locations < bounds).all()
        if not inside or not np.isfinite(activations).all():
            raise ValueError("a location lies outside the tokens or features")
    except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise UserError(
            f"“{path}” is not one of Delphi's cached latents: {error}.",
            next_step="Cache the latents again.",
        ) from error
    return locations, activations, tokens


def _record(
    feature: int, locations: Array, activations: npt.NDArray[np.float32], texts: _Texts
) -> FeatureRecord:
    top = float(activations.max())
    counts, _ = np.histogram(activations, bins=BINS, range=(0.0, max(top, 1e-9)))
    bounds = np.linspace(0.0, top, _BUCKETS + 1)
    strongest = np.argsort(-activations, kind="stable")
    contexts = [_context(one, locations, activations, texts) for one in strongest[:_TOP]]
    rest = strongest[_TOP:]
    for low, high in pairwise(bounds):
        inside = rest[(activations[rest] > low) & (activations[rest] <= high)]
        chosen = inside[np.linspace(0, len(inside) - 1, min(_EACH, len(inside))).astype(int)]
        for one in chosen:
            context = _context(one, locations, activations, texts)
            context.bounds = (float(low), float(high))
            contexts.append(context)
    return FeatureRecord(
        feature=feature,
        max_activation=top,
        density=len(activations) / max(int(texts.lengths.sum()), 1),
        histogram=[float(count) for count in counts],
        contexts=contexts,
    )


def _context(
    one: int, locations: Array, activations: npt.NDArray[np.float32], texts: _Texts
) -> ContextRecord:
    sequence, position, _ = locations[one]
    mine = np.flatnonzero(locations[:, 0] == sequence)
    values = np.zeros(texts.tokens.shape[1])
    values[locations[mine, 1]] = activations[mine]
    length = max(int(texts.lengths[sequence]), int(locations[mine, 1].max()) + 1)
    return ContextRecord(
        tokens=[texts.token(int(i)) for i in texts.tokens[sequence, :length]],
        values=[float(value) for value in values[:length]],
        peak=int(position),
        title=f"sequence {sequence}",
    )
