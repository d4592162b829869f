"""The job `export_monitor`: a folder that runs a monitor with only torch and transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.names import hub_name, public_name
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.safety.monitors.config import ExportMonitorConfig, ExportMonitorResult
from sae_desktop.safety.monitors.file import Monitor, read_monitor
from sae_desktop.safety.monitors.opening import model_of, open_unchanged
from sae_desktop.steering.readers import Reader
from sae_desktop.steering.ready_gates import DIRECTION, monitor_reader, require_live
from sae_desktop.steering.script_places import told_place
from sae_desktop.storage.atomic import replacing_folder
from sae_desktop.storage.faults import explained

FILES = ("monitor.py", "monitor.json", "weights.safetensors")


def export_monitor(config: ExportMonitorConfig, context: JobContext) -> ExportMonitorResult:
    """Write the folder in one step.

    Raises UserError for a folder that holds something, a monitor of several models, and one whose
    model or dictionary is another by now.
    """
    path = Path(config.path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(
            f"“{path.name}” already holds something.",
            kept="It was left unchanged.",
            next_step="Choose a new folder, or an empty one.",
        )
    project = Project.open(config.project)
    monitor = read_monitor(project, config.monitor)
    lm = model_of(project, monitor, config.device)

    def opened(index: str, known_hash: str) -> OpenedIndex:
        return open_unchanged(str(project.path), index, known_hash, config.device)

    _, reader = monitor_reader(str(project.path), config.monitor, lm, opened)
    require_live(reader.places, lm)
    tensors, told = script_weights(reader)
    told = {**_told(monitor, lm, reader), **told}
    script = resource_path("monitor_script.py.txt").read_text(encoding="utf-8")
    with explained(path), replacing_folder(path) as folder:
        (folder / FILES[0]).write_text(script, encoding="utf-8")
        (folder / FILES[1]).write_bytes(msgspec.json.format(msgspec.json.encode(told)))
        save_file(tensors, folder / FILES[2])
    context.log(f"Written: {path}")
    return ExportMonitorResult(path=str(path), files=list(FILES))


def _told(monitor: Monitor, lm: LanguageModel, reader: Reader) -> dict[str, Any]:
    prefix, suffix = lm.window_tokens if monitor.bos else ((), ())
    return {
        "monitor": monitor.name,
        "made": monitor.made,
        "model": hub_name(lm.name) or hub_name(str(lm.files.folder)),
        "name": public_name(lm.name),
        "class": "AutoModelForCausalLM" if lm.causal else "AutoModel",
        "options": {} if lm.files.gguf is None else {"gguf_file": lm.files.gguf},
        "dtype": str(lm.model.dtype).removeprefix("torch."),
        "places": [told_place(lm, site) for site in reader.sites],
        "before": list(prefix),
        "after": list(suffix),
        "context_size": monitor.context_size,
        "pool": reader.pool,
        "weights": reader.weights_K.tolist(),
        "bias": reader.bias,
        "threshold": monitor.threshold,
        "promise": msgspec.to_builtins(monitor.promise),
        "power": msgspec.to_builtins(monitor.power),
        "calibrated_on": Path(monitor.corpus).name,
        "calibrated_on_digest": monitor.corpus_digest,
    }


def script_weights(reader: Reader) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what the script computes components from."""
    dictionary = reader.dictionary
    if dictionary is None:
        return {DIRECTION: reader.directions_KI[0].contiguous().cpu()}, {}
    if dictionary.refinement is not None:
        raise UserError(
            "This dictionary reads rows twice, which the script does not do.",
            next_step="Run the monitor with “sae-desktop monitor run”, or serve it.",
        )
    encoder, bias, threshold = _encoder(dictionary, reader.features_K)
    rank = dictionary.rank
    tensors = {
        "encoder": encoder,
        "bias": bias,
        "threshold": threshold.clamp_min(0),
        "rank": torch.ones_like(bias) if rank is None else rank,
    }
    chosen = reader.features_K.tolist()
    told = {
        "features": list(range(len(chosen))) if dictionary.separable else chosen,
        "k": dictionary.k or 0,
        "grouped": dictionary.grouped,
        "row_norm": dictionary.row_norm,
    }
    return {name: value.float().contiguous().cpu() for name, value in tensors.items()}, told


def _encoder(dictionary: Dictionary, features_K: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return encoder (I, n), bias and threshold (n,): of the features, or where they compete all.

    Raises UserError for a cross-layer transcoder whose features compete within a layer.
    """
    if isinstance(dictionary, CrossLayerDictionary):
        return _of_layers(dictionary, features_K)
    chosen = features_K if dictionary.separable else torch.arange(dictionary.features)
    chosen = chosen.to(dictionary.device)
    bias = dictionary.b_enc[chosen]
    least = dictionary.threshold
    threshold = torch.zeros_like(bias) if least is None else least[chosen]
    return dictionary.W_enc[:, chosen], bias, threshold


def _of_layers(
    dictionary: CrossLayerDictionary, features_K: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    own = dictionary.blocks[0].features
    width = dictionary.blocks[0].width
    encoder = torch.zeros(dictionary.width, len(features_K))
    bias, threshold = torch.zeros(len(features_K)), torch.zeros(len(features_K))
    for number, feature in enumerate(features_K.tolist()):
        layer, inside = divmod(feature, own)
        block = dictionary.blocks[layer]
        if not block.separable or block.row_norm != "none":
            what = "compete" if not block.separable else "read rows of norm one"
            raise UserError(
                f"In this dictionary features of a layer {what}, which the script does not do.",
                next_step="Run the monitor with “sae-desktop monitor run”, or serve it.",
            )
        encoder[layer * width : (layer + 1) * width, number] = block.W_enc[:, inside].float()
        bias[number] = block.b_enc[inside]
        threshold[number] = 0.0 if block.threshold is None else block.threshold[inside]
    return encoder, bias, threshold
