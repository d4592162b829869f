"""The architectures whose sites are tested, their modules named by hand, apart from the program.

From these names a test computes with the model's own modules what a site must hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from threading import RLock
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from toy_models import ENCODER_SIZES, LAYERS, SIZES, toy_network

IDS = torch.randint(3, 320, (2, 9), generator=torch.Generator().manual_seed(1))


@dataclass(frozen=True)
class Hand:
    """Module names of an architecture. "": there is none."""

    layers: str = "model.layers"
    attention_norm: str = "input_layernorm"
    """Between the stream and attention; "-" where it reads the stream itself, "" where what it
    reads is not a site."""
    out_proj: str = "self_attn.o_proj"
    mlp: str = "mlp"
    """What reads the stream as the MLP, gives what the MLP gives."""
    down: str = "mlp.down_proj"
    mlp_norm: str = "post_attention_layernorm"
    """Between the stream after attention and the MLP; "-" where the MLP reads the stream itself,
    "" where it stands beside attention."""
    beside_norm: str = "input_layernorm"
    """The MLP's where it stands beside attention."""
    centres: bool = False
    """Whether its norms are LayerNorms, which take the mean off."""
    after_attention: str = ""
    after_mlp: str = ""
    """Norms of what a branch gives, before it is added."""
    stream_norms: tuple[str, str] | None = None
    """The two norms of a stream that is normed after each branch was added."""
    scale: float = 1.0
    """By which a layer multiplies what its branches give."""
    sums: bool = True
    """Whether stream and branches add up to the next stream."""


LLAMA = Hand()
LAYER_NORMS = replace(LLAMA, centres=True)
BERT = Hand(
    layers="encoder.layer",
    attention_norm="",
    out_proj="attention.output.dense",
    mlp="",
    down="output.dense",
    stream_norms=("attention.output.LayerNorm", "output.LayerNorm"),
)
OLMO2 = replace(
    LLAMA,
    attention_norm="-",
    mlp_norm="-",
    after_attention="post_attention_layernorm",
    after_mlp="post_feedforward_layernorm",
)
GEMMA2 = replace(OLMO2, attention_norm="input_layernorm", mlp_norm="pre_feedforward_layernorm")
GPT2 = Hand(
    "transformer.h", "ln_1", "attn.c_proj", down="mlp.c_proj", mlp_norm="ln_2", centres=True
)
GPTJ = Hand(
    "transformer.h", "ln_1", "attn.out_proj", down="mlp.fc_out", mlp_norm="", beside_norm="ln_1",
    centres=True,
)  # fmt: skip
OPT = Hand(
    "model.decoder.layers", "self_attn_layer_norm", "self_attn.out_proj", mlp="", down="fc2",
    mlp_norm="final_layer_norm", centres=True,
)  # fmt: skip
PARALLEL = replace(LAYER_NORMS, mlp_norm="")
NEOX = replace(
    LAYER_NORMS, layers="gpt_neox.layers", out_proj="attention.dense", down="mlp.dense_4h_to_h",
    beside_norm="post_attention_layernorm",
)  # fmt: skip
FALCON = replace(
    LAYER_NORMS, layers="transformer.h", out_proj="self_attention.dense", down="mlp.dense_4h_to_h"
)
BLOOM = replace(FALCON, mlp="", beside_norm="post_attention_layernorm")

LFM2 = Hand(
    attention_norm="operator_norm",
    out_proj="self_attn.out_proj",
    mlp="feed_forward",
    down="feed_forward.w2",
    mlp_norm="ffn_norm",
)
GTE = Hand("layers", "", stream_norms=("post_attention_layernorm", "post_mlp_layernorm"))

HANDS: dict[str, Hand] = {
    **dict.fromkeys(SIZES, LLAMA),
    **dict.fromkeys(("nemotron", "olmo", "phimoe", "stablelm"), LAYER_NORMS),
    **dict.fromkeys(ENCODER_SIZES, BERT),
    "gemma2": GEMMA2,
    "gemma3_text": GEMMA2,
    "gemma4_text": GEMMA2,
    "gemma3": replace(GEMMA2, layers="model.language_model.layers"),
    "vaultgemma": replace(LLAMA, mlp_norm="pre_feedforward_layernorm"),
    "phi": replace(PARALLEL, out_proj="self_attn.dense", down="mlp.fc2"),
    "olmo2": OLMO2,
    "olmo3": OLMO2,
    "exaone4": OLMO2,
    "flex_olmo": replace(OLMO2, down=""),
    "afmoe": replace(GEMMA2, mlp_norm="pre_mlp_layernorm", after_mlp="post_mlp_layernorm"),
    "llama4_text": replace(LLAMA, mlp="feed_forward", down="feed_forward.down_proj"),
    "mpt": Hand(
        "transformer.blocks",
        "norm_1",
        "attn.out_proj",
        mlp="",
        down="ffn.down_proj",
        mlp_norm="norm_2",
        centres=True,
    ),
    "starcoder2": replace(LAYER_NORMS, down="mlp.c_proj"),
    "cohere": PARALLEL,
    "cohere2": PARALLEL,
    "granite": replace(LLAMA, scale=0.22),
    "granitemoe": replace(LLAMA, mlp="block_sparse_moe", down="", scale=0.22),
    "glm4": replace(
        LLAMA, after_attention="post_self_attn_layernorm", after_mlp="post_mlp_layernorm"
    ),
    "apertus": replace(
        LLAMA, attention_norm="attention_layernorm", mlp_norm="feedforward_layernorm"
    ),
    "nanochat": replace(LLAMA, down="mlp.fc2"),
    "persimmon": replace(LAYER_NORMS, out_proj="self_attn.dense", down="mlp.dense_4h_to_h"),
    "lfm2": LFM2,
    "lfm2_moe": LFM2,
    "gpt2": GPT2,
    "gpt_bigcode": GPT2,
    "gpt_neo": replace(GPT2, out_proj="attn.attention.out_proj"),
    "gptj": GPTJ,
    "codegen": GPTJ,
    "gpt_neox": NEOX,
    "opt": OPT,
    "xglm": replace(OPT, layers="model.layers"),
    "biogpt": replace(OPT, layers="biogpt.layers"),
    "falcon": FALCON,
    "bloom": BLOOM,
    **dict.fromkeys(("mixtral", "qwen3_moe", "olmoe", "gpt_oss"), replace(LLAMA, down="")),
    "phimoe": replace(LAYER_NORMS, down=""),
    "distilbert": Hand(
        layers="transformer.layer",
        attention_norm="",
        out_proj="attention.out_lin",
        mlp="ffn",
        down="ffn.lin2",
        stream_norms=("sa_layer_norm", "output_layer_norm"),
    ),
    "modernbert": Hand(
        "layers", "attn_norm", "attn.Wo", down="mlp.Wo", mlp_norm="mlp_norm", centres=True
    ),
    "mpnet": replace(
        BERT,
        out_proj="attention.attn.o",
        stream_norms=("attention.LayerNorm", "output.LayerNorm"),
    ),
    "gte": GTE,
    "nomic_bert": GTE,
    "modernbert-decoder": Hand(
        attention_norm="attn_norm",
        out_proj="attn.Wo",
        down="mlp.Wo",
        mlp_norm="mlp_norm",
        centres=True,
    ),
    "eurobert": replace(LLAMA, layers="layers"),
}


@dataclass(frozen=True)
class Variant:
    """An architecture with settings of its own."""

    model_type: str
    changes: tuple[tuple[str, Any], ...] = ()
    hand: Hand = LLAMA

    @property
    def network(self) -> Any:
        """The model, made once and shared: a test changes nothing in it."""
        return _network(self.model_type, self.changes)

    @property
    def encoder(self) -> bool:
        return self.model_type in ENCODER_SIZES

    def __str__(self) -> str:
        return "-".join([self.model_type, *(f"{key}={value}" for key, value in self.changes)])


def variant(model_type: str, _hand: Hand | None = None, **changes: Any) -> Variant:
    return Variant(model_type, tuple(changes.items()), _hand or HANDS[model_type])


@cache
def _network(model_type: str, changes: tuple[tuple[str, Any], ...]) -> Any:
    return toy_network(model_type, **dict(changes))


VARIANTS = [
    *(variant(name) for name in [*SIZES, "gemma3", *ENCODER_SIZES]),
    variant("llama", head_dim=6, attention_bias=True, mlp_bias=True),
    variant("gemma3_text", use_bidirectional_attention=True),
    variant("gemma4_text", replace(GEMMA2, sums=False), hidden_size_per_layer_input=8),
    variant("gpt_neox", replace(NEOX, mlp_norm=""), use_parallel_residual=True),
    variant("gpt_neox", use_parallel_residual=False),
    variant("stablelm", PARALLEL, use_parallel_residual=True),
    variant("falcon", parallel_attn=False),
    variant(
        "falcon",
        replace(FALCON, attention_norm="ln_attn", mlp_norm="", beside_norm="ln_mlp"),
        new_decoder_architecture=True,
        num_kv_heads=2,
    ),
    variant(
        "falcon",
        replace(FALCON, mlp_norm=""),
        new_decoder_architecture=True,
        num_kv_heads=2,
        num_ln_in_parallel_attn=1,
    ),
    variant("falcon", parallel_attn=False, alibi=True),
    variant(
        "opt",
        replace(OPT, attention_norm="-", stream_norms=("self_attn_layer_norm", "final_layer_norm")),
        do_layer_norm_before=False,
        word_embed_proj_dim=16,
    ),
    variant(
        "bloom",
        replace(BLOOM, mlp_norm="", sums=False),
        apply_residual_connection_post_layernorm=True,
    ),
]
# Their default settings put the branches side by side.
VARIANTS = [
    replace(each, hand=replace(each.hand, mlp_norm=""))
    if str(each) in ("gpt_neox", "falcon")
    else each
    for each in VARIANTS
]
DECODERS = [each for each in VARIANTS if not each.encoder]
ENCODERS = [each for each in VARIANTS if each.encoder]


def language_model(network: Any) -> Any:
    """A language model without files: what capture and intervention need of one."""
    return SimpleNamespace(model=network, lock=RLock(), device=torch.device("cpu"))


def part(module: nn.Module, path: str) -> nn.Module | None:
    """The submodule of that path, None where there is none."""
    if not path:
        return None
    try:
        return module.get_submodule(path)
    except AttributeError:
        return None


def norms_before(hand: Hand, layer: nn.Module) -> tuple[nn.Module | None, nn.Module | None]:
    """The norms of what attention and MLP of a layer read, None where they read the stream."""
    mlp_norm = "-" if hand.stream_norms else hand.mlp_norm or hand.beside_norm
    first, second = part(layer, hand.attention_norm), part(layer, mlp_norm)
    return None if isinstance(first, nn.Identity) else first, second


def seen_by(
    modules: dict[str, nn.Module | None], run: Callable[[], Any]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what goes into and comes out of modules, by name, copied at once."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    handles = []
    for name, module in modules.items():
        if module is None:
            continue
        entered: list[Tensor] = []

        def before(module: Any, args: Any, kwargs: Any, entered: list[Tensor] = entered) -> None:
            entered[:] = [(args[0] if args else kwargs["hidden_states"]).clone()]

        def after(
            module: Any,
            args: Any,
            output: Any,
            name: str = name,
            entered: list[Tensor] = entered,
        ) -> None:
            given = output[0] if isinstance(output, tuple) else output
            found[name] = (entered[0], given.clone())

        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after))
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return found


def hidden_states(network: Any, ids: Tensor = IDS) -> tuple[Tensor, ...]:
    """The model's own account of its residual stream.

    Without a cache, as a capture runs it: through one, keys come in another memory layout, and
    some architectures (GPT-J) round otherwise.
    """
    with torch.no_grad():
        return network(ids, output_hidden_states=True, use_cache=False).hidden_states


__all__ = [
    "DECODERS",
    "ENCODERS",
    "IDS",
    "LAYERS",
    "VARIANTS",
    "Hand",
    "Variant",
    "hidden_states",
    "language_model",
    "norms_before",
    "part",
    "seen_by",
    "variant",
]
