"""The corpus as token windows: weighted and shuffled for training, by kind for validation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from build_corpus import is_validation, read
from numpy.typing import NDArray
from sources import Document
from transformers import AutoTokenizer

Tokens = NDArray[np.int64]

CONTEXT = 256
OVERSAMPLED_LANGUAGES = ("fr", "es", "de")


def repeats(document: Document) -> int:
    """How often a document appears in an epoch: the small languages twice."""
    small = document.source == "udhr" or document.language in OVERSAMPLED_LANGUAGES
    return 2 if small else 1


def kinds(document: Document) -> tuple[str, ...]:
    """The headings under which a document's validation loss is reported."""
    if document.language == "python":
        return (document.source,)
    return (document.source, f"language {document.language}")


class Windows:
    """Encoded documents of the corpus, each ended by the end-of-text token.

    Every window is the beginning-of-text token followed by CONTEXT - 1 tokens from anywhere in
    the stream of documents: `inputs` and `targets` are both [windows, CONTEXT].
    """

    def __init__(self, corpus: Path, tokenizer_folder: Path, seed: int) -> None:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
        documents = read(corpus)
        encoded = tokenizer([document.text for document in documents])["input_ids"]
        ends = [tokenizer.eos_token_id]
        self.bos: int = tokenizer.bos_token_id
        self.seed = seed
        self.training: list[tuple[Document, Tokens]] = []
        self.validation: list[tuple[Document, Tokens]] = []
        for document, ids in zip(documents, encoded, strict=True):
            part = self.validation if is_validation(document) else self.training
            part.append((document, np.array(ids + ends, dtype=np.int64)))

    def epoch(self, number: int) -> tuple[Tokens, Tokens]:
        """Inputs and targets of one pass, documents and windows both in an order of its own."""
        random = np.random.default_rng([self.seed, number])
        pieces = [ids for document, ids in self.training for _ in range(repeats(document))]
        order = random.permutation(len(pieces))
        inputs, targets = self._cut(np.concatenate([pieces[i] for i in order]))
        shuffled = random.permutation(len(inputs))
        return inputs[shuffled], targets[shuffled]

    def batches(self, size: int, start: int = 0) -> Iterator[tuple[Tokens, Tokens]]:
        """Endless batches, beginning with batch number `start`."""
        number, first = 0, 0
        while True:
            inputs, targets = self.epoch(number)
            count = len(inputs) // size
            for batch in range(max(start - first, 0), count):
                rows = slice(batch * size, (batch + 1) * size)
                yield inputs[rows], targets[rows]
            number, first = number + 1, first + count

    def validation_streams(self) -> dict[str, Tokens]:
        """All validation tokens ("all"), and those of each source and of the main languages."""
        streams: dict[str, list[Tokens]] = {"all": []}
        for document, ids in self.validation:
            for kind in ("all", *kinds(document)):
                streams.setdefault(kind, []).append(ids)
        return {kind: np.concatenate(parts) for kind, parts in streams.items()}

    def _cut(self, stream: Tokens) -> tuple[Tokens, Tokens]:
        targets = stream[: len(stream) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)
        inputs = np.concatenate([np.full((len(targets), 1), self.bos), targets[:, :-1]], axis=1)
        return inputs, targets

    def cut(self, stream: Tokens, limit: int | None = None) -> tuple[Tokens, Tokens]:
        """Consecutive windows of a stream, at most `limit` of them, evenly spread."""
        inputs, targets = self._cut(stream)
        if limit is not None and len(inputs) > limit:
            chosen = np.linspace(0, len(inputs) - 1, limit).astype(int)
            return inputs[chosen], targets[chosen]
        return inputs, targets
