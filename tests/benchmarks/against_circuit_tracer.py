"""Graphs compared with circuit-tracer's, of the same small model and set: nodes and edges.

    python tests/benchmarks/against_circuit_tracer.py --python OTHER/bin/python --source FOLDER

circuit-tracer needs another transformers than this program, so it runs in an interpreter of its
own: one with torch, transformer-lens 2 and transformers 4.57, and a checkout of
https://github.com/decoderesearch/circuit-tracer in FOLDER. Both read the same files: a random
Llama of three layers, and circuit-tracer's own layout of a set. Every feature that fires is
traced. Compared are which features fire, their activations, the edges, the influence, pruning at
.8 and .98, and the scores; and the graph's JSON is read there and written again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
IDS = [0, 17, 60, 201, 33, 9, 77, 140]
LAYERS, FEATURES = 3, 64
CASES = {
    "transcoders": {"cross_layer": False, "skip": False, "hook": "mlp.hook_in"},
    "skip transcoders": {"cross_layer": False, "skip": True, "hook": "mlp.hook_in"},
    "cross-layer": {"cross_layer": True, "skip": False, "hook": "hook_resid_mid"},
}


# ---------------------------------------------------------------- their side
def theirs(model: Path, folder: Path, out: Path) -> None:
    """Trace with circuit-tracer, in the interpreter that has it."""
    import torch
    from circuit_tracer.attribution.attribute_transformerlens import attribute
    from circuit_tracer.graph import compute_graph_scores, prune_graph
    from circuit_tracer.replacement_model.replacement_model_transformerlens import (
        TransformerLensReplacementModel,
    )
    from circuit_tracer.transcoder.cross_layer_transcoder import load_clt
    from circuit_tracer.transcoder.single_layer_transcoder import load_transcoder_set
    from transformer_lens import HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions.llama import convert_llama_weights
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    network = AutoModelForCausalLM.from_pretrained(model).eval()
    config = network.config
    cfg = HookedTransformerConfig(
        n_layers=config.num_hidden_layers, d_model=config.hidden_size, n_ctx=64,
        d_head=config.hidden_size // config.num_attention_heads,
        n_heads=config.num_attention_heads, n_key_value_heads=config.num_key_value_heads,
        d_mlp=config.intermediate_size, d_vocab=config.vocab_size, act_fn="silu",
        normalization_type="RMS", positional_embedding_type="rotary", rotary_base=10000,
        rotary_adjacent_pairs=False, gated_mlp=True, final_rms=True, eps=config.rms_norm_eps,
        rotary_dim=config.hidden_size // config.num_attention_heads, dtype=torch.float32,
        device="cpu", tokenizer_prepends_bos=False, default_prepend_bos=False,
        original_architecture="LlamaForCausalLM", model_name="toy",
    )  # fmt: skip
    told = json.loads((folder / "case.json").read_text())
    names = {"feature_input_hook": told["hook"], "feature_output_hook": "hook_mlp_out"}
    if told["cross_layer"]:
        found: Any = load_clt(str(folder), **names, scan="toy", dtype=torch.float32)
    else:
        paths = {n: str(folder / f"layer_{n}.safetensors") for n in range(LAYERS)}
        found = load_transcoder_set(
            paths, scan="toy", **names, device=torch.device("cpu"), dtype=torch.float32
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(model / "tokenizer.json"), bos_token="<|bos|>", eos_token="<|eos|>"
    )
    replaced = TransformerLensReplacementModel(cfg)
    replaced.tokenizer = tokenizer
    replaced.load_state_dict(convert_llama_weights(network, cfg), strict=False)
    replaced._configure_replacement_model(found)
    graph = attribute(torch.tensor(IDS), replaced, batch_size=64, max_n_logits=10)
    pruned = prune_graph(graph, 0.8, 0.98)
    _write_json(graph, pruned, tokenizer, out.with_suffix(".json"))
    np.savez(
        out,
        edges=graph.adjacency_matrix.numpy(),
        features=graph.active_features[graph.selected_features].numpy(),
        activations=graph.activation_values[graph.selected_features].numpy(),
        logits=graph.logit_token_ids.numpy(),
        chances=graph.logit_probabilities.numpy(),
        nodes=pruned.node_mask.numpy(),
        kept=pruned.edge_mask.numpy(),
        scores=np.array(compute_graph_scores(graph)),
    )


def _write_json(graph: Any, pruned: Any, tokenizer: Any, path: Path) -> None:
    """Write a graph as circuit-tracer does, with its own functions."""
    from circuit_tracer.utils.create_graph_files import (
        build_model,
        create_nodes,
        create_used_nodes_and_edges,
    )

    nodes = create_nodes(graph, pruned.node_mask, tokenizer, pruned.cumulative_scores.tolist())
    used, edges = create_used_nodes_and_edges(graph, nodes, pruned.edge_mask)
    found = build_model(graph, used, edges, "toy", "toy", 0.8, tokenizer)
    path.write_text(found.model_dump_json(indent=2))


def opens_there(path: Path) -> None:
    """Read a graph's JSON with circuit-tracer's own classes; say what it holds."""
    from circuit_tracer.frontend.graph_models import Model

    found = Model.model_validate_json(path.read_text())
    ids = {node.node_id for node in found.nodes}
    broken = [link for link in found.links if not {link["source"], link["target"]} <= ids]
    print(
        f"  ours, opened there: {len(found.nodes)} nodes, {len(found.links)} links, "
        f"{len(broken)} of them broken"
    )


# ---------------------------------------------------------------- ours
def make_set(folder: Path, *, cross_layer: bool, skip: bool, hook: str) -> None:
    """Write random JumpReLU transcoders as circuit-tracer keeps them."""
    import torch
    from safetensors.torch import save_file
    from toy_models import WIDTH

    draw = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw)

    folder.mkdir(parents=True)
    case = {"cross_layer": cross_layer, "skip": skip, "hook": hook}
    (folder / "case.json").write_text(json.dumps(case))
    kind = "cross_layer_transcoder" if cross_layer else "transcoder_set"
    (folder / "config.yaml").write_text(
        f"model_name: toy\nmodel_kind: {kind}\nfeature_input_hook: {hook}\n"
        "feature_output_hook: hook_mlp_out\nscan: toy\n"
    )
    for layer in range(LAYERS):
        W_dec = numbers(FEATURES, LAYERS - layer if cross_layer else 1, WIDTH)
        W_dec = W_dec / W_dec.flatten(1).norm(dim=1)[:, None, None]
        shared = {
            "W_enc": 0.3 * numbers(FEATURES, WIDTH),
            "b_enc": 0.1 * numbers(FEATURES) - 0.3,
            "b_dec": 0.1 * numbers(WIDTH),
        }
        threshold = 0.1 * numbers(FEATURES).abs()
        if cross_layer:
            found = {f"{name}_{layer}": value for name, value in shared.items()}
            found[f"threshold_{layer}"] = threshold
            save_file(found, folder / f"W_enc_{layer}.safetensors")
            save_file({f"W_dec_{layer}": W_dec}, folder / f"W_dec_{layer}.safetensors")
            continue
        found = shared | {
            "W_dec": W_dec[:, 0].contiguous(),
            "activation_function.threshold": threshold,
        }
        if skip:
            found["W_skip"] = 0.1 * numbers(WIDTH, WIDTH)
        save_file(found, folder / f"layer_{layer}.safetensors")


def ours(model: Path, folder: Path) -> tuple[Any, np.ndarray]:
    """Trace with this program: the graph, and the dense edges in circuit-tracer's order."""
    import torch

    from sae_desktop.circuits.config import TraceConfig
    from sae_desktop.circuits.members import Members
    from sae_desktop.circuits.prompt import Prompt
    from sae_desktop.circuits.tracing.job import Tracer, _Memory
    from sae_desktop.circuits.tracing.opened import OpenedSet
    from sae_desktop.dictionary import load
    from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
    from sae_desktop.jobs import SilentContext
    from sae_desktop.language_model.load import load_model
    from sae_desktop.language_model.sites.resolve import Site

    told = json.loads((folder / "case.json").read_text())
    reads = {layer: Site(layer, told["hook"]) for layer in range(LAYERS)}
    if told["cross_layer"]:
        across = load(folder)
        assert isinstance(across, CrossLayerDictionary)
        blocks = dict(enumerate(across.blocks))
        biases = dict(enumerate(torch.split(across.b_dec, list(across.parts))))
        members = Members(blocks, reads, biases, cross_layer=True)
    else:
        layers = {n: load(folder / f"layer_{n}.safetensors") for n in range(LAYERS)}
        skips = {n: d.W_skip for n, d in layers.items() if d.W_skip is not None}
        biases = {n: d.b_dec for n, d in layers.items()}
        members = Members(layers, reads, biases, skips, cross_layer=False)
    lm = load_model(str(model), "cpu")
    from types import SimpleNamespace

    info = SimpleNamespace(name="toy", digest="", kind="transcoders")
    settings = TraceConfig(
        project="", name="g", set="toy", prompt="", most_features=0, keep_edges=1.0, device="cpu"
    )
    prompt = Prompt(IDS, 1, tuple(map(str, IDS)))
    tracer = Tracer(OpenedSet(info, members, lm), prompt, settings)  # type: ignore[arg-type]
    for _ in tracer.run(SilentContext(), _Memory(lm.device)):
        pass
    graph, _ = tracer.graph(settings)
    return graph, _dense(graph)


def _dense(graph: Any) -> np.ndarray:
    """Edges as circuit-tracer orders nodes: features, errors, embeddings, logits."""
    place = np.full(graph.nodes, -1)
    features = np.flatnonzero(graph.kind == 1)
    errors = np.flatnonzero(graph.kind == 2)
    embeddings = np.flatnonzero(graph.kind == 0)
    logits = np.flatnonzero(graph.kind == 3)
    tokens = len(IDS)
    place[features] = np.arange(len(features))
    place[errors] = len(features) + graph.layer[errors] * tokens + graph.position[errors]
    first = len(features) + LAYERS * tokens
    place[embeddings] = first + graph.position[embeddings]
    place[logits] = first + tokens + np.arange(len(logits))
    dense = np.zeros((first + tokens + len(logits),) * 2, np.float32)
    dense[place[graph.targets()], place[graph.sources]] = graph.weights
    return dense


def compare(case: str, graph: Any, edges: np.ndarray, other: Any) -> bool:
    """Say how the two graphs differ; return whether they are the same to 1e-4."""
    from sae_desktop.circuits.reading.pruning import pruned, scores

    features = np.flatnonzero(graph.kind == 1)
    found = np.stack([graph.layer[features], graph.position[features], graph.feature[features]], 1)
    same_nodes = np.array_equal(found, other["features"])
    logits = np.flatnonzero(graph.kind == 3)
    same_logits = np.array_equal(graph.feature[logits], other["logits"])
    scale = np.abs(other["edges"]).max()
    worst = float(np.abs(edges - other["edges"]).max()) if same_nodes and same_logits else np.nan
    activations = float(np.abs(graph.activation[features] - other["activations"]).max())
    kept = pruned(graph, 0.8, 0.98)
    measured = scores(graph)
    gap = np.abs(np.array(measured) - other["scores"]).max()
    theirs_inner = int(other["nodes"].sum())
    print(
        f"{case}: {len(features)} features each, the same: {same_nodes}; logits the same: "
        f"{same_logits}; activations differ by {activations:.1e}; {int((edges != 0).sum())} edges "
        f"(theirs {int((other['edges'] != 0).sum())}) differ by {worst:.1e} at most, the largest "
        f"is {scale:.2f}; scores {measured.replacement:.6f} {measured.completeness:.6f} (theirs "
        f"{other['scores'][0]:.6f} {other['scores'][1]:.6f}); after pruning {kept.nodes.sum()} "
        f"nodes (theirs {theirs_inner}), {kept.edges.sum()} edges (theirs {other['kept'].sum()})"
    )
    return bool(same_nodes and same_logits and worst < 1e-4 * max(scale, 1) and gap < 1e-4)


def compare_json(graph: Any, theirs_path: Path, ours_path: Path) -> bool:
    """Read their JSON, write ours; return whether both have the same nodes and edges."""
    from sae_desktop.circuits.reading.pruning import pruned
    from sae_desktop.circuits.reading.tracer_json import read_tracer_json, tracer_json

    kept = pruned(graph, 0.8, 0.98)
    ours_path.write_bytes(tracer_json(graph, kept, {}, threshold=0.8))
    read, own = read_tracer_json(theirs_path), read_tracer_json(ours_path)
    same = all(
        np.array_equal(getattr(read.graph, name), getattr(own.graph, name))
        for name in ("kind", "layer", "position", "feature", "offsets")
    )
    worst = np.abs(read.graph.weights - own.graph.weights).max() if same else np.nan
    print(
        f"  theirs, opened here: {read.graph.nodes} nodes, {read.graph.edges} edges, "
        f"{read.dropped} links dropped; the same as ours: {same}, weights differ by {worst:.1e}"
    )
    return bool(same and worst < 1e-4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter with circuit-tracer")
    parser.add_argument("--source", default="", help="checkout of circuit-tracer")
    parser.add_argument("--child", nargs=3, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--opened", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        theirs(*given.child)
        return
    if given.opened:
        opens_there(given.opened)
        return
    sys.path.insert(0, str(ROOT / "tests"))
    from toy_models import save_toy_model

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = save_toy_model(folder / "toy", num_hidden_layers=LAYERS)
        fine = True
        for case, settings in CASES.items():
            place = folder / case.replace(" ", "_")
            make_set(place, **settings)  # type: ignore[arg-type]
            _run(given, "--child", str(model), str(place), str(place / "o.npz"))
            graph, edges = ours(model, place)
            fine &= compare(case, graph, edges, np.load(place / "o.npz"))
            fine &= compare_json(graph, place / "o.json", place / "ours.json")
            _run(given, "--opened", str(place / "ours.json"))
    sys.exit(not fine)


def _run(given: Any, *arguments: str) -> None:
    """Run a part of this file in the other interpreter."""
    environment = os.environ | {"PYTHONPATH": given.source, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(
        [given.python, "-W", "ignore", __file__, *arguments], env=environment, check=True
    )


if __name__ == "__main__":
    main()
