"""SAEDashboard's side of `index_throughput.py`, run by an interpreter that has it.

    python dashboard_peer.py MODEL_FOLDER DICTIONARY_FOLDER TOKENS.npy LAYER FEATURES

Loads a Llama model into TransformerLens and the dictionary into SAELens, then lets
SaeVisRunner look at the first FEATURES features over all tokens (windows, length). Prints JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sae_dashboard.sae_vis_data import SaeVisConfig
from sae_dashboard.sae_vis_runner import SaeVisRunner
from sae_lens import SAE, HookedSAETransformer
from safetensors.torch import load_file
from transformer_lens import HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_llama_weights
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


def load_model(folder: Path) -> HookedSAETransformer:
    raw = json.loads((folder / "config.json").read_text())
    theta = raw["rope_parameters"]["rope_theta"]
    hf = LlamaForCausalLM(LlamaConfig(**{**raw, "rope_theta": theta}))
    missing = hf.load_state_dict(load_file(next(folder.glob("*.safetensors"))), strict=False)
    assert not [name for name in missing.missing_keys if "lm_head" not in name], missing
    hf.tie_weights()
    cfg = HookedTransformerConfig(
        n_layers=raw["num_hidden_layers"], d_model=raw["hidden_size"], d_head=raw["head_dim"],
        n_heads=raw["num_attention_heads"], d_mlp=raw["intermediate_size"],
        n_ctx=raw["max_position_embeddings"], d_vocab=raw["vocab_size"], act_fn="silu",
        normalization_type="RMS", eps=raw["rms_norm_eps"], positional_embedding_type="rotary",
        rotary_adjacent_pairs=False, rotary_dim=raw["head_dim"], rotary_base=theta,
        gated_mlp=True, final_rms=True, original_architecture="LlamaForCausalLM", device="cpu",
    )  # fmt: skip
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = HookedSAETransformer(cfg, tokenizer)
    model.load_and_process_state_dict(
        convert_llama_weights(hf, cfg), fold_ln=False, center_writing_weights=False,
        center_unembed=False, fold_value_biases=False,
    )  # fmt: skip
    return model


def main() -> None:
    folder, dictionary, tokens_path, _layer, features = sys.argv[1:6]
    torch.set_num_threads(int(sys.argv[6]))
    model = load_model(Path(folder))
    sae = SAE.load_from_disk(dictionary, device="cpu")
    tokens = torch.from_numpy(np.load(tokens_path)).long()
    site = sae.cfg.metadata.hook_name
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens[:1], names_filter=site)
        active = sae.encode(cache[site])[0] > 0
    began, processor = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as cache_dir:
        cfg = SaeVisConfig(
            hook_point=site, features=list(range(int(features))), device="cpu",
            cache_dir=Path(cache_dir),
        )  # fmt: skip
        found = SaeVisRunner(cfg).run(encoder=sae, model=model, tokens=tokens)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    print(
        json.dumps(
            {
                "seconds": seconds,
                "processor_seconds": processor,
                "features": len(found.feature_data_dict),
                "l0": float(active.sum(dim=1).float().mean()),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
