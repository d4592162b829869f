"""Datasets of the hub are streamed in the seed's order, and say what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dataset_server import DatasetServer
from warm_process import WarmProcess
from warm_program import engine_environment

from sae_desktop.corpus import hub
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import (
    KNOWN_NAMES,
    canonical_corpus,
    corpus_bytes,
    hub_name,
    read_documents,
)
from sae_desktop.errors import UserError

SHARDS, ROWS = 4, 50
READER = Path(__file__).with_name("hub_reader.py")
CARD = """---
configs:
- config_name: first
  data_files:
  - {split: train, path: data/train-*}
  - {split: test, path: data/test-*}
- config_name: second
  data_files: other/*
---
"""


def shard(number: int) -> bytes:
    rows = [
        {"text": f"shard {number} row {row}", "source": f"s{row % 2}", "lang": "en", "score": row}
        for row in range(ROWS)
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


@pytest.fixture
def files() -> dict[str, bytes]:
    data = {f"data/train-{number}.jsonl": shard(number) for number in range(SHARDS)}
    return {"README.md": b"---\nlicense: mit\n---\n", **data}


@pytest.fixture
def serve(files: dict[str, bytes]) -> Iterator[Any]:
    made: list[DatasetServer] = []

    def start(**changes: Any) -> DatasetServer:
        made.append(DatasetServer(files, **changes))
        return made[-1]

    yield start
    for server in made:
        server.close()


Found = tuple[list[list[Any]], dict[str, str]]
"""Texts with what is known of them, and what was wrong."""


@cache
def _warm() -> WarmProcess:
    """Return a process with what the hub's library is long in loading, but not that itself."""
    loaded = ("pandas", "pyarrow.parquet", "fsspec")
    return WarmProcess((*loaded, "sae_desktop.corpus.documents"), engine_environment())


def read(url: str, home: Path, **settings: Any) -> Found:
    return read_each(url, home, settings)[0]


def read_each(url: str, home: Path, *settings: dict[str, Any]) -> list[Found]:
    """Read datasets in a process of its own: the library reads the hub's address once."""
    asked = [{"corpus": "owner/name", "order": "files", **one} for one in settings]
    own = {"HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home)}
    status, out, err = _warm().run([str(READER), json.dumps(asked)], engine_environment() | own)
    assert status == 0, err.decode()
    return [(texts, error) for texts, error in json.loads(out.splitlines()[-1])]


def test_hub__gives_every_row_once_with_its_columns_in_the_seeds_order(
    serve: Any, tmp_path: Path
) -> None:
    (first, error), (second, _) = read_each(serve().url, tmp_path, {}, {"seed": 3})
    assert not error
    expected = {f"shard {number} row {row}" for number in range(SHARDS) for row in range(ROWS)}
    assert len(first) == len(expected)
    assert {text for text, *_ in first} == expected
    row = next(row for row in first if row[0] == "shard 2 row 7")
    assert row[1:] == ["s1", "en", {"score": "7"}]
    shards = [text.split()[1] for text, *_ in first[::ROWS]]
    other = [text.split()[1] for text, *_ in second[::ROWS]]
    assert sorted(shards) == sorted(other) == ["0", "1", "2", "3"]
    assert shards != other


def test_shuffled_hub__mixes_rows_of_the_first_shards_and_gives_each_once(
    serve: Any, tmp_path: Path
) -> None:
    first, second = read_each(
        serve().url, tmp_path, {"order": "shuffled"}, {"order": "shuffled", "seed": 1}
    )
    texts = [text for text, *_ in first[0]]
    assert sorted(texts) == sorted(
        f"shard {number} row {row}" for number in range(SHARDS) for row in range(ROWS)
    )
    assert len({text.split()[1] for text in texts[:8]}) == SHARDS
    assert texts[:SHARDS] != [f"shard {number} row 0" for number in range(SHARDS)]
    assert texts != [text for text, *_ in second[0]]


def test_connection_cut_once__is_made_anew(serve: Any, tmp_path: Path) -> None:
    server = serve()
    server.broken, server.failures = {"data/train-1.jsonl"}, 2
    texts, error = read(server.url, tmp_path)
    assert not error
    assert len({text for text, *_ in texts}) == SHARDS * ROWS == len(texts)
    assert server.failures == 0


def test_connection_gone_in_the_middle__is_named_and_the_same_again_goes_on(
    serve: Any, tmp_path: Path
) -> None:
    server = serve()
    whole, _ = read(server.url, tmp_path / "a")
    last = f"data/train-{whole[-1][0].split()[1]}.jsonl"
    server.broken, server.failures = {last}, -1
    before, error = read(server.url, tmp_path / "b")
    assert before == whole[: (SHARDS - 1) * ROWS]
    assert f"lost after {len(before)} documents" in error["what"]
    assert "continues after what was kept" in error["next"]
    server.failures = 0
    assert read(server.url, tmp_path / "b")[0] == whole


def test_connection_gone_in_a_mixed_order__gives_what_comes_before(
    serve: Any, tmp_path: Path
) -> None:
    """The same records as with the connection, up to the first that cannot be had."""
    server = serve()
    whole, _ = read(server.url, tmp_path / "a", order="shuffled")
    texts = [text for text, *_ in whole]
    opened = [text.split()[1] for text in texts[:SHARDS]]
    assert len(set(opened)) == SHARDS
    # The columns are read off the shard 0, before any other is opened.
    gone = next(place for place in (2, 1) if opened[place] != "0")
    server.broken, server.failures = {f"data/train-{opened[gone]}.jsonl"}, -1
    before, error = read(server.url, tmp_path / "b", order="shuffled")
    assert before == whole[:gone]
    assert f"lost after {gone} document{'s' * (gone > 1)} while “owner/name”" in error["what"]
    server.broken = {"data/train-0.jsonl"}
    before, error = read(server.url, tmp_path / "c", order="shuffled")
    assert not before
    assert error["what"] == "The connection to the hub was lost while “owner/name” was being read."
    assert error["next"] == "Reconnect and start the same job again."


def test_gated_and_missing_data_sets__are_told_apart(serve: Any, tmp_path: Path) -> None:
    texts, error = read(serve(gated=True).url, tmp_path / "a")
    assert not texts
    assert "accepted its terms" in error["what"]
    assert "hf auth login" in error["next"]
    texts, error = read(serve().url, tmp_path / "b", corpus="owner/other")
    assert not texts
    assert error["what"].startswith("There is no file or folder “owner/other”, and no dataset")


def test_no_hub_at_all__is_said(tmp_path: Path) -> None:
    texts, error = read("http://127.0.0.1:9", tmp_path)
    assert not texts
    assert "the hub cannot be reached" in error["what"]


def test_unknown_splits_and_subsets__list_those_there_are(
    serve: Any, files: dict[str, bytes], tmp_path: Path
) -> None:
    files["README.md"] = CARD.encode()
    files["data/test-0.jsonl"] = shard(9)
    files["other/a.jsonl"] = shard(8)
    no_split, no_subset, several, whole = read_each(
        serve().url,
        tmp_path,
        {"subset": "first", "split": "dev"},
        {"subset": "third"},
        {},
        {"subset": "first", "split": "test"},
    )
    error = no_split[1]
    assert error["what"] == "“owner/name” has no split “dev”."
    assert "“train”, “test”" in error["next"]
    error = no_subset[1]
    assert error["what"] == "“owner/name” has no subset “third”."
    assert "“first”, “second”" in error["next"]
    error = several[1]
    assert "several subsets" in error["what"]
    assert "“first”, “second”" in error["next"]
    assert not whole[1]
    assert [text for text, *_ in whole[0]] == [f"shard 9 row {row}" for row in range(ROWS)]


def test_offline__is_the_reason_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        list(read_documents(CorpusSettings(order="files", corpus="nobody/nothing")))


class Stream:
    """As much of a streamed dataset as is used, that fails after each `lasts` rows read."""

    num_shards = 1

    def __init__(self, rows: int, lasts: int, skipped: int = 0) -> None:
        self.rows, self.lasts, self.skipped = rows, lasts, skipped
        self.opened: list[int] = []

    def shard(self, shards: int, index: int) -> Stream:
        assert (shards, index) == (1, 0)
        return self

    def with_format(self, name: str) -> Stream:
        assert name == "arrow"
        return self

    def skip(self, rows: int) -> Stream:
        self.opened.append(rows)
        return Stream(self.rows, self.lasts, rows)

    def iter(self, batch: int) -> Iterator[Any]:
        import pyarrow

        for first in range(self.skipped, self.rows, batch):
            if first - self.skipped >= self.lasts:
                raise ConnectionError("gone")
            rows = range(first, min(first + batch, self.rows))
            yield pyarrow.table({"text": [f"row {row}" for row in rows]})


def test_rows_before_a_lost_connection__are_not_given_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stream(rows=1000, lasts=2 * hub.BATCH_ROWS)
    monkeypatch.setattr(hub, "RETRY_SECONDS", (0.0,))
    monkeypatch.setattr(hub.HubTables, "_load", lambda self: stream)
    found = list(read_documents(CorpusSettings(order="files", corpus="owner/name")))
    assert [document.text for document in found] == [f"row {row}" for row in range(1000)]
    assert stream.opened == [0, 0, 256, 512, 768]


def test_names__of_files_and_of_data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub_name("owner/name") == canonical_corpus("owner/name") == "owner/name"
    assert canonical_corpus("builtin") == "builtin"
    assert hub_name("tinystories") == KNOWN_NAMES["tinystories"]
    assert corpus_bytes("owner/name") == -1
    for name in (
        "builtin",
        "texts",
        "texts/notes.txt",
        "a/b/c",
        "/owner/name",
        "x/y.jsonl.gz",
        "src/main.py",
        "a/b.gz",
    ):
        assert hub_name(name) is None
    (tmp_path / "owner/name").mkdir(parents=True)
    assert hub_name("owner/name") is None
    assert canonical_corpus("owner/name") == str(tmp_path / "owner/name")
    with pytest.raises(UserError, match="no corpus"):
        canonical_corpus("nowhere")
