"""A shuffled harvest is a sample of the whole corpus, and the same whenever it is resumed."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from job_contexts import RecordingContext
from stored import opened, same_stores
from toy_models import TEXT

from sae_desktop.activations.config import HarvestConfig, VerifyStoreConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.verify import verify_store
from sae_desktop.corpus import windows
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.project import Project


@pytest.fixture
def shuffled(make: Any) -> Any:
    return lambda **changes: make(**{"order": "shuffled", "batch_tokens": 256, **changes})


def text(number: int, size: int) -> str:
    return f"{number} " + (TEXT[number % 50 :] + TEXT)[:size] * 1


def sources(config: HarvestConfig) -> Counter[str]:
    """Return how many rows are from each file or title."""
    store = opened(config)
    found: Counter[str] = Counter()
    for window in store.windows:
        document = store.documents[window["document"]]
        found[document["title"].decode().partition(" (part")[0]] += int(window["length"])
    return found


def test_ten_files__all_give_rows(shuffled: Any, tmp_path: Path) -> None:
    folder = tmp_path / "ten"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.txt").write_text(text(number, 400) * 40)
    config = shuffled(corpus=str(folder), tokens=2000)
    harvest(config, RecordingContext())
    found = sources(config)
    assert set(found) == {str(number) for number in range(10)}
    # Files of one size give about as much.
    assert max(found.values()) < 3 * min(found.values())


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("rows", [400, 6000])
def test_table_sorted_by_label__gives_all_labels(
    shuffled: Any, tmp_path: Path, kind: str, rows: int
) -> None:
    path = tmp_path / f"sorted.{kind}"
    table = [
        {"title": f"label {20 * n // rows}", "text": f"{n} " + text(n, 90)} for n in range(rows)
    ]
    if kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([["title", "text"], *(list(row.values()) for row in table)])
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    else:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(table), path, row_group_size=rows)
    config = shuffled(corpus=str(path), tokens=2500)
    harvest(config, RecordingContext())
    assert len(sources(config)) == 20


def test_parquet_of_400_documents__gives_rows_of_nearly_all(shuffled: Any, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "c.parquet"
    table = [{"title": f"T{n}", "text": f"{n} " + text(n, 900)} for n in range(400)]
    parquet.write_table(pyarrow.Table.from_pylist(table), path, row_group_size=50)
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / "c.parquet")
    (tmp_path / "folder" / "notes.txt").write_text(text(1, 400) * 500)
    config = shuffled(corpus=str(tmp_path / "folder"), tokens=12_000)
    harvest(config, RecordingContext())
    found = sources(config)
    assert sum(f"T{n}" in found for n in range(400)) > 300
    assert found["notes"] > 1000


_STOPS = {"": 6, "overlap": 8, "packing": 11, "bos": 8}
"""Where the harvest of every day is stopped, by the setting that it has."""


@pytest.mark.parametrize(
    ("settings", "stop"),
    [
        pytest.param(
            settings,
            stop,
            marks=() if _STOPS["".join(settings)] == stop else pytest.mark.nightly,
        )
        for settings in ({}, {"overlap": 5}, {"packing": "packed"}, {"bos": "never"})
        for stop in (6, 8, 11)
    ],
)
def test_resume__gives_the_same_store(
    shuffled: Any, settings: dict[str, Any], stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "BLOCK_DOCUMENTS", 12)
    small = {"batch_tokens": 16, "tokens": 900, **settings}
    whole, broken = shuffled(name="whole", **small), shuffled(name="broken", **small)
    harvest(whole, RecordingContext())
    with pytest.raises(JobCancelledError):
        harvest(broken, RecordingContext(cancel_after=stop))
    assert 0 < opened(broken).rows < 900
    harvest(broken, RecordingContext())
    assert same_stores(opened(whole), opened(broken))


@pytest.mark.parametrize("settings", [{}, {"overlap": 5}, {"packing": "packed"}])
def test_whole_corpus__is_kept_once_however_often_it_is_extended(
    shuffled: Any, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "BLOCK_DOCUMENTS", 12)
    files = shuffled(name="files", order="files", tokens=10**6, keep_first=True, **settings)
    harvest(files, RecordingContext())
    for tokens in (333, 1000, 1001, 10**6):
        config = shuffled(name="extended", tokens=tokens, keep_first=True, **settings)
        harvest(config, RecordingContext())
    first, second = opened(files), opened(config)
    assert second.segments > 3

    def rows(store: Any) -> Counter[tuple[int, ...]]:
        """Return how often each token of each document is kept."""
        found: Counter[tuple[int, ...]] = Counter()
        for span in store.spans:
            document = store.documents[span["document"]]
            begin = int(span["first_row"])
            for row in range(begin, begin + int(span["length"])):
                if int(store.tokens[row]) != 0:
                    found[document["title"], int(store.tokens[row])] += 1
        return found

    bos = int(np.bincount(first.tokens).argmax())
    ours, theirs = rows(first), rows(second)
    for key in [key for key in ours | theirs if key[1] == bos]:
        del ours[key], theirs[key]
    special = first.info.prefix
    assert {k: n for k, n in ours.items() if k[1] not in special} == {
        k: n for k, n in theirs.items() if k[1] not in special
    }


def test_overlap__keeps_each_token_once_where_enough_stands_before_it(shuffled: Any) -> None:
    config = shuffled(overlap=6, tokens=10**6, bos="never", keep_first=True)
    harvest(config, RecordingContext())
    plain = shuffled(name="plain", tokens=10**6, bos="never", keep_first=True)
    harvest(plain, RecordingContext())
    store, without = opened(config), opened(plain)
    assert store.rows == without.rows
    assert sorted(store.tokens) == sorted(without.tokens)
    for window in store.windows:
        ids = store.window_ids(window)
        rows = slice(int(window["first_row"]), int(window["first_row"]) + int(window["length"]))
        assert ids[-int(window["length"]) :] == store.tokens[rows].tolist()
        first = int(store.positions[rows][0])
        assert first == (0 if window["offset"] == 0 else 6)
        assert len(ids) == first + window["length"] <= 16


def test_store_from_before_there_was_an_order__goes_on_file_after_file(
    shuffled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sae_desktop.activations import harvest_plan

    old = shuffled(name="old", order="files", tokens=300)
    with monkeypatch.context() as patched:
        # As an earlier release wrote it: no word of the order.
        def record(config: HarvestConfig) -> str:
            found = msgspec.to_builtins(msgspec.structs.replace(config, project=""))
            del found["order"], found["overlap"], found["skip_limit"]
            return json.dumps(found)

        patched.setattr(harvest_plan, "config_record", record)
        harvest(old, RecordingContext())
    whole = shuffled(name="whole", order="files", tokens=300)
    harvest(whole, RecordingContext())
    harvest(msgspec.structs.replace(whole, tokens=700), RecordingContext())
    # The same command as ever, which now would shuffle.
    harvest(shuffled(name="old", tokens=700), RecordingContext())
    assert same_stores(opened(old), opened(whole))


def test_one_bad_row__does_not_end_a_harvest(shuffled: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = [json.dumps({"text": text(n, 200)}) for n in range(30)]
    lines[7:7] = ['{"text": 17}', "no JSON", '{"words": "a"}']
    path.write_text("\n".join(lines))
    context = RecordingContext()
    config = shuffled(corpus=str(path), tokens=10**5)
    harvest(config, context)
    assert len(set(opened(config).documents["ordinal"].tolist())) == 30
    said = next(line for line in context.lines if "could not be read" in line)
    assert said.startswith("3 rows could not be read and were left out. The first: Line 8 of")
    assert Project.open(config.project).stores() == ["acts"]


def test_corpus_that_ends_early__keeps_no_disk_that_it_does_not_need(shuffled: Any) -> None:
    config = shuffled(tokens=200_000)
    harvest(config, RecordingContext())
    store = opened(config)
    exact = shuffled(name="exact", tokens=store.rows)
    harvest(exact, RecordingContext())
    assert same_stores(store, opened(exact))
    assert store.size_bytes <= opened(exact).size_bytes
    assert store.rows_wanted == 200_000
    checked = verify_store(
        VerifyStoreConfig(project=config.project, name=config.name), RecordingContext()
    )
    assert checked.blocks > 0
    assert not checked.damaged


def test_documents_that_change__are_told_when_a_harvest_goes_on(shuffled: Any) -> None:
    config = shuffled(tokens=300)
    harvest(config, RecordingContext())
    with Path(config.corpus).open("a") as file:
        file.write(json.dumps({"text": TEXT[::-1], "title": "new"}) + "\n")
    with pytest.raises(UserError, match="has changed since"):
        harvest(msgspec.structs.replace(config, tokens=600), RecordingContext())


def test_ten_files__of_which_some_are_packed_all_give_about_as_many_rows(
    shuffled: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "ten"
    folder.mkdir()
    for number in range(10):
        texts = [f"{number} {row} " + text(number + row, 400) for row in range(400)]
        rows = [{"title": str(number), "text": one} for one in texts]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        if number < 3:
            packed = (gzip.compress, bz2.compress, lzma.compress)[number]
            suffix = ("gz", "bz2", "xz")[number]
            (folder / f"{number}.jsonl.{suffix}").write_bytes(packed(lines.encode()))
        elif number == 3:
            (folder / "3.json").write_text(json.dumps(rows))
        elif number == 4:
            (folder / "4.jsonl").write_text(lines)
        else:
            (folder / f"{number}.txt").write_text(" ".join(texts))
    config = shuffled(corpus=str(folder), tokens=40_000, batch_tokens=2048)
    harvest(config, RecordingContext())
    found = sources(config)
    assert set(found) == {str(number) for number in range(10)}
    assert max(found.values()) < 2 * min(found.values())
