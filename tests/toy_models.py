"""Small random models with a tokenizer of their own, in the ordinary folder form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

TEXT = (
    "In the beginning God created the heaven and the earth.\n\n"
    "def add(first, second):\n    return first + second\n\n"
    "Κάθε άτομο έχει δικαίωμα στη ζωή. Toute personne a droit à l’éducation. 人人生而自由 🌉\n"
)
WIDTH, LAYERS = 32, 4

SIZES: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 2},
    "mistral": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 8},
    "gemma3_text": {"num_key_value_heads": 2, "head_dim": 8},
    "phi3": {"num_key_value_heads": 2, "pad_token_id": 0},
    "olmo2": {"num_key_value_heads": 2},
    "gpt2": {},
    "gpt_neox": {"use_parallel_residual": True},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": WIDTH},
    "falcon": {"new_decoder_architecture": False, "parallel_attn": True},
    "bloom": {},
}
_OTHER_NAMES = {
    "gpt2": {
        "hidden_size": "n_embd",
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "max_position_embeddings": "n_positions",
    },
    "bloom": {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head"},
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
    common = {
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "intermediate_size": 64,
        "vocab_size": 320,
    }
    names = _OTHER_NAMES.get(model_type, {})
    settings = {names.get(key, key): value for key, value in common.items()}
    if model_type in ("gpt2", "bloom", "falcon", "opt"):
        del settings["intermediate_size"]
    settings |= {"bos_token_id": 0, "eos_token_id": 1} | SIZES[model_type] | changes
    return CONFIG_MAPPING[model_type](**settings)


def toy_network(model_type: str = "llama", **changes: Any) -> Any:
    """A random model in evaluation mode, its weights large enough that its parts matter."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(toy_config(model_type, **changes)).eval()
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
