"""A model's tokenizer, read and checked against the model's embeddings."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.claims import CONFIG_BYTES, TOKENIZER_BYTES
from sae_desktop.language_model.files.code import code_of
from sae_desktop.language_model.files.find import ModelFiles
from sae_desktop.language_model.network import first_line, loading_options

_ROLES = ("bos_token", "eos_token", "cls_token", "sep_token")
_READ = (
    "*token*", "vocab*", "merges*", "*.spm", "spiece.model", "sentencepiece*", "*.tiktoken",
    "*.bpe", "chat_template*", "additional_chat_templates/*",
)  # fmt: skip
"""What libraries may read of a folder for a tokenizer."""
_SETTINGS = re.compile(r".*_config\.json|(special_tokens_map|chat_template)\.json|.*\.jinja")
_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


def load_tokenizer(files: ModelFiles) -> Any:
    """Return the tokenizer of a model. Raises UserError for one that is missing or broken."""
    if not files.gguf and not _plain(files) and not code_of(files.folder).needed:
        raise UserError(
            f"The model “{files.name}” has no tokenizer.",
            next_step=f"Put its tokenizer.json into {files.folder}.",
        )
    if not files.gguf:
        _check_sizes(files)
    options = loading_options(files)
    try:
        tokenizer = AutoTokenizer.from_pretrained(files.folder, **options)
        _keep_own_word(files, tokenizer)
        return tokenizer
    except Exception as error:
        raise UserError(
            f"The tokenizer of “{files.name}” cannot be read: {first_line(error)}",
            next_step="Copy or download the model again with all of its files.",
        ) from error


def _check_sizes(files: ModelFiles) -> None:
    """Refuse files that no tokenizer has, before libraries take memory for all they hold."""
    for path in sorted(path for part in _READ for path in files.folder.glob(part)):
        size = path.stat().st_size
        if size > (CONFIG_BYTES if _SETTINGS.fullmatch(path.name) else TOKENIZER_BYTES):
            raise UserError(
                f"“{path}” has {size:,} bytes: it is not the file of a tokenizer.",
                kept="It was not read.",
                next_step="Copy or download the model again.",
            )


def _keep_own_word(files: ModelFiles, tokenizer: Any) -> None:
    """Let a tokenizer say of BOS what its files say: classes have defaults of their own."""
    path = files.folder / "tokenizer_config.json"
    told = json.loads(path.read_bytes()) if path.is_file() and not files.gguf else {}
    tokenizer.init_kwargs.pop("add_bos_token", None)
    if told.get("add_bos_token") is not None:
        tokenizer.init_kwargs["add_bos_token"] = told["add_bos_token"]


def tokenizer_stamp(files: ModelFiles) -> str:
    """Return what changes whenever a model's tokenizer is changed on the disk."""
    paths = [] if files.gguf else sorted(files.folder.glob("*token*")) + _plain(files)
    return " ".join(f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in paths)


def _plain(files: ModelFiles) -> list[Path]:
    return [files.folder / name for name in _FILES if (files.folder / name).is_file()]


def fit_vocabulary(name: str, tokenizer: Any, rows: int) -> None:
    """See that every token has its row of the embedding; rows without a token are padding.

    Tokens that were only added, for no use of this model's, are taken out of the tokenizer: an
    image's in the Gemma 3 that reads text alone, a later padding, what transformers adds to a
    .gguf file. Raises UserError where the model's own tokens have no row.
    """
    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    if not beyond:
        return
    added = {str(token.content) for token in tokenizer.added_tokens_decoder.values()}
    used = {getattr(tokenizer, role) for role in _ROLES}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not set(beyond) <= added - used:
        raise UserError(
            f"The tokenizer of “{name}” does not belong to it: it has token ids up to "
            f"{max(beyond.values())}, but the model has {rows} rows of embeddings (ids up to "
            f"{rows - 1}).",
            next_step="Put the tokenizer that came with these weights into the same folder.",
        )
    for role, token in tokenizer.special_tokens_map.items():
        if isinstance(token, str) and token in beyond:
            setattr(tokenizer, role, None)
    state = json.loads(backend.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] not in beyond]
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(state))


def adds_bos(tokenizer: Any) -> bool:
    """Whether texts are to begin with the beginning-of-sequence token where nobody says.

    A tokenizer that has one may say of itself that it does not put it before texts.
    """
    return getattr(tokenizer, "init_kwargs", {}).get("add_bos_token") is not False


def without_repeated(ids: list[int], before: Sequence[int]) -> list[int]:
    """Return a text's tokens without those that stand before it anyway.

    Rendered chats, and texts that were decoded with them, bring them along.
    """
    count = len(before)
    return ids[count:] if count and ids[:count] == list(before) else ids


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
