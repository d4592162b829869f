"""Pictures of a dataset on the hub are streamed with the words of their rows."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_server import DatasetServer
from PIL import Image
from warm_process import WarmProcess
from warm_program import engine_environment

from sae_desktop.corpus.picture_sources import canonical_pictures
from sae_desktop.errors import UserError

READER = Path(__file__).with_name("hub_picture_reader.py")
SHARDS, ROWS = 2, 50
BROKEN, ELSEWHERE = 7, 9
"""Rows of the first shard: damaged, and of a file that is not brought along."""


def drawing(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8 + number % 5, 8), (2 * number, 0, 0)).save(out, "PNG")
    return out.getvalue()


def shard(first: int) -> bytes:
    pictures: list[dict[str, Any]] = [
        {"bytes": drawing(n), "path": f"{n}.png"} for n in range(first, first + ROWS)
    ]
    if first == 0:
        pictures[BROKEN]["bytes"] = b"no picture"
        pictures[ELSEWHERE] = {"bytes": None, "path": "elsewhere.png"}
    table = pa.table({"image": pictures, "caption": [f"number {first + n}" for n in range(ROWS)]})
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=20)
    return out.getvalue()


@pytest.fixture
def server() -> Iterator[DatasetServer]:
    files = {f"data/train-{n}.parquet": shard(n * ROWS) for n in range(SHARDS)}
    made = DatasetServer({"README.md": b"---\nlicense: mit\n---\n", **files})
    yield made
    made.close()


@cache
def _warm() -> WarmProcess:
    loaded = ("pandas", "pyarrow.parquet", "fsspec")
    return WarmProcess((*loaded, "sae_desktop.corpus.picture_sources"), engine_environment())


def read(url: str, home: Path, start: int = 0, **settings: Any) -> dict[str, Any]:
    asked = {"name": "owner/name", "start": start, "settings": settings}
    own = {"HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home)}
    status, out, err = _warm().run([str(READER), json.dumps(asked)], engine_environment() | own)
    assert status == 0, err.decode()
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def digest(number: int) -> str:
    return hashlib.sha256(drawing(number)).hexdigest()


def test_pictures__come_with_their_words_each_once_and_go_on_from_a_place(
    server: DatasetServer, tmp_path: Path
) -> None:
    found = read(server.url, tmp_path)
    assert found["error"] == ""
    expected = {(digest(n), f"number {n}") for n in range(SHARDS * ROWS) if n != ELSEWHERE}
    expected -= {(digest(BROKEN), f"number {BROKEN}")}
    broken = (hashlib.sha256(b"no picture").hexdigest(), f"number {BROKEN}")
    assert {tuple(one[1:]) for one in found["read"]} == expected | {broken}
    assert len(found["read"]) == SHARDS * ROWS - 1
    assert found["refused"] == [
        ["shard 1, row 10", "“elsewhere.png” is a file that the dataset does not bring along"]
    ]
    assert found["first"] == 64
    half = read(server.url, tmp_path, start=40)
    assert half["read"] == [one for one in found["read"] if one[0] >= 40]


def test_preview__fetches_only_the_beginning(server: DatasetServer, tmp_path: Path) -> None:
    found = read(server.url, tmp_path, order="files")
    assert len(found["shown"]) == 3
    assert found["complete"] is False
    width, text = found["shown"][0]
    assert width == 8 + int(text.removeprefix("number ")) % 5


def test_dataset__without_pictures_and_without_the_split_is_refused_by_name(
    server: DatasetServer, tmp_path: Path
) -> None:
    assert "has no split “test”" in read(server.url, tmp_path / "a", split="test")["error"]
    table = io.BytesIO()
    pq.write_table(pa.table({"text": ["no picture"]}), table)
    server.files = {"data/train-0.parquet": table.getvalue()}
    told = read(server.url, tmp_path / "b")
    assert told["error"] == "“owner/name” has no column of pictures."


def test_name__of_a_file_that_is_not_there_is_none_of_the_hub() -> None:
    assert canonical_pictures("owner/name") == "owner/name"
    with pytest.raises(UserError, match=r"no file or folder “owner/name\.zip”"):
        canonical_pictures("owner/name.zip")
