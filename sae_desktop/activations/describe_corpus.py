"""What a corpus holds, as seen from its beginning."""

from __future__ import annotations

import time
from itertools import islice

import msgspec

from sae_desktop.corpus.config import CorpusDescription, DescribeCorpusConfig, WindowPreview
from sae_desktop.corpus.documents import Corpus, Document, corpus_bytes
from sae_desktop.corpus.duplicates import DuplicateFilter
from sae_desktop.corpus.windows import Span, Window, WindowPlan, empty_corpus, windows
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import load_reader
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.language_model.text.text_windows import document_encoder, plan_windows, policy_text
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.language_model.text.vocabulary import special_tokens

READ_SECONDS = 3.0
_MOST_TAGS = 200
_CHECK_EVERY = 4096
# Documents and characters of the beginning that are kept for the preview: no window is longer.
_FIRST_DOCUMENTS = 256
_CHARACTERS_PER_TOKEN = 16


def describe_corpus(config: DescribeCorpusConfig, context: JobContext) -> CorpusDescription:
    """Count a corpus's documents and kinds, and show the first windows as the model reads them.

    What cannot be read in a few seconds is not counted: `documents` is −1 then. Of tables whose
    column of texts is not clear the columns are told, and why: `problem`.
    Raises UserError for a corpus that is missing, empty or cannot be read.
    """
    corpus = Corpus(config)
    beginning = _Beginning(config)
    try:
        whole = _read(corpus, beginning, context)
    except UserError as error:
        if beginning.documents or not corpus.report.tables:
            raise
        return _without_text(config, corpus, error)
    if not beginning.documents:
        raise empty_corpus(config.corpus)
    previews, notes = _preview(beginning.first, config, context)
    report = corpus.report
    return CorpusDescription(
        name=config.corpus,
        format=report.format,
        documents=beginning.documents if whole else -1,
        duplicates=report.duplicates + beginning.duplicates,
        bytes=corpus_bytes(config.corpus),
        columns=report.columns,
        column=report.column,
        sources=sorted(beginning.sources),
        languages=sorted(beginning.languages),
        notes=[*notes, *report.notes()],
        preview=previews,
        tables=report.tables,
    )


def _without_text(
    config: DescribeCorpusConfig, corpus: Corpus, error: UserError
) -> CorpusDescription:
    """Describe tables of which none has a text that can be read: their columns are to choose."""
    report = corpus.report
    return CorpusDescription(
        name=config.corpus,
        format=report.format,
        documents=0,
        duplicates=0,
        bytes=corpus_bytes(config.corpus),
        columns=report.tables[0].columns,
        column="",
        sources=[],
        languages=[],
        notes=report.notes(),
        preview=[],
        tables=report.tables,
        problem=f"{error.what} {error.next_step}".strip(),
    )


class _Beginning:
    """What is kept of the documents read."""

    def __init__(self, config: DescribeCorpusConfig) -> None:
        self.documents = self.duplicates = 0
        self.sources: dict[str, None] = {}
        self.languages: dict[str, None] = {}
        self.first: list[Document] = []
        self._characters = config.preview * config.context_size * _CHARACTERS_PER_TOKEN
        # Where duplicates are kept they come here, and are counted all the same.
        self._seen = None if config.deduplicate else DuplicateFilter()

    def add(self, document: Document) -> None:
        self.documents += 1
        # The first is kept in any case: it tells whether these are chats.
        if not self.first or (self._characters > 0 and len(self.first) < _FIRST_DOCUMENTS):
            self.first.append(document)
            self._characters -= len(document.text)
        if len(self.sources) < _MOST_TAGS:
            self.sources.setdefault(document.source)
        if document.language and len(self.languages) < _MOST_TAGS:
            self.languages.setdefault(document.language)
        if self._seen is not None and self._seen.seen([document.text]):
            self.duplicates += 1


def _read(corpus: Corpus, beginning: _Beginning, context: JobContext) -> bool:
    """Read for a few seconds, and return whether that was all."""
    started = time.monotonic()
    characters = 0
    for document in corpus.entries():
        characters += 1  # even nothing takes time
        if document is not None:
            beginning.add(document)
            characters += len(document.text)
        if characters > _CHECK_EVERY:
            characters = 0
            context.check_cancelled()
            if time.monotonic() - started > READ_SECONDS:
                return False
    return True


def _preview(
    documents: list[Document], config: DescribeCorpusConfig, context: JobContext
) -> tuple[list[WindowPreview], list[str]]:
    """Return the first windows, and what is to be said of them."""
    try:
        lm = load_reader(config.model)
    except UserError as error:
        # The corpus can be described without a model; its own panel says what is wrong with it.
        context.log(f"Shown as words, not tokens: {error.what}")
        shown = documents[: config.preview]
        return [_by_words(document, config.context_size) for document in shown], []
    notes = []
    if config.context_size > lm.context_size:
        notes.append(
            f"Shown in windows of {lm.context_size:,} tokens: “{lm.name}” cannot read longer ones."
        )
        config = msgspec.structs.replace(config, context_size=lm.context_size)
    plan = plan_windows(lm, config)
    encode = document_encoder(lm, config)
    found = windows(plan, encode, documents=documents)
    previews = [_as_read(lm, plan, window) for window in islice(found, config.preview)]
    notes.append(policy_text(lm, plan))
    if documents[0].messages:
        notes.append(_chat_text(lm))
    return previews, notes


def _chat_text(lm: TextReader) -> str:
    if getattr(lm.tokenizer, "chat_template", None):
        return f"Chats are put through the chat template of “{lm.name}”."
    return f"“{lm.name}” has no chat template: chats are read as “role: content”."


def _as_read(lm: TextReader, plan: WindowPlan, window: Window) -> WindowPreview:
    names = lm.token_bytes()
    special = special_tokens(lm.tokenizer)
    return _previewed(
        window.spans[0].document,
        [token_text(names[token]) for token in window.ids],
        [token in special for token in window.ids],
        _roles(window, plan),
    )


def _roles(window: Window, plan: WindowPlan) -> list[str]:
    """Return the role that speaks each token of a window; nothing where there is no chat."""
    if not any(span.roles for span in window.spans):
        return []
    said = [role for span in window.spans for role in _span_roles(span)]
    return [*[""] * len(plan.prefix), *said, *[""] * len(plan.suffix)]


def _span_roles(span: Span) -> list[str]:
    whole = [role for role, _, length in span.roles for _ in range(length)]
    found = whole[span.offset : span.offset + span.length]
    return found + [""] * (span.length - len(found))


def _by_words(document: Document, most: int) -> WindowPreview:
    words = document.text[: 16 * most].split(" ")[:most]
    pieces = [word if i == 0 else f" {word}" for i, word in enumerate(words)]
    return _previewed(document, pieces, [False] * len(pieces), [])


def _previewed(
    document: Document, tokens: list[str], special: list[bool], roles: list[str]
) -> WindowPreview:
    return WindowPreview(
        title=document.title,
        source=document.source,
        language=document.language,
        metadata=dict(document.metadata),
        tokens=tokens,
        special=special,
        roles=roles,
    )
