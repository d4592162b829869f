"""What jobs on models are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.file_kinds import takes

LOADING_ROOM = 300_000_000
"""Bytes taken beside the weights while they are read, as measured with safetensors."""

ModelDtype = Literal["auto", "float32", "bfloat16", "float16", "8bit", "4bit"]
"""In what a model computes; auto: float32 on the CPU, the type of its weights on a GPU. 8bit and
4bit need a library that can."""

Reads = Literal["text", "pictures", "both"]
"""What a model reads."""


class DescribeModelConfig(msgspec.Struct, frozen=True, kw_only=True, tag="describe_model"):
    """Read a model's shape without loading its weights."""

    model: Annotated[str, takes("model")] = "builtin"
    dtype: ModelDtype = "auto"
    device: str = "auto"
    """“split”: its layers over all devices there are."""
    ask_hub: bool = False
    """Whether the hub is asked about a model that is not on this machine."""


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    architecture: str
    layers: int
    width: int
    vocabulary: int
    context_size: int
    parameters: int
    """0 where the files do not say."""
    sites: list[str]
    """Site names this model has, in the order of the forward pass."""
    default_site: str
    cached: bool
    """Whether the weights are on this machine."""
    site_widths: list[int] = []
    """Numbers per token of each of `sites`."""
    site_shapes: list[str] = []
    """The shape of each of `sites` in words, such as “9 heads × 64”; empty: its width."""
    heads: int = 0
    key_value_heads: int = 0
    mlp_width: int = 0
    experts: int = 0
    causal: bool = True
    """Whether it predicts the next token; an encoder does not."""
    reads: Reads = "text"
    picture_note: str = ""
    """How it reads pictures, or why they cannot be read here; "" of a model of text."""
    bos_token: str = ""
    eos_token: str = ""
    chat_template: bool = False
    dtype: str = ""
    """What “auto” came to, such as “float32”."""
    device: str = ""
    memory_bytes: int = 0
    """Needed for the weights as they would be loaded."""
    free_memory_bytes: int = 0
    """There is on that device."""
    disk_bytes: int = 0
    """Of the model's files on this machine; 0 where they are not."""
    origin: str = ""
    """In words, where the weights come from and what they went through; "" where unknown."""
    code_files: list[str] = []
    """Program files the model brings and needs; they are run only once they are trusted."""
    code_trusted: bool = False
    code_digest: str = ""
    """What `TrustModelConfig` must repeat."""

    @property
    def fits(self) -> bool:
        """Whether the weights can be read into the memory there is."""
        return self.memory_bytes + LOADING_ROOM <= self.free_memory_bytes


class TrustModelConfig(msgspec.Struct, frozen=True, kw_only=True, tag="trust_model"):
    """Let the program code a model brings be run, as it is now; changed code needs trust again."""

    model: Annotated[str, takes("model")]
    digest: str
    """`ModelDescription.code_digest` of the code that was agreed to."""


class TrustModelResult(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    code_files: list[str]


class SameModelConfig(msgspec.Struct, frozen=True, kw_only=True, tag="same_model"):
    """Say that two things of a project are of one model, where the program cannot tell."""

    project: str
    one: str
    """“store:name”, “dictionary:name”, “index:name”, or the name or folder of a model."""
    other: str


class SameModelResult(msgspec.Struct, frozen=True, kw_only=True):
    one: str
    other: str
    """The names of the two."""
    differed: str
    """How they seemed to differ, in words; "" where they were one already."""


class GetModelConfig(msgspec.Struct, frozen=True, kw_only=True, tag="get_model"):
    """Bring a model into the user's cache: “smollm2”, “minilm”, or the hub's as owner/model."""

    name: str = "smollm2"


class GetModelResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    source: str
    bytes: int
    sha256: str
    """Of the weights; where they are several files, of a list of digests and names."""
