"""Tokens as text while they arrive: a character appears once its last byte has."""

from __future__ import annotations

import codecs


class TokenStream:
    """Joins the bytes of tokens into text, one token at a time."""

    def __init__(self, token_bytes: list[bytes]) -> None:
        """Take the vocabulary as bytes, see `LanguageModel.token_bytes`."""
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.text = ""

    def push(self, token_id: int | None, *, last: bool = False) -> str:
        """Return the text that this token completes; with `last`, all that is held back too.

        None stands for no token. Bytes that are no character come out as �.
        """
        data = b"" if token_id is None else self._token_bytes[token_id]
        piece = self._decoder.decode(data, final=last)
        self.text += piece
        return piece
