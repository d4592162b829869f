"""A corpus in a model's own tokens: special tokens, chat templates, windows."""

from __future__ import annotations

from typing import Any

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.windows import Encoded, Encoder, WindowPlan
from sae_desktop.errors import UserError
from sae_desktop.language_model.text.chat_encoder import ChatEncoder
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.language_model.text.tokenizer import adds_bos, without_repeated
from sae_desktop.language_model.text.vocabulary import letter_encoder


def plan_windows(lm: TextReader, settings: CorpusSettings, *, minimum: int = 1) -> WindowPlan:
    """Return how `settings` cut a corpus for this model.

    Raises UserError for windows the model cannot read, for windows with no room for a text, and
    for a BOS its tokenizer lacks.
    """
    if settings.context_size > lm.context_size:
        raise UserError(
            f"A window of {settings.context_size} tokens is longer than “{lm.name}” can read.",
            next_step=f"Use a context of at most {lm.context_size}.",
        )
    prefix, suffix = _around(lm, settings)
    plan = WindowPlan(settings, prefix, suffix, _separator(lm, settings), minimum)
    least = max(len(prefix) + len(suffix) + 1, minimum)
    if settings.context_size < least:
        raise UserError(
            f"A window of {settings.context_size} tokens has no room for text.",
            next_step=f"Use a context of at least {least}; 128 is usual.",
        )
    _check_overlap(plan)
    return plan


def _check_overlap(plan: WindowPlan) -> None:
    overlap = plan.settings.overlap
    if overlap < 0 or overlap >= plan.room:
        raise UserError(
            f"Windows cannot repeat {overlap:,} tokens of the one before: they only have room for "
            f"{plan.room:,}.",
            next_step=f"Use an overlap of at most {plan.room - 1:,}; half a window is usual.",
        )
    if overlap and plan.settings.packing == "packed":
        raise UserError(
            "Windows filled with one document after another cannot overlap.",
            next_step="Use one document per window, or no overlap.",
        )


def policy_text(lm: TextReader, plan: WindowPlan) -> str:
    """Return in words what stands at the ends of windows, and how special tokens are read."""
    settings = plan.settings
    sentences = [_ends_text(lm, plan)]
    if settings.packing == "packed":
        after = (
            f", {_names(lm, plan.separator)} after each" if plan.separator else ", nothing between"
        )
        sentences.append(f"Windows are filled with one document after another{after}.")
    else:
        sentences.append("Each window holds tokens of one document.")
    sentences.append(
        "The name of a special token in a text is read as that token."
        if settings.special_tokens == "tokens"
        else "The name of a special token in a text is read letter by letter."
    )
    return " ".join(sentences)


def document_encoder(lm: TextReader, settings: CorpusSettings) -> Encoder:
    """Return what turns a document into this model's tokens. Safe in any thread.

    Chats go through the model's template. Without one they are read as “role: content”, unless
    the column of chats was asked for: then encoding one raises UserError.
    """
    encode_text = lm.encode if settings.special_tokens == "tokens" else letter_encoder(lm.tokenizer)
    prefix, _ = _around(lm, settings)
    chats = ChatEncoder(lm, prefix, letters=settings.special_tokens == "text")

    def encode(document: Document) -> Encoded:
        if not document.messages:
            return Encoded(without_repeated(encode_text(document.text), prefix))
        if chats.template:
            return chats.encode(document)
        if settings.chat_column:
            raise UserError(
                f"“{lm.name}” has no chat template, so it cannot read chats.",
                next_step="Choose a model with one, or a column of texts.",
            )
        return Encoded(without_repeated(encode_text(document.text), prefix))

    return encode


def _around(lm: TextReader, settings: CorpusSettings) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens before and after each window."""
    if settings.bos == "never":
        return (), ()
    if settings.bos == "auto" and lm.causal and not adds_bos(lm.tokenizer):
        return (), ()
    if settings.bos == "always" and lm.causal and lm.bos_id is None:
        raise UserError(
            f"The tokenizer of “{lm.name}” has no beginning-of-sequence token.",
            next_step="Choose “auto” or “never”.",
        )
    return lm.window_tokens


def _separator(lm: TextReader, settings: CorpusSettings) -> tuple[int, ...]:
    if settings.packing != "packed":
        return ()
    eos: Any = lm.tokenizer.eos_token_id
    if eos is None and not lm.causal:
        eos = lm.tokenizer.sep_token_id
    found = lm.bos_id if eos is None else int(eos)
    return () if found is None else (found,)


def _ends_text(lm: TextReader, plan: WindowPlan) -> str:
    if plan.prefix and plan.suffix:
        ends = f"{_names(lm, plan.prefix)} and ends with {_names(lm, plan.suffix)}"
        return f"Each window begins with {ends}."
    if plan.prefix:
        return f"Each window begins with {_names(lm, plan.prefix)}."
    if plan.settings.bos == "never":
        return "No token is put before a window."
    if lm.bos_id is not None:
        return "No token is put before a window: the tokenizer is set not to add one."
    return "No token is put before a window: the tokenizer has no beginning-of-sequence token."


def _names(lm: TextReader, ids: tuple[int, ...]) -> str:
    return " ".join(str(name) for name in lm.tokenizer.convert_ids_to_tokens(list(ids)))
