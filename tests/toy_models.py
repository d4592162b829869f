"""Small random models with a tokenizer of their own, in the ordinary folder form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CONFIG_MAPPING, AutoModel, AutoModelForCausalLM, PreTrainedTokenizerFast

TEXT = (
    "In the beginning God created the heaven and the earth.\n\n"
    "def add(first, second):\n    return first + second\n\n"
    "Κάθε άτομο έχει δικαίωμα στη ζωή. Toute personne a droit à l’éducation. 人人生而自由 🌉\n"
)
WIDTH, LAYERS = 32, 4

_GQA = {"num_key_value_heads": 2}
_WIDE_HEADS = _GQA | {"head_dim": 16}
_EXPERTS = _GQA | {"num_experts_per_tok": 2}
_ROUTED = _EXPERTS | {
    "n_routed_experts": 4,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 2,
}
_LATENT = _ROUTED | {
    "num_key_value_heads": 4,
    "n_group": 1,
    "topk_group": 1,
    "q_lora_rank": 16,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4,
    "v_head_dim": 12,
}
_DELTA = _WIDE_HEADS | {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"] * 2,
}

SIZES: dict[str, dict[str, Any]] = {
    "llama": _GQA,
    "mistral": _GQA,
    "ministral": _GQA | {"head_dim": 8, "sliding_window": 8},
    "ministral3": _WIDE_HEADS,
    "qwen2": _GQA,
    "qwen3": _WIDE_HEADS,
    "gemma": _WIDE_HEADS,
    "gemma2": _WIDE_HEADS,
    "gemma3_text": _WIDE_HEADS,
    "vaultgemma": _WIDE_HEADS,
    "phi3": _GQA | {"pad_token_id": 0},
    "phi": _GQA,
    "olmo": _GQA,
    "olmo2": _GQA,
    "olmo3": _GQA | {"sliding_window": 8},
    "smollm3": _GQA | {"pad_token_id": 2},
    "starcoder2": _GQA,
    "stablelm": _GQA,
    "cohere": _GQA,
    "cohere2": _GQA,
    "granite": _GQA | {"residual_multiplier": 0.22, "logits_scaling": 8.0},
    "granitemoe": _GQA
    | {"num_local_experts": 4, "num_experts_per_tok": 2, "residual_multiplier": 0.22},
    "glm": _WIDE_HEADS | {"pad_token_id": 2},
    "glm4": _WIDE_HEADS | {"pad_token_id": 2},
    "helium": _GQA | {"head_dim": 8},
    "hunyuan_v1_dense": _WIDE_HEADS,
    "seed_oss": _WIDE_HEADS,
    "cwm": _WIDE_HEADS,
    "internlm3": _WIDE_HEADS,
    "modernbert-decoder": {"local_attention": 8, "pad_token_id": 2},
    "ernie4_5": _WIDE_HEADS,
    "arcee": _GQA,
    "nemotron": _GQA,
    "apertus": _GQA,
    "exaone4": _GQA,
    "nanochat": _GQA,
    "persimmon": {},
    "lfm2": _GQA | {"layer_types": ["conv", "full_attention"] * 2},
    "qwen3_5_text": _DELTA,
    "qwen3_next": _DELTA
    | {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
        "mlp_only_layers": [1],
    },
    "gpt2": {},
    "gpt_bigcode": {},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "window_size": 4},
    "gptj": {"rotary_dim": 4},
    "codegen": {"rotary_dim": 4},
    "gpt_neox": {"use_parallel_residual": True},
    "mpt": {},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": WIDTH},
    "xglm": {"ffn_dim": 64, "pad_token_id": 2},
    "biogpt": {"pad_token_id": 2},
    "falcon": {"new_decoder_architecture": False, "parallel_attn": True},
    "bloom": {},
    "mixtral": _EXPERTS | {"num_local_experts": 4},
    "qwen2_moe": _EXPERTS
    | {
        "num_experts": 4,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
        "mlp_only_layers": [1],
    },
    "qwen3_moe": _EXPERTS | {"num_experts": 4, "moe_intermediate_size": 16, "head_dim": 16},
    "olmoe": _EXPERTS | {"num_experts": 4},
    "flex_olmo": _EXPERTS | {"num_experts": 4, "pad_token_id": 2},
    "ernie4_5_moe": _GQA
    | {
        "moe_num_experts": 4,
        "moe_k": 2,
        "moe_intermediate_size": 16,
        "moe_layer_start_index": 2,
    },
    "glm4_moe": _ROUTED | {"head_dim": 16},
    "dots1": _ROUTED | {"n_shared_experts": 1},
    "exaone_moe": _EXPERTS | {"num_experts": 4, "moe_intermediate_size": 16},
    "hunyuan_v1_moe": _WIDE_HEADS | {"num_experts": 4, "moe_topk": 2},
    "minimax_m2": _EXPERTS | {"num_local_experts": 4, "head_dim": 16},
    "llama4_text": _WIDE_HEADS
    | {
        "num_local_experts": 4,
        "num_experts_per_tok": 1,
        "interleave_moe_layer_step": 2,
        "intermediate_size_mlp": 64,
        "pad_token_id": 2,
    },
    "afmoe": _EXPERTS
    | {"num_experts": 4, "moe_intermediate_size": 16, "num_dense_layers": 2, "head_dim": 16},
    "lfm2_moe": _EXPERTS
    | {
        "layer_types": ["conv", "full_attention"] * 2,
        "num_experts": 4,
        "moe_intermediate_size": 16,
        "num_dense_layers": 2,
    },
    "qwen3_5_moe_text": _DELTA
    | {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
    "gemma4_text": _GQA | {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0},
    "phimoe": _EXPERTS | {"num_local_experts": 4},
    "gpt_oss": _EXPERTS | {"num_local_experts": 4, "head_dim": 16, "sliding_window": 8},
    "deepseek_v2": _LATENT | {"q_lora_rank": None},
    "deepseek_v3": _LATENT,
}
"""Decoders, by the name of their architecture."""

CACHELESS_SIZES: dict[str, dict[str, Any]] = {
    "mamba": {"state_size": 4},
    "mamba2": {"state_size": 4, "num_heads": 4, "head_dim": 16, "n_groups": 1},
    "falcon_mamba": {"state_size": 4},
    "rwkv": {"attention_hidden_size": WIDTH, "context_length": 64},
    "recurrent_gemma": {"num_key_value_heads": 1, "lru_width": WIDTH, "head_dim": 8},
    "openai-gpt": {},
}
"""Decoders that keep nothing of what they read, or in a way of their own."""

ENCODER_SIZES: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {"pad_token_id": 1, "max_position_embeddings": 66},
    "xlm-roberta": {"pad_token_id": 1, "max_position_embeddings": 66},
    "camembert": {"pad_token_id": 1, "max_position_embeddings": 66},
    "data2vec-text": {"pad_token_id": 1, "max_position_embeddings": 66},
    "electra": {"embedding_size": 16},
    "ernie": {},
    "distilbert": {"hidden_dim": 64},
    "modernbert": {"local_attention": 8, "pad_token_id": 2, "cls_token_id": 0, "sep_token_id": 1},
    "mpnet": {"pad_token_id": 1, "max_position_embeddings": 66},
    "deberta": {"pad_token_id": 0, "pooler_hidden_size": WIDTH},
    "deberta-v2": {"pad_token_id": 0, "relative_attention": True, "position_buckets": 4},
    "gte": {"pad_token_id": 2},
    "nomic_bert": {"pad_token_id": 2},
    "eurobert": _GQA | {"pad_token_id": 2},
}


# As many layers as the text's: they must not be taken for those.
_IMAGES: dict[str, Any] = {
    "mm_tokens_per_image": 4,
    "vision_config": {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    },
}


def toy_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of some 300 entries with a beginning- and an end-of-sequence token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|bos|>", "<|eos|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|bos|>", eos_token="<|eos|>", pad_token="<|pad|>"
    )


def toy_config(model_type: str, **changes: Any) -> Any:
    """A configuration of four layers of width 32."""
    kind = CONFIG_MAPPING[model_type]
    if model_type == "gemma3":
        return kind(text_config=toy_config("gemma3_text", **changes).to_dict(), **_IMAGES)
    common = {
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "intermediate_size": 64,
        "vocab_size": 320,
    }
    known, names = kind(), kind.attribute_map
    settings = {
        names.get(key, key): value
        for key, value in common.items()
        if hasattr(known, names.get(key, key))
    }
    sizes = (SIZES | ENCODER_SIZES | CACHELESS_SIZES)[model_type]
    return kind(**settings | {"bos_token_id": 0, "eos_token_id": 1} | sizes | changes)


def toy_network(model_type: str = "llama", **changes: Any) -> Any:
    """A random model in evaluation mode, its weights large enough that its parts matter."""
    torch.manual_seed(0)
    kind = AutoModel if model_type in ENCODER_SIZES else AutoModelForCausalLM
    model = kind.from_config(toy_config(model_type, **changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def save_toy_model(folder: Path, model_type: str = "llama", **changes: Any) -> Path:
    """Write a toy model and its tokenizer to `folder`."""
    toy_network(model_type, **changes).save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)
    return folder
