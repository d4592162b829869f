"""Harvests of what is broken: the thing named, the way out said, committed rows kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_process import PROGRAM, Done, sae_desktop
from dataset_server import DatasetServer
from small_project import SITE
from test_bad_input import content, refused
from toy_encoder import save_toy_bert
from toy_models import TEXT, save_toy_model
from warm_program import another_warm_program, begin, engine_environment

from sae_desktop.activations.store import ActivationStore

TOKENS = 500


def harvest(project: Path, model: Path, *options: str | Path, **environment: str) -> Done:
    return sae_desktop(
        "harvest", project, "--name", "new", "--model", model, "--site", SITE, "--tokens",
        str(TOKENS), "--context-size", "32", "--batch-tokens", "64", "--device", "cpu", "--json",
        *options, environment=environment,
    )  # fmt: skip


def stored(project: Path) -> ActivationStore:
    return ActivationStore.open(project / "activations" / "new")


# ---------------------------------------------------------------- texts
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8),
        ("renamed.txt", b"\x7fELF" + bytes(4096)),
        ("program.parquet", b"MZ" + bytes(300)),
    ],
)
def test_binary_file__is_named_and_nothing_is_written(
    small_project: Path, toy_model_folder: Path, tmp_path: Path, name: str, data: bytes
) -> None:
    before = content(small_project)
    corpus = tmp_path / name
    corpus.write_bytes(data)
    refused(harvest(small_project, toy_model_folder, "--corpus", corpus), name)
    assert content(small_project) == before


def test_gigabyte_in_one_line__is_harvested_from_at_once(
    small_project: Path, toy_model_folder: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "line.txt"
    with corpus.open("wb") as file:
        file.write((TEXT.replace("\n", " ") * 30_000).encode())
        file.seek(10**9)
        file.write(b" end")
    done = harvest(small_project, toy_model_folder, "--corpus", corpus, "--order", "files")
    # The hole reads as NUL bytes, which begin after what was harvested.
    assert done.status == 0, done.stderr
    assert done.result["rows"] == TOKENS


def test_gigabyte_in_one_line__is_refused_where_what_is_read_ahead_is_no_text(
    small_project: Path, toy_model_folder: Path, tmp_path: Path
) -> None:
    before = content(small_project)
    corpus = tmp_path / "line.txt"
    begun = (TEXT.replace("\n", " ") * 1000).encode()
    with corpus.open("wb") as file:
        file.write(begun)
        file.seek(10**9)
        file.write(b" end")
    error = refused(harvest(small_project, toy_model_folder, "--corpus", corpus), corpus)
    assert f"the byte at offset {len(begun):,} is zero" in error["what"]
    assert content(small_project) == before


def _mixed_encodings(corpus: Path) -> None:
    """Write two good rows and one that is no UTF-8."""
    good = json.dumps({"text": TEXT}, ensure_ascii=False).encode() + b"\n"
    more = b"".join(good.replace(b"In the", f"In the {n}".encode(), 1) for n in range(2))
    corpus.write_bytes(more + '{"text": "Größe"}\n'.encode("latin-1"))


def test_mixed_encodings__leave_out_the_row_that_is_none_and_say_so(
    small_project: Path, toy_model_folder: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "mixed.jsonl"
    _mixed_encodings(corpus)
    done = harvest(small_project, toy_model_folder, "--corpus", corpus, "--tokens", "5000")
    assert done.status == 0, done.stderr
    assert "One row could not be read and was left out." in done.stderr
    assert f"“{corpus}” is not UTF-8" in done.stderr
    store = stored(small_project)
    assert done.result["rows"] == store.rows
    assert len(store.documents) == 2
    # The same rows are there where the file ends before the bad one.
    corpus.write_bytes(b"".join(corpus.read_bytes().splitlines(keepends=True)[:2]))
    tokens = store.tokens.tolist()
    shutil.rmtree(store.folder)
    assert harvest(
        small_project, toy_model_folder, "--corpus", corpus, "--tokens", "5000"
    ).status == 0  # fmt: skip
    assert stored(small_project).tokens.tolist() == tokens


def test_mixed_encodings__keep_what_came_before_the_file_that_is_none(
    small_project: Path, toy_model_folder: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "mixed.jsonl"
    _mixed_encodings(corpus)
    done = harvest(
        small_project, toy_model_folder, "--corpus", corpus, "--tokens", "5000", "--order",
        "files", "--skip-limit", "0",
    )  # fmt: skip
    error = refused(done, corpus)
    assert "UTF-8" in error["what"]
    kept = stored(small_project).rows
    assert 0 < kept < 5000
    assert error["kept"] == f"{kept:,} of 5,000 tokens are kept."


@pytest.mark.parametrize("rows", [0, 3])
def test_empty_parquet_column__is_named(
    small_project: Path, toy_model_folder: Path, tmp_path: Path, rows: int
) -> None:
    before = content(small_project)
    corpus = tmp_path / "empty.parquet"
    pq.write_table(pa.table({"text": pa.array([None] * rows, pa.string())}), corpus)
    refused(harvest(small_project, toy_model_folder, "--corpus", corpus), "empty.parquet")
    assert content(small_project) == before


# ---------------------------------------------------------------- models
def test_encoder__is_harvested_but_cannot_continue_a_text(
    small_project: Path, tmp_path: Path
) -> None:
    model = save_toy_bert(tmp_path / "encoder")
    done = harvest(small_project, model)
    assert done.status == 0, done.stderr
    trained = sae_desktop(
        "train", small_project, "--activations", "new", "--name", "e", "--features", "32", "--k",
        "4", "--tokens", "2000", "--batch", "100", "--device", "cpu", "--json",
    )  # fmt: skip
    assert trained.status == 0, trained.stderr
    indexed = sae_desktop(
        "index", small_project, "--dictionary", "e", "--name", "e", "--device", "cpu", "--json"
    )
    assert indexed.status == 0, indexed.stderr
    error = refused(
        sae_desktop(
            "steer", small_project, "--index", "e", "--feature", "1", "--clamp", "2", "--prompt",
            "In the beginning", "--device", "cpu", "--json",
        ),
        model,
    )  # fmt: skip
    assert "encoder" in error["what"]


def test_tokenizer_without_bos__is_read_without_or_refused_where_one_is_asked_for(
    small_project: Path, toy_model_folder: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(toy_model_folder, tmp_path / "model"))
    path = model / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bos_token": None}))
    error = refused(harvest(small_project, model, "--bos", "always"), model)
    assert "no beginning-of-sequence token" in error["what"]
    assert harvest(small_project, model).status == 0
    assert "the tokenizer has no beginning-of-sequence token" in stored(small_project).info.policy
    assert stored(small_project).info.prefix == []


def test_vocabulary_of_another_model__is_refused_with_both_numbers(
    small_project: Path, tmp_path: Path
) -> None:
    before = content(small_project)
    model = save_toy_model(tmp_path / "narrow", vocab_size=200)
    error = refused(harvest(small_project, model), "does not belong")
    assert "200 rows of embeddings" in error["what"]
    assert content(small_project) == before


# ---------------------------------------------------------------- the network
@pytest.fixture
def server() -> Iterator[DatasetServer]:
    rows = [
        "\n".join(
            json.dumps({"text": f"{shard} {row} {TEXT}", "title": f"train-{shard}.jsonl"})
            for row in range(3)
        ).encode()
        for shard in range(3)
    ]
    files = {f"data/train-{number}.jsonl": data for number, data in enumerate(rows)}
    made = DatasetServer({"README.md": b"---\nlicense: mit\n---\n", **files})
    yield made
    made.close()


def test_network_that_goes_away__keeps_what_came_and_goes_on_from_there(
    small_project: Path, toy_model_folder: Path, tmp_path: Path, server: DatasetServer
) -> None:
    environment = {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    with another_warm_program(environment, "hasty"):
        # Shards one after the other: a mixed corpus begins with all of them open.
        corpus = ("--corpus", "owner/name", "--order", "files")
        whole = harvest(small_project, toy_model_folder, *corpus, "--tokens", "900", **environment)
        assert whole.status == 0, whole.stderr
        right = stored(small_project)
        tokens, rows = right.tokens.copy(), right.read(0, right.rows).copy()
        shutil.rmtree(right.folder)
        # The last file breaks off, as often as it is asked for.
        last = right.documents[-1]["title"].decode()
        server.broken, server.failures = {f"data/{last}"}, -1
        done = harvest(small_project, toy_model_folder, *corpus, "--tokens", "900", **environment)
        error = refused(done, "owner/name")
        assert "lost" in error["what"]
        kept = stored(small_project).rows
        assert 0 < kept < 900
        assert error["kept"] == f"{kept:,} of 900 tokens are kept."
        server.failures = 0
        again = harvest(small_project, toy_model_folder, *corpus, "--tokens", "900", **environment)
        assert again.status == 0, again.stderr
        assert stored(small_project).tokens.tolist() == tokens.tolist()
        assert (stored(small_project).read(0, len(rows)) == rows).all()


def test_store_cut_short__is_damaged_and_said_to_be(
    small_project: Path, toy_model_folder: Path
) -> None:
    assert harvest(small_project, toy_model_folder).status == 0
    path = small_project / "activations" / "new" / "000.h5"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    done = harvest(small_project, toy_model_folder, "--tokens", "900")
    refused(done, "000.h5")


def test_two_harvests_at_once__the_second_is_told(
    small_project: Path, toy_model_folder: Path
) -> None:
    command = [
        "harvest", small_project, "--name", "long", "--model", toy_model_folder, "--site", SITE,
        "--tokens", "400000", "--context-size", "32", "--batch-tokens", "64", "--device", "cpu",
        "--json",
    ]  # fmt: skip
    running = begin([*PROGRAM, *map(str, command)], engine_environment())
    assert running.stderr is not None
    try:
        while (json.loads(running.stderr.readline()).get("progress") or {"done": 0})["done"] < 200:
            pass
        error = refused(harvest(small_project, toy_model_folder), small_project.name)
        assert "already open" in error["what"]
    finally:
        running.terminate()
        running.communicate()
