"""Any text comes back from any kind of file as it was written, however the blocks fall."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from unittest.mock import patch

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from sae_desktop.corpus import decoding
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import read_documents
from sae_desktop.corpus.pieces import cut

# Newlines are read as \\n, and a zero is no text.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=40)
ROWS = st.lists(TEXTS.filter(lambda text: not text.isspace()), min_size=1, max_size=12)


def write_csv(path: Path, texts: list[str], delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([["id", "text"], *([str(n), text] for n, text in enumerate(texts))])


WRITERS = {
    "c.jsonl": lambda path, texts: path.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in texts)
    ),
    "c.json": lambda path, texts: path.write_text(
        json.dumps([{"text": text} for text in texts], ensure_ascii=False), encoding="utf-8"
    ),
    "c.csv": write_csv,
    "c.tsv": lambda path, texts: write_csv(path, texts, "\t"),
    "c.parquet": lambda path, texts: parquet.write_table(pyarrow.table({"text": texts}), path),
}


@pytest.mark.parametrize("name", WRITERS)
@settings(deadline=None)
@given(ROWS, st.integers(1, 30))
def test_texts__come_back(name: str, texts: list[str], block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(decoding, "BLOCK", block):
        path = Path(folder, name)
        WRITERS[name](path, texts)
        asked = CorpusSettings(
            order="files", corpus=str(path), deduplicate=False, text_column="text"
        )
        assert [document.text for document in read_documents(asked)] == texts


@given(TEXTS, st.integers(1, 30), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_plain_text__comes_back(text: str, block: int, encoding: str) -> None:
    text = text.removeprefix("\ufeff")
    with tempfile.TemporaryDirectory() as folder, patch.object(decoding, "BLOCK", max(block, 4)):
        path = Path(folder, "c.txt")
        path.write_bytes(text.encode(encoding))
        assert "".join(decoding.decoded(path)) == text
        assert "".join(decoding.text_lines(path)) == text
        assert all(line.count("\n") <= 1 for line in decoding.text_lines(path))


@given(st.lists(st.text("ab\n"), max_size=8), st.integers(1, 12))
def test_pieces__add_up_and_keep_to_their_length(blocks: list[str], limit: int) -> None:
    pieces = list(cut(blocks, limit))
    assert "".join(pieces) == "".join(blocks)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert all(len(piece) > limit // 2 for piece in pieces[:-1])
