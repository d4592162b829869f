"""A model's tokenizer, read and held against the model's embeddings."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from sae_desktop.errors import UserError
from sae_desktop.language_model.files import ModelFiles
from sae_desktop.language_model.network import first_line, loading_options
from sae_desktop.language_model.trust import code_of

_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


def load_tokenizer(files: ModelFiles) -> Any:
    """Return the tokenizer of a model. Raises UserError for one that is missing or broken."""
    whole = files.gguf or any((files.folder / name).is_file() for name in _FILES)
    if not whole and not code_of(files.folder).needed:
        raise UserError(
            f"The model “{files.name}” has no tokenizer.",
            next_step=f"Put its tokenizer.json into {files.folder}.",
        )
    options = loading_options(files)
    try:
        tokenizer = AutoTokenizer.from_pretrained(files.folder, **options)
    except Exception as error:
        raise UserError(
            f"The tokenizer of “{files.name}” cannot be read: {first_line(error)}",
            next_step="Copy or download the model again, all of its files.",
        ) from error

    if files.gguf:
        _drop_invented(tokenizer)
    return tokenizer


def _drop_invented(tokenizer: Any) -> None:
    """Take out what transformers adds to the tokens of a .gguf file: the model has no such rows."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    own = set(vocabulary) if isinstance(vocabulary, dict) else {token for token, _ in vocabulary}
    kept = [added for added in state["added_tokens"] if added["content"] in own]
    if len(kept) == len(state["added_tokens"]):
        return
    for name, token in tokenizer.special_tokens_map.items():
        if isinstance(token, str) and token not in own:
            setattr(tokenizer, name, None)
    state["added_tokens"] = kept
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(state))


def check_vocabulary(name: str, tokenizer: Any, rows: int) -> None:
    """Return if every token has its row of the embedding; rows without a token are padding.

    Raises UserError.
    """
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= rows:
        raise UserError(
            f"The tokenizer of “{name}” does not belong to it: it has token ids up to {highest}, "
            f"and the model has {rows} rows of embeddings (ids up to {rows - 1}).",
            next_step="Put the tokenizer that came with these weights beside them.",
        )


def window_tokens(tokenizer: Any, *, causal: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids a model expects before and after a text.

    [CLS] and [SEP] for an encoder whose tokenizer has both, else the beginning-of-sequence
    token, else nothing.
    """
    cls_id, sep_id = tokenizer.cls_token_id, tokenizer.sep_token_id
    if not causal and cls_id is not None and sep_id is not None:
        return (int(cls_id),), (int(sep_id),)
    bos = tokenizer.bos_token_id
    return ((), ()) if bos is None else ((int(bos),), ())
