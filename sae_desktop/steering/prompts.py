"""What a model is to continue: a text, a question through its chat template, pictures before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.picture_documents import (
    PictureDocument,
    document_of,
    one_model,
    picture_reader_of,
    read_document,
    read_kept,
)
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.pictures.thumbnails import thumbnail
from sae_desktop.steering.config import Variant
from sae_desktop.steering.kept_pictures import KeptPicture
from sae_desktop.steering.prompt_pictures import PromptPictures


@dataclass(frozen=True)
class Prompt:
    """A prompt's tokens, the special ones before it included."""

    ids: list[int]
    specials: int
    """How many special ones there are."""
    document: PictureDocument | None = None
    """Of one with pictures."""

    def of_pictures(self) -> Tensor:
        """Return bool, of each token but the special ones: whether it is of a picture."""
        count = len(self.ids) - self.specials
        if self.document is None:
            return torch.zeros(count, dtype=torch.bool)
        return torch.from_numpy(self.document.picture >= 0)

    def names(self, known: Sequence[bytes]) -> list[str]:
        """Return what each token but the special ones is called, from the model's vocabulary."""
        if self.document is not None:
            return self.document.names()
        return [token_text(known[i]) for i in self.ids[self.specials :]]


def read_prompt(opened: OpenedIndex, prompt: str, pictures: Sequence[str], *, chat: bool) -> Prompt:
    """Return a prompt, with files of pictures before its words.

    Raises UserError for an empty one, a chat without a template, and as `read_document`.
    """
    if not pictures:
        return Prompt(prompt_ids(opened, prompt, chat=chat), len(opened.bos))
    document = (
        _question(opened, prompt, pictures) if chat else read_document(opened, pictures, prompt)
    )
    return Prompt(document.whole_ids, int(document.batch.special[0].sum()), document)


def pictures_of(prompts: Sequence[Prompt]) -> PromptPictures | None:
    """Return the pictures of the prompts of a batch; None where they have none."""
    documents = [prompt.document for prompt in prompts if prompt.document is not None]
    return PromptPictures(documents) if documents else None


def pictures_read(prompt: Prompt, files: Sequence[str]) -> list[KeptPicture]:
    """Return the pictures of a prompt, which are of some files, as runs keep them."""
    if prompt.document is None:
        return []
    return [
        KeptPicture(place=file, digest=one.digest, thumbnail=thumbnail(one.image))
        for file, one in zip(files, prompt.document.pictures, strict=True)
    ]


def refuse_without_pictures(variants: Sequence[Variant], pictures: Sequence[str]) -> None:
    """Raise UserError where something is to work on pictures, and the prompt has none."""
    wanted = any(act.where == "pictures" for v in variants for act in v.interventions)
    if wanted and not pictures:
        raise UserError(
            "A change is to work on the tokens of pictures, and there is no picture in the prompt.",
            kept="Nothing was written.",
            next_step="Add a picture, or let it work on other tokens.",
        )


def prompt_ids(opened: OpenedIndex, prompt: str, *, chat: bool) -> list[int]:
    """Return a prompt's tokens, the special ones before it included.

    Raises UserError for an empty one, and for a chat without a template.
    """
    lm, text = opened.lm, prompt
    if chat:
        text = _rendered(lm, [{"role": "user", "content": prompt}])
    ids = lm.encode(text)
    if not ids or not prompt.strip():
        raise UserError("The prompt is empty.", next_step="Type the beginning of a text.")
    if ids[: len(opened.bos)] != opened.bos:  # some templates begin with it themselves
        ids = opened.bos + ids
    return ids


def _question(opened: OpenedIndex, prompt: str, pictures: Sequence[str]) -> PictureDocument:
    """Return pictures and words as a question through the model's chat template."""
    lm = one_model(opened)
    reader = picture_reader_of(lm)
    found = [read_kept(Path(name)) for name in pictures]
    words = [{"type": "text", "text": prompt}] if prompt.strip() else []
    content = [*({"type": "image"} for _ in found), *words]
    text = _rendered(lm, [{"role": "user", "content": content}])
    start = lm.tokenizer.bos_token if lm.window_tokens[0] else None
    pieces = reader.pieces(text.removeprefix(start or ""), len(found))
    parts: list[Any] = [pieces[0]]
    for one, piece in zip(found, pieces[1:], strict=True):
        parts += [one.image, piece]
    return document_of(lm, reader, [part for part in parts if part != ""], found)


def _rendered(lm: LanguageModel, said: list[dict[str, Any]]) -> str:
    if not getattr(lm.tokenizer, "chat_template", None):
        raise UserError(f"“{lm.name}” has no chat template.", next_step="Steer it without “chat”.")
    try:
        return render_chat(lm.tokenizer, said, add_generation_prompt=True, name=lm.name)
    except TemplateRefusedError as error:
        raise UserError(
            f"The chat template of “{lm.name}” refuses the prompt: {error}.",
            next_step="Steer it without “chat”.",
        ) from error
