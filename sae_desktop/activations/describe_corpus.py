"""What a corpus holds, read off its beginning."""

from __future__ import annotations

import time

from sae_desktop.activations.config import (
    CorpusDescription,
    CorpusPreview,
    DescribeCorpusConfig,
)
from sae_desktop.corpus.documents import Document, corpus_bytes, read_documents
from sae_desktop.corpus.windows import empty_corpus
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.token_text import token_text

READ_SECONDS = 3.0
PREVIEW_TOKENS = 120
_MOST_TAGS = 200


def describe_corpus(config: DescribeCorpusConfig, context: JobContext) -> CorpusDescription:
    """Count a corpus's documents and kinds, and show the first ones as the model's tokens.

    What cannot be read in a few seconds is not counted: `documents` is −1 then.
    Raises UserError for a corpus that is missing, empty or not UTF-8.
    """
    started = time.monotonic()
    sources: dict[str, None] = {}
    languages: dict[str, None] = {}
    first: list[Document] = []
    documents = 0
    for document in read_documents(config.corpus):
        documents += 1
        if len(first) < config.preview:
            first.append(document)
        if len(sources) < _MOST_TAGS:
            sources.setdefault(document.source)
        if document.language:
            languages.setdefault(document.language)
        if documents % 256 == 0:
            context.check_cancelled()
            if time.monotonic() - started > READ_SECONDS:
                documents = -1
                break
    if documents == 0:
        raise empty_corpus(config.corpus)
    return CorpusDescription(
        name=config.corpus,
        documents=documents,
        bytes=corpus_bytes(config.corpus),
        sources=sorted(sources),
        languages=sorted(languages),
        preview=_preview(first, config.model, context),
    )


def _preview(documents: list[Document], model: str, context: JobContext) -> list[CorpusPreview]:
    try:
        lm = load_model(model)
    except UserError as error:
        # The corpus can be described without a model; its own panel says what is wrong with it.
        context.log(f"Shown by words, not tokens: {error.what}")
        cut = [document.text[: 4 * PREVIEW_TOKENS].split(" ") for document in documents]
        pieces = [[word if i == 0 else f" {word}" for i, word in enumerate(text)] for text in cut]
    else:
        names = lm.token_bytes()
        pieces = [
            [token_text(names[i]) for i in lm.encode(document.text[: 8 * PREVIEW_TOKENS])]
            for document in documents
        ]
    return [
        CorpusPreview(
            title=document.title,
            source=document.source,
            language=document.language,
            tokens=tokens[:PREVIEW_TOKENS],
        )
        for document, tokens in zip(documents, pieces, strict=True)
    ]
