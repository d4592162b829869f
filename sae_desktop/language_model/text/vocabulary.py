"""Tokens as the bytes they stand for, whatever alphabet a tokenizer writes its entries in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_WORD_START = "\u2581"  # ▁, SentencePiece's sign for a space


@cache
def byte_alphabet() -> dict[str, int]:
    """Return the character → byte table of byte-level BPE (GPT-2's).

    Printable bytes of Latin-1 stand for themselves, the other 68 for U+0100 onwards in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in printable}
    rest = [byte for byte in range(256) if byte not in set(printable)]
    table.update({chr(0x100 + place): byte for place, byte in enumerate(rest)})
    return table


def vocabulary_bytes(tokenizer: Any, size: int) -> list[bytes]:
    """Return `size` entries: the bytes each token id adds to a text.

    Special tokens give their name; ids without a token give nothing.
    """
    names = tokenizer.get_vocab()
    added = tokenizer.added_tokens_decoder.values()
    # Added tokens that are text, such as Gemma's runs of spaces, are decoded like any other.
    literal = {str(token) for token in tokenizer.all_special_tokens}
    literal |= {str(token.content) for token in added if token.special}
    decode = _decoder(tokenizer)
    out = [b""] * size
    for name, token_id in names.items():
        if 0 <= token_id < size:
            out[token_id] = name.encode() if name in literal else decode(name)
    return out


def is_byte_level(tokenizer: Any) -> bool:
    """Whether the entries are written in the byte-level alphabet."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return "Ġ" in tokenizer.get_vocab()
    state = json.loads(backend.to_str())
    return '"ByteLevel"' in json.dumps([state.get("decoder"), state.get("pre_tokenizer")])


def _decoder(tokenizer: Any) -> Callable[[str], bytes]:
    """Return what the tokenizer's own decoding makes of an entry in the middle of a text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state = json.loads(backend.to_str()) if backend is not None else {}
    steps, model = _steps(state.get("decoder")), state.get("model") or {}
    kinds = [str(step.get("type")) for step in steps]
    if "WordPiece" in kinds:
        prefix = str(steps[kinds.index("WordPiece")].get("prefix", "##"))
        return lambda name: _word_piece(name, prefix)
    if is_byte_level(tokenizer):
        return _byte_level
    suffix = model.get("end_of_word_suffix") or ""
    if "BPEDecoder" in kinds:
        suffix = str(steps[kinds.index("BPEDecoder")].get("suffix", "</w>"))
    if suffix:
        return lambda name: _word_end(name, suffix)
    if backend is not None and not steps and not _has_word_starts(tokenizer):
        return lambda name: f" {name}".encode()  # joined by spaces, as whole words are
    replaced = [found for step in steps if (found := _replacement(step)) is not None]
    return lambda name: _sentencepiece(name, replaced)


def _steps(told: Any) -> list[dict[str, Any]]:
    """Return the steps of a decoder, those of sequences one after the other."""
    if not isinstance(told, dict):
        return []
    if told.get("type") == "Sequence":
        return [step for part in told.get("decoders") or [] for step in _steps(part)]
    return [told]


def _replacement(step: dict[str, Any]) -> tuple[str, str] | None:
    """Return what a step puts in place of what, wherever in an entry that stands."""
    if step.get("type") == "Metaspace":
        return str(step.get("replacement", _WORD_START)), " "
    pattern = step.get("pattern")
    if step.get("type") == "Replace" and isinstance(pattern, dict) and "String" in pattern:
        return str(pattern["String"]), str(step.get("content", ""))
    return None


def _has_word_starts(tokenizer: Any) -> bool:
    return any(name.startswith(_WORD_START) for name in tokenizer.get_vocab())


def _word_end(name: str, suffix: str) -> bytes:
    # Where a word ends is in its entry; it is followed by a space.
    return (f"{name.removesuffix(suffix)} " if name.endswith(suffix) else name).encode()


def _word_piece(name: str, prefix: str) -> bytes:
    # Where a word begins is not in its entry; every entry but a continuation begins one.
    return (name.removeprefix(prefix) if name.startswith(prefix) else f" {name}").encode()


def _byte_level(name: str) -> bytes:
    table = byte_alphabet()
    if all(char in table for char in name):
        return bytes(table[char] for char in name)
    return name.encode()


def _sentencepiece(name: str, replaced: Sequence[tuple[str, str]]) -> bytes:
    match = _BYTE_TOKEN.fullmatch(name)
    if match:
        return bytes([int(match[1], 16)])
    for old, new in replaced or ((_WORD_START, " "),):
        name = name.replace(old, new)
    return name.encode("utf-8", "replace")


def text_encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """Return a function text → ids that adds no special tokens and is safe in many threads."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return lambda text: [int(i) for i in tokenizer.encode(text, add_special_tokens=False)]
    # The wrapper's own call would set truncation on the shared tokenizer, which may not be
    # touched while another thread encodes.
    backend.no_truncation()
    backend.no_padding()
    return _backend_encoder(backend)


def _backend_encoder(backend: Any) -> Callable[[str], list[int]]:
    # Without the offsets that nobody asks for, encoding takes a quarter less time.
    return lambda text: backend.encode_batch_fast([text], add_special_tokens=False)[0].ids


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """Return the special tokens, those that a decoded text leaves out, and their names."""
    added = tokenizer.added_tokens_decoder.items()
    return {int(token_id): str(token.content) for token_id, token in added if token.special}


def letter_backend(tokenizer: Any) -> Any:
    """Return a copy of a fast tokenizer's backend that reads the names of special tokens as
    letters; None for a tokenizer without a backend. The one it copies is left alone."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    copy = type(backend).from_str(backend.to_str())
    copy.encode_special_tokens = True
    copy.no_truncation()
    copy.no_padding()
    return copy


def letter_encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """Return a function text → ids like `text_encoder`'s, but for special tokens' names: they
    are read as letters."""
    backend = letter_backend(tokenizer)
    if backend is None:
        return lambda text: [
            int(i)
            for i in tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        ]
    return _backend_encoder(backend)
