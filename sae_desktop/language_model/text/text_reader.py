"""How a model reads text: its tokenizer and its context, without its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from torch import nn

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.code import ModelCode
from sae_desktop.language_model.files.find import ModelFiles
from sae_desktop.language_model.network import (
    empty_model,
    load_config,
    predicts_next,
    vocabulary_rows,
)
from sae_desktop.language_model.pictures.families import encoder_of
from sae_desktop.language_model.text.tokenizer import fit_vocabulary, load_tokenizer, window_tokens
from sae_desktop.language_model.text.vocabulary import text_encoder, vocabulary_bytes

_ANY_LENGTH = 2048
"""Where relative positions (Bloom) set no limit of their own."""


class TextReader:
    """A model's tokenizer, and what the model expects of a text."""

    def __init__(
        self, name: str, tokenizer: Any, context_size: int, vocabulary_size: int, *, causal: bool
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        # Taken at once: a batch leaves its padding and truncation in the tokenizer.
        self.tokenizer_hash = tokenizer_hash(tokenizer)
        """16 hexadecimal digits that tell tokenizers apart."""
        self.context_size = context_size
        """Tokens the model reads at once."""
        self.vocabulary_size = vocabulary_size
        """Rows of its embeddings."""
        self.causal = causal
        """Whether it predicts the next token; an encoder does not."""
        self.encode: Callable[[str], list[int]] = text_encoder(tokenizer)
        """Returns the token ids of a text, no special tokens added. Safe in any thread."""
        self._token_bytes: list[bytes] | None = None

    @property
    def bos_id(self) -> int | None:
        """The beginning-of-sequence token, None where the tokenizer has none."""
        bos = self.tokenizer.bos_token_id
        return None if bos is None else int(bos)

    @property
    def cls_id(self) -> int | None:
        """The token an encoder puts first, None where the tokenizer has none."""
        found = self.tokenizer.cls_token_id
        return None if found is None else int(found)

    @property
    def sep_id(self) -> int | None:
        """The token an encoder puts last, None where the tokenizer has none."""
        found = self.tokenizer.sep_token_id
        return None if found is None else int(found)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Tokens that stand for no text."""
        ids = self.tokenizer.get_vocab()
        return frozenset(ids[t] for t in map(str, self.tokenizer.all_special_tokens) if t in ids)

    @cached_property
    def window_tokens(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The ids this model expects before and after a text; see `tokenizer.window_tokens`."""
        return window_tokens(self.tokenizer, causal=self.causal)

    def token_bytes(self) -> list[bytes]:
        """Return every entry of the vocabulary as the bytes it adds; special ones as their name.

        Entries beyond the tokenizer's, which pad some embeddings, are empty.
        """
        if self._token_bytes is None:
            self._token_bytes = vocabulary_bytes(self.tokenizer, self.vocabulary_size)
        return self._token_bytes


def tokenizer_hash(tokenizer: Any) -> str:
    """Return 16 hexadecimal digits that tell a tokenizer from others, as it stands."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = backend.to_str() if backend is not None else repr(tokenizer.get_vocab())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reads_no_text(name: str) -> UserError:
    """Return what is said of an encoder of pictures where a text is to be read."""
    return UserError(
        f"“{name}” reads pictures alone, and this needs a model that reads text.",
        next_step="Choose a language model, or one that reads text and pictures.",
    )


def read_text_as(files: ModelFiles, code: ModelCode) -> TextReader:
    """Return what reads text as the model of `files` does.

    Raises UserError for a configuration or a tokenizer that cannot be read.
    """
    config = load_config(files)
    if encoder_of(config) is not None:
        raise reads_no_text(files.name)
    tokenizer = load_tokenizer(files)
    model = empty_model(files, config)
    rows = vocabulary_rows(model)
    fit_vocabulary(files.name, tokenizer, rows)
    size = context_size(config.get_text_config(), model)
    return TextReader(files.name, tokenizer, size, rows, causal=predicts_next(config, code))


def context_size(config: Any, model: nn.Module) -> int:
    """Return the longest sequence a model reads, in tokens.

    Some number positions from the padding token's id + 1 on, RoBERTa and its kin: their table of
    positions has a row for padding, and those before it are never used.
    """
    try:
        value = getattr(config, "max_position_embeddings", None)
    except NotImplementedError:  # as XLNet's configuration says that it has no limit, or as −1
        value = None
    size = int(value or 0)
    if size <= 0:
        return _ANY_LENGTH
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        table = getattr(module, "weight", None)
        if "position" in name.rpartition(".")[2] and padding is not None and table is not None:
            size = min(size, int(table.shape[0]) - int(padding) - 1)
    return size
