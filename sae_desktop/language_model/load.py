"""Language models, loaded once and shared by every job of the process."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import transformers

from sae_desktop.devices.abilities import is_host
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import ModelDtype
from sae_desktop.language_model.device import SPLIT, resolve_device
from sae_desktop.language_model.files.code import ModelCode
from sae_desktop.language_model.files.find import ModelFiles, find_model
from sae_desktop.language_model.files.weights import read_weights, weights_needed
from sae_desktop.language_model.identity import Identity, identity_of
from sae_desktop.language_model.memory import check_fits, free_device_memory
from sae_desktop.language_model.names import ModelMark, origin_text
from sae_desktop.language_model.network import (
    empty_model,
    load_config,
    predicts_next,
    setting,
    trusted_code,
    vocabulary_rows,
)
from sae_desktop.language_model.pictures.families import encoder_of, family_of
from sae_desktop.language_model.quantise import (
    check_quantisable,
    own_quantisation,
    resolve_dtype,
    rest_dtype,
)
from sae_desktop.language_model.text.text_reader import (
    TextReader,
    context_size,
    read_text_as,
    reads_no_text,
)
from sae_desktop.language_model.text.tokenizer import (
    fit_vocabulary,
    load_tokenizer,
    tokenizer_stamp,
)

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


class Network:
    """A model in evaluation mode, whatever it reads. Made by `load_any`.

    Forward passes happen inside `with network.lock`: hooks sit on modules that jobs share.
    """

    name: str
    tokenizer_hash: str
    """"" of a model that reads no text."""
    causal: bool

    def __init__(
        self, files: ModelFiles, model: Any, device: torch.device, *, dtype: str, identity: Identity
    ) -> None:
        config = model.config.get_text_config()
        self.files = files
        self.model = model
        self.device = device
        """Where inputs are put: of a model over several devices, that of its embeddings."""
        self.dtype = dtype
        """In what it computes: float32, bfloat16, float16, 8bit, 4bit."""
        self.lock = threading.RLock()
        self.identity = identity
        """What tells this model from every other."""
        self.layers = setting(files, config, "num_hidden_layers")
        self.width = setting(files, config, "hidden_size")

    @property
    def origin(self) -> str:
        """In words, where the weights come from and what they went through; "" where unknown."""
        return origin_text(self.files.folder, self.files.gguf)

    @property
    def revision(self) -> str:
        """The identity in text, as stores and dictionaries keep it."""
        return self.identity.text

    @property
    def mark(self) -> ModelMark:
        """What others compare with the model they were made with."""
        return ModelMark(
            self.name, self.identity.text, self.tokenizer_hash, first=self.identity.first
        )


class PictureEncoder(Network):
    """An encoder of pictures alone, such as DINOv2: it has no tokens and predicts none."""

    causal = False

    def __init__(
        self, files: ModelFiles, model: Any, device: torch.device, *, dtype: str, identity: Identity
    ) -> None:
        self.name = files.name
        self.tokenizer_hash = ""
        super().__init__(files, model, device, dtype=dtype, identity=identity)


class LanguageModel(TextReader, Network):
    """A decoder or an encoder with its tokenizer. Made by `load_model`."""

    def __init__(
        self,
        files: ModelFiles,
        model: Any,
        tokenizer: Any,
        device: torch.device,
        *,
        dtype: str,
        identity: Identity,
        causal: bool = True,
    ) -> None:
        size = context_size(model.config.get_text_config(), model)
        rows = vocabulary_rows(model)
        TextReader.__init__(self, files.name, tokenizer, size, rows, causal=causal)
        Network.__init__(self, files, model, device, dtype=dtype, identity=identity)

    @cached_property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end a text."""
        found: set[int] = set()
        for value in (
            self.tokenizer.eos_token_id,
            getattr(getattr(self.model, "generation_config", None), "eos_token_id", None),
        ):
            if value is not None:
                found.update([value] if isinstance(value, int) else value)
        return frozenset(found)


def require_causal(lm: LanguageModel, what: str) -> None:
    """Return if `lm` predicts the next token, which `what` needs. Raises UserError."""
    if not lm.causal and family_of(lm.model.config) is not None:
        raise UserError(
            f"{what} needs a model that reads its prompt from left to right, but “{lm.name}” reads "
            "all of it in both directions.",
            next_step="Try pictures and texts with it in Explore, or choose a model such as "
            "SmolVLM, LLaVA or Qwen2-VL.",
        )
    if not lm.causal:
        raise UserError(
            f"{what} needs a model that predicts the next token, but “{lm.name}” is an encoder.",
            next_step="Choose a decoder, such as Llama, Qwen, Gemma or GPT-2.",
        )


@dataclass(frozen=True)
class _Held:
    """The model in memory: from which files, where, and what “auto” comes to for it."""

    key: tuple[str, ...]
    auto: str
    lm: Network

    def answers(self, key: tuple[str, ...], dtype: ModelDtype) -> bool:
        return self.key == key and self.lm.dtype == (self.auto if dtype == "auto" else dtype)


_held: list[_Held] = []
_held_lock = threading.Lock()


def load_model(
    name: str,
    device: str = "auto",
    dtype: ModelDtype = "auto",
    *,
    fetch: bool = False,
    context: JobContext | None = None,
    beside: Sequence[LanguageModel] = (),
) -> LanguageModel:
    """Return the model called `name`: "builtin", "smollm2", a folder, a .gguf file or a hub name.

    The process holds one model at a time, and those that it is loaded `beside`. `dtype` "auto" is
    float32 on the CPU, and the type of its weights on a GPU; `device` "split" spreads the layers
    over all devices there are. Only with `fetch` is the hub asked for what is not on this machine;
    a download is told to `context`. Raises UserError that names what is wrong and the way out,
    also for an encoder of pictures, which `load_any` opens.
    """
    files = find_model(name, fetch=fetch, context=context)  # a download keeps no job waiting
    found = _open(files, device, dtype, context, beside, text=True)
    assert isinstance(found, LanguageModel)
    return found


def load_any(
    name: str,
    device: str = "auto",
    dtype: ModelDtype = "auto",
    *,
    fetch: bool = False,
    context: JobContext | None = None,
    beside: Sequence[Network] = (),
) -> Network:
    """Return a model as `load_model` does: a LanguageModel, or a PictureEncoder."""
    files = find_model(name, fetch=fetch, context=context)
    return _open(files, device, dtype, context, beside, text=False)


def _open(
    files: ModelFiles,
    device: str,
    dtype: ModelDtype,
    context: JobContext | None,
    beside: Sequence[Network],
    *,
    text: bool,
) -> Network:
    target = resolve_device(device)
    code = trusted_code(files)
    with _held_lock:
        place = SPLIT if device == SPLIT else str(target)
        key = (files.name, files.stamp, tokenizer_stamp(files), code.digest, place)
        found = next((held for held in _held if held.answers(key, dtype)), None)
        if text and _of_pictures_alone(files, found):
            raise reads_no_text(files.name)
        if found is None:
            _held[:] = [held for held in _held if any(held.lm is lm for lm in beside)]
            gc.collect()
            found = _load(files, code, target, dtype, key, context)
            _held.append(found)
        return found.lm


def _of_pictures_alone(files: ModelFiles, held: _Held | None) -> bool:
    if held is not None:
        return isinstance(held.lm, PictureEncoder)
    return encoder_of(load_config(files)) is not None


def held_model() -> str:
    """Return the name of the model this process holds, or ""."""
    return next((held.lm.name for held in list(_held)), "")


def load_reader(name: str) -> TextReader:
    """Return what reads text as the model called `name` does, without loading its weights.

    Raises UserError as `load_model`, but for weights that are not on this machine.
    """
    for held in list(_held):
        if held.lm.name == name and isinstance(held.lm, LanguageModel):
            return held.lm
    files = find_model(name)
    return read_text_as(files, trusted_code(files))


def release_models() -> None:
    """Forget the model held, so that its memory is free once no job uses it."""
    with _held_lock:
        _held.clear()
        gc.collect()


def held_bytes(device: torch.device | None) -> int:
    """Return what the held model takes on a device, or on all, which the next one will have."""
    return sum(
        parameter.numel() * parameter.element_size()
        for held in list(_held)
        for parameter in held.lm.model.parameters()
        if device is None or parameter.device == device
    )


def _load(
    files: ModelFiles,
    code: ModelCode,
    device: torch.device,
    wanted: ModelDtype,
    key: tuple[str, ...],
    context: JobContext | None,
) -> _Held:
    split = key[-1] == SPLIT
    config = load_config(files)
    dtype = resolve_dtype(wanted, device, files, config)
    rest = rest_dtype(device, files, config)
    pictures_alone = encoder_of(config) is not None
    tokenizer = None if pictures_alone else load_tokenizer(files)
    empty = empty_model(files, config)
    if tokenizer is not None:
        fit_vocabulary(files.name, tokenizer, vocabulary_rows(empty))
    if not own_quantisation(config):
        check_quantisable(files.name, empty, dtype, device)
    needed = weights_needed(files, config, empty, dtype, rest)
    free = free_device_memory(device, split=split)
    check_fits(files.name, needed, free, dtype, place_in_words(device, split=split))
    model = read_weights(files, config, dtype, rest, "split" if split else device)
    place = _entrance(model, device) if split else device
    identity = identity_of(files, context)
    lm: Network
    if pictures_alone:
        lm = PictureEncoder(files, model, place, dtype=dtype, identity=identity)
    else:
        causal = predicts_next(config, code)
        lm = LanguageModel(
            files, model, tokenizer, place, dtype=dtype, identity=identity, causal=causal
        )
    return _Held(key, resolve_dtype("auto", device, files, config), lm)


def _entrance(model: Any, device: torch.device) -> torch.device:
    """Return where a split model takes its inputs."""
    found: torch.device = next(model.get_input_embeddings().parameters()).device
    # Weights kept in the memory for lack of room are brought to the device when they are needed.
    return device if found.type == "meta" else found


def place_in_words(device: torch.device, *, split: bool) -> str:
    """Return where a model's weights go, such as “the memory”."""
    if split:
        return "the machine, including its graphics cards,"
    return "the memory" if is_host(device) else f"the device “{device}”"
