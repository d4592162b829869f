"""A corpus in a model's own tokens: special tokens, chat templates, windows."""

from __future__ import annotations

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.windows import Encoded, Encoder, WindowPlan
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel


def plan_windows(lm: LanguageModel, settings: CorpusSettings, *, minimum: int = 1) -> WindowPlan:
    """Return how `settings` cut a corpus for this model.

    Raises UserError for windows the model cannot read, and for a BOS its tokenizer lacks.
    """
    if settings.context_size > lm.context_size:
        raise UserError(
            f"A window of {settings.context_size} tokens is longer than “{lm.name}” can read.",
            next_step=f"Use a context of at most {lm.context_size}.",
        )
    bos_id = lm.bos_id if settings.bos != "never" else None
    if settings.bos == "always" and bos_id is None:
        raise UserError(
            f"The tokenizer of “{lm.name}” has no beginning-of-sequence token.",
            next_step="Choose “auto” or “never”.",
        )
    return WindowPlan(settings, prefix=() if bos_id is None else (bos_id,), minimum=minimum)


def document_encoder(lm: LanguageModel, settings: CorpusSettings) -> Encoder:
    """Return what turns a document into this model's tokens. Safe in any thread."""
    del settings

    def encode(document: Document) -> Encoded:
        return Encoded(lm.encode(document.text))

    return encode
