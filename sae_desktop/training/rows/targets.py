"""What a run reads and what it reconstructs: from a target and sites to the parts of a batch.

A batch's input is the rows of some sites side by side, and so is its output: one site for a
plain dictionary, two for a transcoder, several layers or two models for a crosscoder. Free of
torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sae_desktop.activations.layout import StoreInfo
from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.training.config import Target, TrainConfig

CROSS_LAYER_ARCHITECTURE = "jumprelu"
"""The one a cross-layer transcoder is trained as (Ameisen et al., 2025)."""

FIRST = 0
"""The source of the rows of `activations` (or the stream); 1 … are `other_activations`."""

_MLP_INPUT, _MLP_OUTPUT = "mlp.hook_in", "hook_mlp_out"


@dataclass(frozen=True)
class Part:
    """The rows of one site, which have a scalar and a centre of their own."""

    source: int
    """FIRST, or which of the others, counted from 1."""
    site: str
    width: int


@dataclass(frozen=True)
class TargetPlan:
    """The parts that are side by side in a batch's x and in its y."""

    target: Target
    inputs: tuple[Part, ...]
    outputs: tuple[Part, ...]
    """The very `inputs` where the input itself is reconstructed: then y is x."""

    @property
    def reconstructs_input(self) -> bool:
        return self.outputs == self.inputs

    @property
    def width(self) -> int:
        """I, of all inputs together."""
        return sum(part.width for part in self.inputs)

    @property
    def out_width(self) -> int:
        """O, of all outputs together."""
        return sum(part.width for part in self.outputs)

    def setup_fields(self) -> dict[str, Any]:
        """Return what an architecture's `Setup` must be told of it, by field."""
        several = len(self.outputs) > 1
        return {
            "width": self.width,
            "out_width": None if self.reconstructs_input else self.out_width,
            "parts": tuple(part.width for part in self.outputs) if several else (),
            "skip": self.target == "skip_transcoder",
        }

    def metadata(self) -> dict[str, Any]:
        """Return what a saved dictionary says of its sites, in SAELens's words where it has them.

        `target` is always there; `hook_name_out` where it writes elsewhere than it reads, and
        `input_sites` and `output_sites` where there are several.
        """
        found: dict[str, Any] = {"target": self.target, "hook_name": self.inputs[0].site}
        if not self.reconstructs_input:
            found["hook_name_out"] = self.outputs[0].site
        if len(self.inputs) > 1 or len(self.outputs) > 1:
            found["input_sites"] = [part.site for part in self.inputs]
            found["output_sites"] = [part.site for part in self.outputs]
            found["sources"] = [part.source for part in self.outputs]
        return found


def resolve_target(
    config: TrainConfig, source: StoreInfo, others: Sequence[StoreInfo] = ()
) -> TargetPlan:
    """Return the parts of a run's batches.

    `source` says what `activations` or the stream holds, `others` what `other_activations`
    do. Raises UserError for sites that are not there, for too few or too many, and for
    settings that the target does not have.
    """
    if others and config.target != "crosscoder":
        raise UserError(
            "Stores of other models are only for a crosscoder of several models.",
            next_step="Choose the target “crosscoder”, or leave the other stores out.",
        )
    match config.target:
        case "input":
            return _plain(config, source)
        case "transcoder" | "skip_transcoder":
            return _transcoder(config, source)
        case "crosscoder":
            return _crosscoder(config, source, others)
        case "cross_layer_transcoder":
            return _cross_layer(config, source)


def check_aligned(store: ActivationStore, other: ActivationStore) -> None:
    """Raise UserError unless two stores hold the same tokens, row by row."""
    pair = f"“{store.folder.name}” and “{other.folder.name}”"
    way_out = (
        "Harvest both from the same corpus with the same seed, context size, BOS policy and "
        "number of tokens; the models must share a tokenizer."
    )
    if store.rows != other.rows:
        raise UserError(
            f"The stores {pair} hold {store.rows:,} and {other.rows:,} rows: a crosscoder needs "
            "the same tokens in both.",
            next_step=way_out,
        )
    differing = np.asarray(store.tokens) != np.asarray(other.tokens)
    differing |= np.asarray(store.positions) != np.asarray(other.positions)
    if differing.any():
        raise UserError(
            f"The stores {pair} hold different tokens from row {int(differing.argmax()):,} on"
            f"{_because_of_tokenizers(store, other)}.",
            next_step=way_out,
        )
    _require_same_pictures(store, other, pair, way_out)


def _require_same_pictures(
    store: ActivationStore, other: ActivationStore, pair: str, way_out: str
) -> None:
    """Raise UserError unless rows of pictures are of the same places: their ids do not tell."""
    if not len(store.pictures) and not len(other.pictures):
        return
    digests = [one.pictures.table["digest"] for one in (store, other)]
    _, which = np.unique(np.concatenate(digests), return_inverse=True)
    # The last one, to which −1 leads, is of text.
    ours = np.append(which[: len(digests[0])], -1)[store.pictures.of_rows()]
    theirs = np.append(which[len(digests[0]) :], -1)[other.pictures.of_rows()]
    differing = ours != theirs
    differing |= store.pictures.tokens_of_rows() != other.pictures.tokens_of_rows()
    if differing.any():
        raise UserError(
            f"The stores {pair} hold different pictures from row {int(differing.argmax()):,} on.",
            next_step=way_out,
        )


def _because_of_tokenizers(store: ActivationStore, other: ActivationStore) -> str:
    # Only told, not refused: a base and a tuned model's files differ where their tokens do not.
    hashes = {store.info.tokenizer_hash, other.info.tokenizer_hash}
    return ", and their models have different tokenizers" if len(hashes) > 1 else ""


def _plain(config: TrainConfig, source: StoreInfo) -> TargetPlan:
    _no_outputs(config, "A dictionary of the input itself")
    if len(config.sites) > 1:
        raise UserError(
            f"A dictionary of the input itself reads one site, but {len(config.sites)} are named.",
            next_step="Choose one, or the target “crosscoder”.",
        )
    part = _part(config.sites[0] if config.sites else source.sites[0], source)
    return TargetPlan("input", (part,), (part,))


def _transcoder(config: TrainConfig, source: StoreInfo) -> TargetPlan:
    sites, outputs = config.sites, config.output_sites
    if not sites and not outputs and len(source.sites) == 2:
        sites, outputs = (source.sites[0],), (source.sites[1],)
    if len(sites) != 1 or len(outputs) != 1:
        raise UserError(
            "A transcoder reads one site and writes another, but it is not clear which ones.",
            next_step="Choose one input site and one output site. The store holds: "
            f"{_list(source)}.",
        )
    if sites == outputs:
        raise UserError(
            f"The transcoder would read and write the same site, “{sites[0]}”.",
            next_step="Choose another output site, or the target “input”.",
        )
    return TargetPlan(config.target, (_part(sites[0], source),), (_part(outputs[0], source),))


def _crosscoder(config: TrainConfig, source: StoreInfo, others: Sequence[StoreInfo]) -> TargetPlan:
    _no_outputs(config, "A crosscoder")
    if not others:
        parts = _parts(config.sites or tuple(source.sites), source)
    else:
        parts = _parts(config.sites or (source.sites[0],), source)
        for number, other in enumerate(others, start=1):
            parts += _parts(config.sites or (other.sites[0],), other, number)
    if len(parts) < 2:
        raise UserError(
            "A crosscoder reads several sites or several models, but the store holds "
            f"{_list(source)}.",
            next_step="Harvest several sites in one pass, or choose another model’s store.",
        )
    return TargetPlan("crosscoder", parts, parts)


def _cross_layer(config: TrainConfig, source: StoreInfo) -> TargetPlan:
    inputs = _parts(config.sites or _with_hook(source, _MLP_INPUT), source)
    outputs = _parts(config.output_sites or _with_hook(source, _MLP_OUTPUT), source)
    layers = [parse_site(part.site).layer for part in inputs]
    if len(inputs) < 2 or layers != [parse_site(part.site).layer for part in outputs]:
        raise UserError(
            "A cross-layer transcoder reads and writes one site in each of several layers, the "
            f"same layers; here it would read {_names(inputs)} and write {_names(outputs)}.",
            next_step=f"The store holds: {_list(source)}. Harvest mlp.hook_in and hook_mlp_out "
            "of every layer in one pass.",
        )
    if layers != sorted(set(layers)):
        raise UserError(
            "The layers of a cross-layer transcoder must be in order, each only once.",
            next_step="List the sites from the first layer to the last.",
        )
    if len({part.width for part in inputs + outputs}) > 1:
        raise UserError("The sites of a cross-layer transcoder must all have the same width.")
    _check_cross_layer_settings(config, len(inputs))
    return TargetPlan("cross_layer_transcoder", inputs, outputs)


def _check_cross_layer_settings(config: TrainConfig, layers: int) -> None:
    if config.architecture != CROSS_LAYER_ARCHITECTURE:
        raise UserError(
            f"A cross-layer transcoder cannot be trained as “{config.architecture}”.",
            next_step=f"Choose the architecture “{CROSS_LAYER_ARCHITECTURE}”.",
        )
    if config.features % layers:
        raise UserError(
            f"{config.features:,} features cannot be divided equally among {layers} layers.",
            next_step=f"Choose {max(1, config.features // layers) * layers:,}.",
        )
    if config.init == "data" or config.resample:
        raise UserError(
            "A cross-layer transcoder starts from random directions and cannot be resampled.",
            next_step="Choose the initialisation “random”, without resampling.",
        )


def _no_outputs(config: TrainConfig, what: str) -> None:
    if config.output_sites:
        raise UserError(
            f"{what} writes to the site it reads, so it has no separate output sites.",
            next_step="Leave the output sites out, or choose a transcoder.",
        )


def _part(site: str, info: StoreInfo, source: int = FIRST) -> Part:
    if site not in info.sites:
        store = f"other store {source}" if source else "store"
        raise UserError(
            f"The {store} has no site “{site}”.",
            next_step=f"It holds: {_list(info)}. Several sites can be harvested in one pass.",
        )
    return Part(source, site, info.widths[info.sites.index(site)])


def _parts(sites: tuple[str, ...], info: StoreInfo, source: int = FIRST) -> tuple[Part, ...]:
    if len(set(sites)) < len(sites):
        raise UserError("A site is named twice.", next_step="Name each site once.")
    return tuple(_part(site, info, source) for site in sites)


def _with_hook(info: StoreInfo, hook: str) -> tuple[str, ...]:
    found = [site for site in info.sites if site.endswith(f".{hook}")]
    return tuple(sorted(found, key=lambda site: parse_site(site).layer))


def _names(parts: tuple[Part, ...]) -> str:
    return ", ".join(part.site for part in parts) or "nothing"


def _list(info: StoreInfo) -> str:
    return ", ".join(info.sites)
