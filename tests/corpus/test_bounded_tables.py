"""Parquet and Arrow files are read in bounded memory, whatever a few of their bytes become."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from bounded_reading import read_in_child
from pyarrow import feather, ipc, parquet

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, read_documents
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.exchange.labels import read_rows
from sae_desktop.interruption import interrupted_by

MB = 1 << 20
LONG = "a" * MB


def repeated(value: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(times, np.int32)), pa.array([value]))


def one_chat(times: int) -> pa.ListArray:
    said = pa.StructArray.from_arrays(
        [repeated("user", times), repeated(LONG, times)], ["role", "content"]
    )
    return pa.ListArray.from_arrays(pa.array([0, times], pa.int32()), said)


def growing(size: int) -> pa.Array:
    """Texts each of which is the one before and a little more."""
    text = "b" * size
    return pa.array([text[: size - 300 + n] for n in range(300)])


def to_parquet(path: Path, array: pa.Array, name: str = "text", **options: Any) -> None:
    table = pa.table({name: array})
    parquet.write_table(table, path, compression="zstd", store_schema=False, **options)


BOMBS: dict[str, Callable[[Path], None]] = {
    "value repeated by a dictionary": lambda path: to_parquet(path, repeated(LONG, 3000)),
    "long value repeated by a dictionary": lambda path: to_parquet(
        path, repeated("a" * (40 * MB), 50), dictionary_pagesize_limit=64 * MB
    ),
    "pages of a value each": lambda path: to_parquet(
        path, pa.array(["a" * (20 * MB)] * 12), use_dictionary=False, write_batch_size=1
    ),
    "a page that is too long": lambda path: to_parquet(
        path, pa.array([LONG] * 300), use_dictionary=False
    ),
    "beginnings of the value before": lambda path: to_parquet(
        path, growing(MB), use_dictionary=False,
        column_encoding={"text": "DELTA_BYTE_ARRAY"},
    ),
    "a chat of thousands of messages": lambda path: to_parquet(path, one_chat(3000), "messages"),
}  # fmt: skip
REFUSED = {
    "a page that is too long": "unpack to 315 MB at once",
    "a chat of thousands of messages": "Row 1 of .* takes 3,14",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_parquet__is_read_in_bounded_memory_or_refused(tmp_path: Path, bomb: str) -> None:
    path, small = tmp_path / "bomb.parquet", tmp_path / "small.parquet"
    to_parquet(small, pa.array(["words"]))
    BOMBS[bomb](path)
    assert path.stat().st_size < 100_000
    found = read_in_child(path, small, 5)
    assert found["grown"] < 350 * MB
    if bomb in REFUSED:
        with pytest.raises(UserError, match=REFUSED[bomb]):
            next(read_documents(CorpusSettings(corpus=str(path))))
    else:
        assert found["figures"][0] == 5


def test_labels_of_a_bomb__are_refused_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    labels = repeated(LONG, 3000)
    table = pa.table({"feature": np.arange(len(labels)), "Label": labels})
    parquet.write_table(table, path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match="more rows than labels can be read from"):
        list(read_rows(path))


def test_other_columns__are_left_packed(tmp_path: Path) -> None:
    """Lists and bytes are not shown, so that none of them is unpacked."""
    path, small = tmp_path / "bomb.parquet", tmp_path / "small.parquet"
    numbers = pa.ListArray.from_arrays(
        pa.array([0, 8_000_000], pa.int32()), pa.array(np.zeros(8_000_000, np.int64))
    )
    table = pa.table({"text": ["words"], "numbers": numbers, "picture": [b"a" * (150 * MB)]})
    parquet.write_table(table, path, compression="zstd")
    to_parquet(small, pa.array(["words"]))
    del table, numbers
    found = read_in_child(path, small)
    assert found["figures"] == [1, 5, 5]
    assert found["grown"] < 20 * MB


def test_arrow_file__that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path, small = tmp_path / "bomb.feather", tmp_path / "small.feather"
    feather.write_feather(pa.table({"text": ["words"]}), small)
    feather.write_feather(pa.table({"text": [LONG] * 300}), path, compression="zstd")
    stream = tmp_path / "bomb.arrow"
    options = ipc.IpcWriteOptions(compression="zstd")
    table = pa.table({"text": repeated("a" * (300 * MB), 1)})
    with ipc.new_stream(stream, table.schema, options=options) as writer:
        writer.write_table(table)
    for bomb in (path, stream):
        assert bomb.stat().st_size < 100_000
        found = read_in_child(bomb, small)
        assert "unpack to 315 MB at once" in found["error"]
        assert found["grown"] < 20 * MB


def test_arrow_dictionary__is_not_held_as_often_as_it_is_repeated(tmp_path: Path) -> None:
    path, small = tmp_path / "bomb.feather", tmp_path / "small.feather"
    feather.write_feather(pa.table({"text": ["words"]}), small)
    feather.write_feather(pa.table({"text": repeated("a" * (8 * MB), 500)}), path)
    found = read_in_child(path, small, 5)
    assert found["figures"][0] == 5
    assert found["grown"] < 100 * MB


@pytest.mark.parametrize("name", ["c.parquet", "c.feather", "c.arrow"])
def test_long_documents__are_read(tmp_path: Path, name: str) -> None:
    """Of a novel each, and one of fifty megabytes, which repeat nothing."""
    random = np.random.default_rng(0)
    texts = [random.bytes(MB).hex() for _ in range(20)] + [random.bytes(25 * MB).hex(), "short"]
    table = pa.table({"text": texts})
    if name == "c.parquet":
        parquet.write_table(table, tmp_path / name)
    elif name == "c.feather":
        feather.write_feather(table, tmp_path / name)
    else:
        with ipc.new_stream(tmp_path / name, table.schema) as writer:
            writer.write_table(table)
    corpus = Corpus(CorpusSettings(corpus=str(tmp_path / name), order="files"))
    assert sum(len(document.text) for document in corpus) == sum(map(len, texts))
    assert corpus.report.bad == 0


@pytest.mark.parametrize("name", ["c.parquet", "c.feather"])
def test_chats__are_the_same_however_they_are_packed(tmp_path: Path, name: str) -> None:
    chats = [
        [{"role": "user", "content": f"question {n % 3}"}, {"role": "bot", "content": "the same"}]
        for n in range(500)
    ]
    table = pa.table({"messages": chats})
    write = parquet.write_table if name == "c.parquet" else feather.write_feather
    write(table, tmp_path / name)
    settings = CorpusSettings(corpus=str(tmp_path / name), order="files", deduplicate=False)
    found = [[(m.role, m.content) for m in d.messages] for d in read_documents(settings)]
    assert len(found) == 500
    assert found[4] == [("user", "question 1"), ("assistant", "the same")]


def test_offsets_outside_the_file__are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "c.arrow"
    texts = [f"text {n:04}" for n in range(8)]
    table = pa.table({"text": texts})
    with ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)
    data = bytearray(path.read_bytes())
    at = data.find(np.arange(0, 81, 9, dtype="<i4")[:9].tobytes())
    data[at + 20 : at + 24] = (2**31 - 9).to_bytes(4, "little")
    path.write_bytes(data)
    corpus = Corpus(CorpusSettings(corpus=str(path), order="files"))
    found = [document.text for document in corpus]
    assert set(found) <= set(texts)
    assert corpus.report.bad > 0


@pytest.mark.parametrize("order", ["files", "shuffled"])
def test_cancel__is_obeyed_within_a_table(tmp_path: Path, order: str) -> None:
    """After each few rows of one large row group it is asked whether to continue."""
    path = tmp_path / "c.parquet"
    random = np.random.default_rng(0)
    rows = pa.table({"text": [random.bytes(1000).hex() for _ in range(20_000)]})
    parquet.write_table(rows, path, row_group_size=20_000)
    asked: list[float] = []

    def check() -> None:
        asked.append(time.monotonic())
        if len(asked) == 60:
            raise JobCancelledError

    settings = CorpusSettings(corpus=str(path), order=order)
    with pytest.raises(JobCancelledError), interrupted_by(check):
        list(read_documents(settings))
    assert len(asked) == 60


def test_damaged_pages__are_told(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    to_parquet(path, pa.array([f"text {n}" for n in range(1000)]))
    data = bytearray(path.read_bytes())
    data[4:40] = b"\xff" * 36
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged or cut short"):
        next(read_documents(CorpusSettings(corpus=str(path))))
