"""Corpora are read as they are, in a fixed order, or refused with the place of the fault."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sae_desktop.corpus import decoding, pieces
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, Document, read_documents
from sae_desktop.errors import UserError


def read(path: Path, **settings: Any) -> list[Document]:
    return list(read_documents(CorpusSettings(order="files", corpus=str(path), **settings)))


def test_folder__order_is_the_seeds(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.txt").write_text(f"text {number}")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    orders = [[d.text for d in read(tmp_path, seed=seed)] for seed in (0, 0, 1)]
    # The order of seed 0 is part of what a store that is resumed relies on.
    assert orders[0] == [f"text {n}" for n in (4, 1, 5, 2, 0, 3, 7, 6)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == [f"text {n}" for n in range(8)]
    assert read(tmp_path)[0].source == "4.txt"


PACKED = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", PACKED)
def test_jsonl__keeps_source_language_and_title(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"text": "α", "source": "udhr", "language": "el", "title": "Α", "other": [1], "year": 1948},
        {"text": "  "},
        {"text": "b", "year": None},
    ]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    path = tmp_path / f"corpus.jsonl{suffix}"
    path.write_bytes(PACKED[suffix](data))
    first, second = read(path)
    assert (first.text, first.source, first.language, first.title) == ("α", "udhr", "el", "Α")
    assert first.metadata == {"year": "1948"}
    assert (second.ordinal, second.text, second.source) == (1, "b", path.name)
    assert second.metadata == {}


@pytest.mark.parametrize("suffix", PACKED)
def test_compression__is_told_by_the_bytes_and_several_frames_follow_each_other(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "plain.txt"
    path.write_bytes(PACKED[suffix](b"first half, ") + PACKED[suffix](b"second half"))
    assert [d.text for d in read(path)] == ["first half, second half"]


@pytest.mark.parametrize("suffix", [suffix for suffix in PACKED if suffix])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.json"])
def test_compressed_file_cut_short__is_damaged(tmp_path: Path, name: str, suffix: str) -> None:
    lines = {".txt": "text %d\n", ".jsonl": '{"text": "%d"}\n', ".csv": "%d,text %d\n"}
    line = lines.get(Path(name).suffix, '{"text": "%d"},\n')
    text = "".join(line.replace("%d", str(n)) for n in range(5_000))
    head = {".csv": "id,text\n", ".json": "["}.get(Path(name).suffix, "")
    path = tmp_path / f"{name}{suffix}"
    path.write_bytes(PACKED[suffix]((head + text).encode())[:-30])
    with pytest.raises(UserError, match="damaged") as caught:
        read(path)
    assert str(path) in caught.value.what
    path.write_bytes(b"plain text, not compressed")
    with pytest.raises(UserError, match="damaged"):
        read(path)


def test_big_text_file__comes_in_pieces_that_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 100)
    monkeypatch.setattr(decoding, "BLOCK", 7)  # blocks end inside characters
    text = "\n\n".join(f"Absatz {n}: größer und größer " * 2 for n in range(30))
    path = tmp_path / "big.txt"
    path.write_text(text, encoding="utf-8")
    found = read(path)
    assert "".join(p.text for p in found) == text
    assert len(found) > 10
    assert all(p.text.endswith("\n\n") for p in found[:-1])
    assert found[3].title == "big (part 4)"


def test_long_text_of_a_table__comes_in_pieces_too(tmp_path: Path) -> None:
    text = "".join(f"word {number} " for number in range(45_000))
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"text": text, "title": "long", "lang": "en"}))
    found = read(path)
    assert "".join(d.text for d in found) == text
    assert [d.title for d in found] == ["long (part 1)", "long (part 2)", "long (part 3)"]
    assert {d.language for d in found} == {"en"}


def test_newlines__are_told_whatever_system_wrote_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BLOCK", 4)  # \r and \n come in different blocks
    path = tmp_path / "windows.txt"
    path.write_bytes(b"one\r\ntwo\r\n\r\nthree")
    assert [d.text for d in read(path)] == ["one\ntwo\n\nthree"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.json", "a.py"])
def test_byte_order_marks__are_heeded(tmp_path: Path, name: str, encoding: str) -> None:
    texts = {"a.csv": "text,n\ngröße 🌉,1\n", "a.jsonl": '{"text": "größe 🌉"}\n'}
    texts["a.json"] = '[{"text": "größe 🌉"}]'
    path = tmp_path / name
    path.write_text(texts.get(name, "größe 🌉"), encoding=encoding)
    assert [d.text for d in read(path)] == ["größe 🌉"]


@pytest.mark.parametrize("block", [4, 1 << 20])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_invalid_utf8__is_named_with_its_offset(
    tmp_path: Path, name: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BLOCK", block)
    data = '{"text": "größe"}\n{"text": "'.encode() + b"caf\xe9 au lait" + b'"}\n'
    path = tmp_path / name
    path.write_bytes(data)
    for corpus in (path, tmp_path):
        with pytest.raises(UserError, match="not UTF-8") as caught:
            read(corpus, skip_limit=0)
        assert f"offset {data.index(0xE9)} " in caught.value.what
        assert str(path) in caught.value.what
        assert "UTF-8" in caught.value.next_step


def test_text_cut_inside_a_character__is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes("abc ü".encode()[:-1])
    with pytest.raises(UserError, match="offset 4 "):
        read(path)


def test_missing_and_empty_corpora__are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no corpus"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match="contains no texts"):
        read(tmp_path)
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"words": "b"}\n')
    with pytest.raises(UserError, match=r"Line 2 .* no column “text”"):
        read(tmp_path / "bad.jsonl", skip_limit=0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1, 2", "Line 2 .* is not a JSON object"),
        ("17", "Line 2 .* is not a JSON object"),
        ('{"text": 17}', "Line 2 .* has a number in the column “text”, not a text"),
        ('{"text": ["a"]}', "Line 2 .* has something else"),
        ('{"text": "a"', "Line 2 .* is not a JSON object"),
        ("[" * 100_000, "Line 2 .* is not a JSON object"),
    ],
)
def test_wrong_line__is_named_after_the_documents_before_it(
    tmp_path: Path, line: str, said: str
) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(f'{{"text": "first"}}\n{line}\n')
    documents = read_documents(CorpusSettings(order="files", corpus=str(path), skip_limit=0))
    assert next(documents).text == "first"
    with pytest.raises(UserError, match=said):
        next(documents)


def test_json_as_python_writes_it__is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = ['{"text": "a", "score": NaN}', '"only a text"', '{"text": "half \\ud83d a pair"}']
    path.write_text("\n".join(lines) + "\n")
    first, second, third = read(path)
    assert (first.text, second.text) == ("a", "only a text")
    assert third.text == "half \ufffd a pair"
    third.text.encode()


def test_duplicates__are_left_out_and_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    texts = ["a", "b", "a", " ", "a ", "c", "b"]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    corpus = Corpus(CorpusSettings(order="files", corpus=str(path)))
    assert [(d.ordinal, d.text) for d in corpus] == [(0, "a"), (1, "b"), (3, "a "), (4, "c")]
    assert corpus.report.duplicates == 2
    assert [d.text for d in read(path, deduplicate=False)] == ["a", "b", "a", "a ", "c", "b"]


def test_subsets_and_splits__are_refused_where_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a")
    for corpus in (path, tmp_path):
        with pytest.raises(UserError, match="has no subsets"):
            read(corpus, subset="en")
        with pytest.raises(UserError, match="has no splits"):
            read(corpus, split="test")
