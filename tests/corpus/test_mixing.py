"""A mixed corpus gives every record once, in an order that only it and the seed decide."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sae_desktop.corpus import mixing
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, read_documents
from sae_desktop.corpus.mixing import Labelled, Unit, mixed
from sae_desktop.corpus.records import Record


def units(sizes: list[int]) -> list[Unit]:
    def unit(number: int, size: int) -> Unit:
        def read() -> Iterator[Labelled]:
            return ((Record(f"{number}:{n:05}"), "") for n in range(size))

        return Unit(7.0 * size, read)

    return [unit(number, size) for number, size in enumerate(sizes)]


def numbers(found: list[Labelled]) -> list[int]:
    return [int(record.text.partition(":")[0]) for record, _ in found]


def test_mixed__gives_each_record_once_and_the_same_again() -> None:
    sizes = [300, 20, 1, 0, 500]
    found = list(mixed(units(sizes), 3))
    assert sorted(numbers(found)) == sorted(n for n, size in enumerate(sizes) for _ in range(size))
    assert len({record.text for record, _ in found}) == sum(sizes)
    assert found == list(mixed(units(sizes), 3))
    assert found != list(mixed(units(sizes), 4))


def test_mixed__takes_from_every_unit_first_and_then_by_its_size() -> None:
    sizes = [100, 400, 500]
    found = numbers(list(mixed(units(sizes), 0)))
    assert sorted(found[:3]) == [0, 1, 2]
    for end in (250, 500, 750):
        for number, size in enumerate(sizes):
            assert found[:end].count(number) == pytest.approx(size * end / 1000, abs=4)


def test_mixed__holds_a_bounded_part_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "AHEAD_CHARACTERS", 50 * (mixing._RECORD + 7))
    taken = 0

    def read() -> Iterator[Labelled]:
        nonlocal taken
        for n in range(10_000):
            taken += 1
            yield Record(f"0:{n:05}"), ""

    for given, _ in enumerate(mixed([Unit(1.0, read)], 0), start=1):
        assert taken - given <= 51


@pytest.mark.parametrize("name", ["c.csv", "c.jsonl", "c.parquet", "c.arrow"])
def test_stretches_of_a_table__are_all_of_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    texts = [f"row {n}, with “quotes” and\na second line\r\n" * (1 + n % 9) for n in range(9000)]
    if name.endswith(".csv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["id", "text"], *([n, t] for n, t in enumerate(texts))])
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    else:
        import pyarrow
        from pyarrow import feather, parquet

        table = pyarrow.table({"text": texts})
        if name.endswith(".parquet"):
            parquet.write_table(table, path, row_group_size=4000)
        else:
            feather.write_feather(table, str(path), compression="uncompressed", chunksize=4000)
    in_order = CorpusSettings(corpus=str(path), order="files", deduplicate=False)
    plain = [document.text for document in read_documents(in_order)]
    found = [document.text for document in read_documents(
        CorpusSettings(corpus=str(path), deduplicate=False)
    )]  # fmt: skip
    assert sorted(found) == sorted(plain)
    assert len(plain) == 9000
    # The first are from all over the table.
    places = sorted(int(text.split(",")[0].removeprefix("row ")) for text in found[:200])
    assert places[0] < 900
    assert places[-1] > 8100
    assert found != plain


def test_place_of_a_row_in_a_stretch__is_that_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = [json.dumps({"text": f"text {n} " * 20}) for n in range(4000)]
    lines[3210] = "{no JSON"
    path.write_text("\n".join(lines))
    corpus = Corpus(CorpusSettings(corpus=str(path)))
    assert len(list(corpus)) == 3999
    assert corpus.report.first_bad is not None
    assert corpus.report.first_bad.what.startswith("Line 3,211 of")


def lines(name: str, count: int = 400) -> bytes:
    rows = ({"text": f"{name} {number} " + "of the same words " * 30} for number in range(count))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_packed_file__gives_as_much_as_it_holds_and_not_as_it_takes_on_the_disk(
    tmp_path: Path,
) -> None:
    (tmp_path / "plain.jsonl").write_bytes(lines("plain"))
    for name, pack in (("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)):
        (tmp_path / f"packed.jsonl.{name}").write_bytes(pack(lines(name)))
    rows = [json.loads(line) for line in lines("array").splitlines()]
    (tmp_path / "array.json").write_text(json.dumps(rows))
    documents = list(Corpus(CorpusSettings(corpus=str(tmp_path))))
    assert len(documents) == 2000
    half = Counter(document.text.split()[0] for document in documents[:1000])
    for name in ("plain", "gz", "xz", "bz2", "array"):
        assert half[name] == pytest.approx(200, rel=0.15)


@pytest.mark.parametrize("folder", [False, True])
def test_file_too_large_to_be_mixed_as_a_whole__is_named(
    tmp_path: Path, folder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(lines("packed")))
    if folder:
        (tmp_path / "short.txt").write_text("a text")
    settings = CorpusSettings(corpus=str(tmp_path if folder else packed))

    def notes() -> list[str]:
        corpus = Corpus(settings)
        assert list(corpus)
        return [note for note in corpus.report.notes() if "stretches" in note]

    assert notes() == []
    monkeypatch.setattr(mixing, "AHEAD_CHARACTERS", 100_000)
    (note,) = notes()
    assert note.startswith("“packed.jsonl.gz” can only be read from the beginning to the end.")
    assert f"about {50_000 if folder else 100_000:,} characters" in note
    in_order = Corpus(CorpusSettings(corpus=settings.corpus, order="files"))
    assert list(in_order)
    assert in_order.report.notes() == []
