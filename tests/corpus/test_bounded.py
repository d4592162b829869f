"""Nothing is read whole: huge files begin at once, and memory does not grow with them."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import zlib
from collections.abc import Iterable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import zstandard
from bounded_reading import read_in_child
from pyarrow import parquet

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.decoding import LINE_LIMIT, decoded, text_lines
from sae_desktop.corpus.documents import read_documents
from sae_desktop.corpus.pieces import PIECE_CHARACTERS
from sae_desktop.corpus.records import LeftOutError
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.interruption import interrupted_by

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is measured as Linux tells it"
)
GB = 1 << 30


# Reads a corpus to its end and says how many documents came, and how far memory grew by it.
def hundred_gigabytes(path: Path, beginning: bytes) -> Path:
    """Make a file of 100 GB that takes up only its beginning on the disk."""
    path.write_bytes(beginning)
    os.truncate(path, 100 * GB)
    return path


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.txt", "c.json", "c.py"])
def test_hundred_gigabytes__begin_at_once(tmp_path: Path, name: str) -> None:
    words = "some words of a text " * 50
    beginning = {
        "c.jsonl": "".join(json.dumps({"text": f"{n} {words}"}) + "\n" for n in range(3000)),
        "c.csv": "n,text\n" + "".join(f"{n},{n} {words}\n" for n in range(3000)),
        "c.json": json.dumps([{"text": f"{n} {words}"} for n in range(3000)])[:-1],
    }.get(name, "".join(f"{n} {words}\n\n" for n in range(3000)))
    small = tmp_path / f"small{name}"
    small.write_text(beginning[: beginning.find("\n", 3000) + 1] if name != "c.json" else "[]")
    if name == "c.json":
        small.write_text(json.dumps([{"text": words}]))
    path = hundred_gigabytes(tmp_path / name, beginning.encode())
    most = 2000 if name in ("c.jsonl", "c.csv", "c.json") else 5
    found = read_in_child(path, small, most)
    assert found["figures"][0] == most
    assert found["grown"] < 20 << 20


def test_gigabyte_in_a_single_line__is_cut_into_pieces(tmp_path: Path) -> None:
    path, small = tmp_path / "line.txt", tmp_path / "small.txt"
    small.write_text("words " * 1000)
    block = b"one single line without an end " * (1 << 15)
    with path.open("wb") as file:
        while file.tell() < GB:
            file.write(block)
    size = path.stat().st_size
    found = read_in_child(path, small)
    count, characters, longest = found["figures"]
    assert characters == size
    assert longest == PIECE_CHARACTERS
    assert count == -(-size // PIECE_CHARACTERS)
    assert found["grown"] < 20 << 20


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.json"])
def test_gigabyte_in_a_line_of_a_table__is_refused_with_its_size(tmp_path: Path, name: str) -> None:
    head = {"c.jsonl": '{"text": "a"}\n{"text": "', "c.csv": 'n,text\n1,"', "c.json": '[{"text": "'}
    path, small = tmp_path / name, tmp_path / f"small{name}"
    small.write_text(
        {"c.csv": "n,text\n1,a\n", "c.jsonl": '{"text": "a"}\n'}.get(name, '[{"text": "a"}]')
    )
    with path.open("wb") as file:
        file.write(head[name].encode())
        for _ in range(1024):
            file.write(b"x" * (1 << 20))
    found = read_in_child(path, small)
    assert f"more than the {LINE_LIMIT / 1e6:,.0f} MB" in found["error"] or (
        f"longer than the {LINE_LIMIT / 1e6:,.0f} MB" in found["error"]
    )
    assert {"c.jsonl": "Line 2 ", "c.csv": "Line 2 ", "c.json": "Entry 1 "}[name] in found["error"]
    if name == "c.jsonl":
        assert "1,074 MB" in found["error"]
    assert found["grown"] < 8 * LINE_LIMIT


def test_text_packed_a_thousandfold__is_unpacked_piece_by_piece(tmp_path: Path) -> None:
    path, small = tmp_path / "bomb.txt.zst", tmp_path / "small.txt"
    small.write_text("words " * 1000)
    path.write_bytes(zstandard.ZstdCompressor().compress(b"a" * (GB // 4)))
    assert path.stat().st_size < 10_000
    found = read_in_child(path, small, 5)
    assert found["figures"][0] == 5
    assert found["grown"] < 100 << 20


def packed(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a compressed file of pieces without holding them in memory."""
    opened: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    with opened[path.suffix](path, "wb") as file:
        for piece in pieces:
            file.write(piece)


SIZE = {".gz": 128, ".bz2": 128, ".xz": 128}
"""MiB of text in a bomb: as much as is written in a few seconds."""


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_bombs__are_unpacked_piece_by_piece(tmp_path: Path, suffix: str) -> None:
    path, small = tmp_path / f"bomb.txt{suffix}", tmp_path / f"small.txt{suffix}"
    packed(small, [b"words " * 1000])
    packed(path, repeat(b"a" * (1 << 20), SIZE[suffix]))
    assert path.stat().st_size < 600_000
    found = read_in_child(path, small, 5)
    assert found["figures"][0] == 5
    assert found["grown"] < 20 << 20


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("entry", ["a", " "])
def test_bombs_of_json__hold_one_entry_at_a_time(tmp_path: Path, suffix: str, entry: str) -> None:
    """An entry without an end is refused, and spaces before one are passed over."""
    path, small = tmp_path / f"bomb.json{suffix}", tmp_path / f"small.json{suffix}"
    packed(small, [json.dumps([{"text": "words " * 1000}]).encode()])
    text = chain([b'[{"text": "words"}, '], [b'{"text": "'] if entry == "a" else [])
    filling = repeat(entry.encode() * (1 << 20), 70)
    packed(path, chain(text, filling, [b'"}]' if entry == "a" else b'{"text": "more words"}]']))
    found = read_in_child(path, small)
    if entry == "a":
        assert f"longer than the {LINE_LIMIT / 1e6:,.0f} MB" in found["error"]
        assert "Entry 2 " in found["error"]
    else:
        assert found["figures"][0] == 2
    assert found["grown"] < 8 * LINE_LIMIT


def test_dictionary_of_gigabytes__is_refused_before_it_is_made(tmp_path: Path) -> None:
    path, small = tmp_path / "wide.txt.xz", tmp_path / "small.txt.xz"
    packed(small, [b"words " * 1000])
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1}]
    block = bytearray(lzma.compress(b"words " * 1000, filters=filters))
    # The byte after the stream's header, the block's size and flags, and the filter's id and size
    # says the dictionary's size: 40 is the largest, of 4 GiB. The header's checksum comes after.
    assert block[14:16] == b"\x21\x01"
    block[16] = 40
    block[20:24] = zlib.crc32(bytes(block[12:20])).to_bytes(4, "little")
    path.write_bytes(block)
    found = read_in_child(path, small)
    assert "takes more than 128 MiB of memory" in found["error"]
    assert "xz -dk wide.txt.xz" in found["error"]
    assert found["grown"] < 20 << 20


def test_zstandard_window_of_gigabytes__is_refused_before_it_is_made(tmp_path: Path) -> None:
    path, small = tmp_path / "wide.txt.zst", tmp_path / "small.txt"
    small.write_text("words " * 1000)
    parameters = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=False)
    with (
        path.open("wb") as file,
        zstandard.ZstdCompressor(compression_params=parameters).stream_writer(file) as stream,
    ):
        stream.write(b"words " * 1000)
    found = read_in_child(path, small)
    assert "takes more than 128 MiB of memory" in found["error"]
    assert found["grown"] < 20 << 20


def test_xz_of_several_streams__is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "several.txt.xz"
    path.write_bytes(lzma.compress(b"one ") + bytes(8) + lzma.compress(b"two ") + bytes(4))
    assert "".join(decoded(path)) == "one two "
    path.write_bytes(lzma.compress(b"one ") + lzma.compress(b"two ")[:-3])
    with pytest.raises(UserError, match="damaged or cut short"):
        list(decoded(path))


@pytest.mark.parametrize("name", ["c.jsonl.gz", "c.csv.xz", "c.json.bz2", "c.txt.gz"])
@pytest.mark.parametrize("order", ["files", "shuffled"])
def test_bomb_without_a_text__is_left_at_a_cancel(tmp_path: Path, name: str, order: str) -> None:
    path = tmp_path / name
    begin = {"c.csv.xz": b"text\nwords\n", "c.json.bz2": b'[{"text": "words"}, '}
    begun = begin.get(name, b'{"text": "words"}\n')
    nothing = b" " if "json." in name and "jsonl" not in name else b"\n"
    packed(path, chain([begun], repeat(nothing * (1 << 20), 8)))
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 20:  # of some sixty steps
            raise JobCancelledError

    settings = CorpusSettings(corpus=str(path), order=order)
    with pytest.raises(JobCancelledError), interrupted_by(check):
        list(read_documents(settings))
    assert len(asked) == 20


def test_row_group_larger_than_memory_allowed__is_read_by_pages(tmp_path: Path) -> None:
    path, small = tmp_path / "big.parquet", tmp_path / "small.parquet"
    parquet.write_table(pyarrow.table({"text": ["words"]}), small)
    random = np.random.default_rng(0)
    schema = pyarrow.schema([("text", pyarrow.string()), ("picture", pyarrow.binary())])
    with parquet.ParquetWriter(path, schema, compression="none") as writer:
        rows = [
            {"text": random.bytes(5000).hex(), "picture": random.bytes(2000)} for _ in range(20_000)
        ]
        writer.write_table(pyarrow.Table.from_pylist(rows, schema), row_group_size=20_000)
    assert path.stat().st_size > 230_000_000
    found = read_in_child(path, small)
    assert found["figures"] == [20_000, 20_000 * 10_000, 10_000]
    assert found["grown"] < 100 << 20


def test_lines__come_before_their_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    lines = "".join(f"line {number}\n" for number in range(1_000_000))
    path.write_bytes(lines.encode() + bytes(10))  # which is no text, and is not reached
    found = text_lines(path)
    assert [next(found) for _ in range(3)] == ["line 0\n", "line 1\n", "line 2\n"]
    with pytest.raises(LeftOutError, match="is not text"):
        for _ in found:
            pass
