"""A prompt in a model's own tokens, and single tokens by how they are written."""

from __future__ import annotations

from dataclasses import dataclass

from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.token_text import token_text, visible_token
from sae_desktop.language_model.text.tokenizer import adds_bos, without_repeated


@dataclass(frozen=True)
class PromptTokens:
    """T tokens as the model reads them."""

    ids: list[int]
    specials: int
    """Of them, those put before the prompt: BOS, or nothing."""
    texts: list[str]
    """As they are shown."""


def read_prompt(lm: LanguageModel, text: str, *, chat: bool = False) -> PromptTokens:
    """Return a prompt's tokens, BOS before them where the model wants one.

    With `chat` the text is what a person says, written by the model's template up to where its
    answer begins. Raises UserError for no text, for one that is longer than the model reads, and
    for a chat that has no template or is refused.
    """
    before = list(lm.window_tokens[0]) if adds_bos(lm.tokenizer) else []
    ids = without_repeated(lm.encode(_in_template(lm, text) if chat else text), before)
    if not ids:
        raise UserError("The prompt is empty.", next_step="Type a prompt.")
    whole = [*before, *ids]
    if len(whole) > lm.context_size:
        raise UserError(
            f"The prompt has {len(whole):,} tokens, but “{lm.name}” reads {lm.context_size:,}.",
            next_step="Use a shorter prompt.",
        )
    names = lm.token_bytes()
    return PromptTokens(whole, len(before), [token_text(names[i]) for i in whole])


def _in_template(lm: LanguageModel, text: str) -> str:
    if not getattr(lm.tokenizer, "chat_template", None):
        raise UserError(
            f"“{lm.name}” has no chat template.", next_step="Enter the prompt as plain text."
        )
    said = [{"role": "user", "content": text}]
    try:
        return render_chat(lm.tokenizer, said, add_generation_prompt=True, name=lm.name)
    except TemplateRefusedError as error:
        raise UserError(
            f"The chat template of “{lm.name}” refuses the prompt: {error}.",
            next_step="Enter the prompt as plain text.",
        ) from error


def token_id(lm: LanguageModel, text: str) -> int:
    """Return the id of the one token that is written so, a space before it included.

    Raises UserError for what is not one token; it names the pieces, and a way to write it that
    is one token, where there is one.
    """
    ids = without_repeated(lm.encode(text), list(lm.window_tokens[0]))
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise UserError("The target is empty.", next_step="Type one token, such as “ Paris”.")
    names = lm.token_bytes()
    pieces = ", ".join(f"“{visible_token(token_text(names[i]))}”" for i in ids[:6])
    for other in (f" {text.strip()}", text.strip()):
        if other != text and len(without_repeated(lm.encode(other), lm.window_tokens[0])) == 1:
            way = "with" if other.startswith(" ") else "without"
            step = f"Write it {way} a space before it: then it is one token."
            break
    else:
        step = "Choose its first piece, or another word."
    raise UserError(
        f"“{visible_token(text)}” is not one token of “{lm.name}” but {len(ids)}: {pieces}.",
        next_step=step,
    )
