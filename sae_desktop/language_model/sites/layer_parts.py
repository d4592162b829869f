"""Which modules of a layer carry its branches, by architecture.

A table, not a guess: names alone do not tell whether a module's output is added to the stream
as it is, scaled, or normed first. Each entry is held to the model's own sums by the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn


@dataclass(frozen=True)
class LayerParts:
    """Names of modules inside a layer; “a|b”: the first of them that the layer has.

    A site whose module a layer lacks does not exist there: a mixture of experts has no single
    down projection, a layer of convolutions no attention heads.
    """

    attention_norm: str = "input_layernorm"
    """The norm of what attention reads; "": it reads the stream itself."""
    attention_in: str = "self_attn"
    """Its input is what attention reads."""
    attention: str = "self_attn"
    """Its output, times the scale, is what attention adds to the stream."""
    heads: str = "self_attn.o_proj"
    """The output projection: its input is the outputs of the heads, side by side."""
    middle: str = "post_attention_layernorm"
    """Where the stream between attention and MLP passes; "": they run side by side."""
    middle_side: Literal["input", "output"] = "input"
    """A norm's input where the MLP's norm stands in its branch, its output where the norm
    stands in the stream itself."""
    mlp_norm: str | None = None
    """The norm of what the MLP reads, "" for none; None: `middle`, where that is such a norm."""
    mlp_in: str = "mlp"
    """Its input is what the MLP, or the mixture of experts with its router, reads."""
    neurons: str = "mlp.down_proj"
    """The down projection: its input is the neurons, after activation and gate."""
    mlp: str = "mlp"
    """Its output, times the scale, is what the MLP adds to the stream."""
    scale: str = ""
    """The setting by which the layer multiplies what a branch gives; "": by nothing."""
    why: str = ""
    """Why a setting takes sites away that the architecture has."""

    @property
    def before_mlp(self) -> str:
        """The norm of what the MLP reads; "" where it reads the stream itself."""
        if self.mlp_norm is not None:
            return self.mlp_norm
        return self.middle if self.middle_side == "input" else ""


_LLAMA = LayerParts()
_SIDE_BY_SIDE = replace(_LLAMA, middle="", mlp_norm="input_layernorm")
_EXPERTS = replace(_LLAMA, mlp_in="mlp|block_sparse_moe", mlp="mlp|block_sparse_moe")
# Gemma 2 and 3 norm each branch before and after; OLMo 2 after only.
_SANDWICH = replace(
    _LLAMA,
    attention="post_attention_layernorm",
    middle="pre_feedforward_layernorm",
    mlp="post_feedforward_layernorm",
)
_NORM_AFTER = replace(_SANDWICH, attention_norm="", middle="mlp", mlp_norm="")
_GPT2 = LayerParts("ln_1", "attn", "attn", "attn.c_proj", "ln_2", neurons="mlp.c_proj")
_GPTJ = LayerParts(
    "ln_1", "attn", "attn", "attn.out_proj", middle="", mlp_norm="ln_1", neurons="mlp.fc_out"
)
_OPT = LayerParts(
    attention_norm="self_attn_layer_norm",
    heads="self_attn.out_proj",
    middle="final_layer_norm",
    mlp_in="fc1",
    neurons="fc2",
    mlp="fc2",
)
_HYBRID = replace(_LLAMA, attention_in="self_attn|linear_attn", attention="self_attn|linear_attn")
_BERT = LayerParts(
    attention_norm="",
    attention_in="",
    attention="attention.output.dense",
    heads="attention.output.dense",
    middle="attention.output.LayerNorm",
    middle_side="output",
    mlp_in="intermediate.dense",
    neurons="output.dense",
    mlp="output.dense",
)
# Of encoders whose modules have a decoder's names.
_NORMED_STREAM = replace(_LLAMA, attention_norm="", attention_in="", middle_side="output")
_LFM2 = LayerParts(
    attention_norm="operator_norm",
    attention_in="self_attn|conv",
    attention="self_attn|conv",
    heads="self_attn.out_proj",
    middle="ffn_norm",
    mlp_in="feed_forward",
    neurons="feed_forward.w2",
    mlp="feed_forward",
)
_CLIP = LayerParts(
    attention_norm="layer_norm1",
    heads="self_attn.out_proj",
    middle="layer_norm2",
    neurons="mlp.fc2",
)
_VIT = LayerParts(
    attention_norm="layernorm_before",
    attention_in="attention",
    attention="attention",
    heads="attention.o_proj",
    middle="layernorm_after",
    neurons="mlp.fc2",
)
_DINOV2 = replace(
    _VIT,
    attention_norm="norm1",
    attention="layer_scale1",
    middle="norm2",
    neurons="mlp.fc2|mlp.weights_out",
    mlp="layer_scale2",
)
_MODERNBERT = LayerParts("attn_norm", "attn", "attn", "attn.Wo", "mlp_norm", neurons="mlp.Wo")

PARTS = {
    **dict.fromkeys(
        (
            "arcee",
            "cwm",
            "ernie4_5",
            "eurobert",
            "gemma",
            "glm",
            "helium",
            "hunyuan_v1_dense",
            "internlm3",
            "llama",
            "ministral",
            "ministral3",
            "mistral",
            "nemotron",
            "olmo",
            "phi3",
            "qwen2",
            "qwen2_5_vl_text",
            "qwen2_vl_text",
            "qwen3",
            "seed_oss",
            "smollm3",
            "stablelm",
        ),
        _LLAMA,
    ),
    **dict.fromkeys(
        (
            "deepseek_v2",
            "deepseek_v3",
            "dots1",
            "ernie4_5_moe",
            "exaone_moe",
            "glm4_moe",
            "gpt_oss",
            "hunyuan_v1_moe",
            "minimax_m2",
            "mixtral",
            "olmoe",
            "phimoe",
            "qwen2_moe",
            "qwen3_moe",
        ),
        _EXPERTS,
    ),
    **dict.fromkeys(("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"), _HYBRID),
    **dict.fromkeys(("cohere", "cohere2"), _SIDE_BY_SIDE),
    **dict.fromkeys(("gemma2", "gemma3_text", "gemma4_text"), _SANDWICH),
    **dict.fromkeys(("olmo2", "olmo3", "exaone4", "flex_olmo"), _NORM_AFTER),
    **dict.fromkeys(("gpt2", "gpt_bigcode"), _GPT2),
    **dict.fromkeys(("gptj", "codegen"), _GPTJ),
    **dict.fromkeys(("opt", "xglm", "biogpt"), _OPT),
    **dict.fromkeys(
        (
            "bert",
            "camembert",
            "data2vec-text",
            "deberta",
            "deberta-v2",
            "electra",
            "ernie",
            "roberta",
            "xlm-roberta",
        ),
        _BERT,
    ),
    **dict.fromkeys(("gte", "nomic_bert"), _NORMED_STREAM),
    **dict.fromkeys(("clip_vision_model", "siglip_vision_model"), _CLIP),
    **dict.fromkeys(("dinov2", "dinov2_with_registers"), _DINOV2),
    **dict.fromkeys(("lfm2", "lfm2_moe"), _LFM2),
    **dict.fromkeys(("modernbert", "modernbert-decoder"), _MODERNBERT),
    "afmoe": replace(_SANDWICH, middle="pre_mlp_layernorm", mlp="post_mlp_layernorm"),
    "apertus": replace(
        _LLAMA, attention_norm="attention_layernorm", middle="feedforward_layernorm"
    ),
    "bloom": LayerParts(
        attention_in="self_attention",
        attention="self_attention.dense",
        heads="self_attention.dense",
        neurons="mlp.dense_4h_to_h",
        mlp="mlp.dense_4h_to_h",
    ),
    "distilbert": LayerParts(
        attention_norm="",
        attention_in="",
        attention="attention",
        heads="attention.out_lin",
        middle="sa_layer_norm",
        middle_side="output",
        mlp_in="ffn",
        neurons="ffn.lin2",
        mlp="ffn",
    ),
    "falcon": LayerParts(
        "ln_attn|input_layernorm",
        "self_attention",
        "self_attention",
        "self_attention.dense",
        neurons="mlp.dense_4h_to_h",
    ),
    "glm4": replace(_LLAMA, attention="post_self_attn_layernorm", mlp="post_mlp_layernorm"),
    "gpt_neo": replace(_GPT2, heads="attn.attention.out_proj"),
    "gpt_neox": LayerParts(
        attention_in="attention",
        attention="attention",
        heads="attention.dense",
        neurons="mlp.dense_4h_to_h",
    ),
    "granite": replace(_LLAMA, scale="residual_multiplier"),
    "granitemoe": replace(_EXPERTS, scale="residual_multiplier"),
    "llama4_text": replace(
        _LLAMA, mlp_in="feed_forward", neurons="feed_forward.down_proj", mlp="feed_forward"
    ),
    "mpnet": replace(
        _BERT,
        attention="attention.attn.o",
        heads="attention.attn.o",
        middle="attention.LayerNorm",
    ),
    "mpt": LayerParts(
        "norm_1",
        "attn",
        "attn",
        "attn.out_proj",
        "norm_2",
        mlp_in="ffn",
        neurons="ffn.down_proj",
        mlp="ffn.down_proj",
    ),
    "nanochat": replace(_LLAMA, neurons="mlp.fc2"),
    "persimmon": replace(_LLAMA, heads="self_attn.dense", neurons="mlp.dense_4h_to_h"),
    "phi": replace(_SIDE_BY_SIDE, heads="self_attn.dense", neurons="mlp.fc2"),
    "starcoder2": replace(_LLAMA, neurons="mlp.c_proj"),
    "vaultgemma": replace(_LLAMA, middle="pre_feedforward_layernorm"),
    "vit": _VIT,
}
"""By model type; each has a small random model in the tests, with its modules named by hand."""
# In these, with the setting named, the branches run side by side.
_PARALLEL_FLAGS = {
    "falcon": ("parallel_attn", "ln_mlp|input_layernorm"),
    "gpt_neox": ("use_parallel_residual", "post_attention_layernorm"),
    "stablelm": ("use_parallel_residual", "input_layernorm"),
}
"""Model type → that setting, and the norm that then stands before the MLP."""

UNREADABLE = {
    "cpmant": "reads extra tokens before those of the text",
    "deepseek_v4": "keeps several residual streams",
    "gemma3n_text": "keeps several residual streams",
    "hy_v4": "keeps several residual streams",
    "qwen4_exp_text": "keeps several residual streams",
    "reformer": "keeps several residual streams",
    "xlnet": "reads its tokens in a different order",
}
"""Model types whose layers take and give no single vector a token, and why."""


def layer_parts(config: Any, layer: nn.Module) -> LayerParts | None:
    """Return where the branches of a model's layers are; None where that is not known.

    `layer` is any of them: of code that a model brings itself nothing is known, however its
    architecture is called.
    """
    kind = config.model_type
    parts = PARTS.get(kind)
    if parts is None or not type(layer).__module__.startswith("transformers."):
        return None
    if kind in _PARALLEL_FLAGS:
        flag, norm = _PARALLEL_FLAGS[kind]
        if getattr(config, flag):
            return replace(parts, middle="", mlp_norm=norm)
    if kind == "opt" and not config.do_layer_norm_before:
        return replace(
            parts, attention_norm="", middle="self_attn_layer_norm", middle_side="output"
        )
    if kind == "bloom":
        return _bloom(config, parts)
    if kind == "gemma4_text" and config.enable_moe_block:
        why = "its experts read the stream in parallel with its MLP, through their own norm"
        return replace(parts, mlp_in="", neurons="", why=why)
    if getattr(config, "chunk_size_feed_forward", 0):
        why = "its MLP reads a text in pieces (chunk_size_feed_forward)"
        return replace(parts, mlp_in="", neurons="", mlp="", why=why)
    return parts


def _bloom(config: Any, parts: LayerParts) -> LayerParts:
    if config.apply_residual_connection_post_layernorm:
        why = "its attention adds to the norm of the stream, not to the stream itself"
        parts = replace(parts, middle="", mlp_norm=parts.before_mlp, why=why)
    if config.pretraining_tp > 1 and config.slow_but_exact:
        why = "its projections are computed in slices (slow_but_exact)"
        parts = replace(parts, attention_in="", attention="", heads="", middle="", neurons="",
                        mlp="", mlp_norm=parts.before_mlp, why=why)  # fmt: skip
    return parts


def find_part(layer: nn.Module, names: str) -> nn.Module | None:
    """Return the first module of “a|b” that a layer has, None for none."""
    for name in filter(None, names.split("|")):
        try:
            return layer.get_submodule(name)
        except AttributeError:
            continue
    return None
