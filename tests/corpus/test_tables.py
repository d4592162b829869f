"""Tables give the column of texts, keep the others as metadata, and list them where unsure."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pytest
from pyarrow import feather, parquet

from sae_desktop.corpus import json_text
from sae_desktop.corpus.columns import VALUE_CHARACTERS
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, Document, read_documents
from sae_desktop.errors import UserError

ROWS: list[dict[str, Any]] = [
    {"id": n, "body": f"text {n}\nof two lines, “quoted”", "source": f"s{n}", "lang": "el",
     "title": f"T{n}", "score": n / 4, "good": n % 2 == 0}
    for n in range(300)
]  # fmt: skip


def read(path: Path, **settings: Any) -> list[Document]:
    return list(read_documents(CorpusSettings(order="files", corpus=str(path), **settings)))


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_array(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=1))


def write_csv(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), dialect="excel")
        writer.writeheader()
        writer.writerows({**row, "good": json.dumps(row["good"])} for row in ROWS)


def write_tsv(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows({**row, "good": json.dumps(row["good"])} for row in ROWS)


def write_parquet(path: Path) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path, row_group_size=70)


def write_stream(path: Path) -> None:
    table = pyarrow.Table.from_pylist(ROWS)
    with pyarrow.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=90)


def write_feather(path: Path) -> None:
    feather.write_feather(pyarrow.Table.from_pylist(ROWS), path)


def write_dataset(path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(path)


WRITERS = {
    "c.jsonl": write_jsonl, "c.json": write_array, "lines.json": write_jsonl, "c.csv": write_csv,
    "c.tsv": write_tsv, "c.parquet": write_parquet, "c.arrow": write_stream,
    "c.feather": write_feather, "saved": write_dataset,
}  # fmt: skip
FORMATS = {
    "c.jsonl": "JSON lines", "c.json": "JSON array", "lines.json": "JSON lines", "c.csv": "CSV",
    "c.tsv": "CSV", "c.parquet": "Parquet", "c.arrow": "Arrow", "c.feather": "Arrow",
    "saved": "dataset saved by “datasets”",
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_table__gives_texts_tags_and_metadata(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    corpus = Corpus(CorpusSettings(order="files", corpus=str(tmp_path / name)))
    found = list(corpus)
    assert [d.text for d in found] == [row["body"] for row in ROWS]
    assert [d.ordinal for d in found] == list(range(len(ROWS)))
    seventh = found[7]
    assert (seventh.source, seventh.language, seventh.title) == ("s7", "el", "T7")
    assert seventh.metadata == {"id": "7", "score": "1.75", "good": "false"}
    assert corpus.report.format == FORMATS[name]
    assert corpus.report.column == "body"
    kinds = {column.name: column.kind for column in corpus.report.columns}
    assert (kinds["body"], kinds["source"], kinds["score"]) == ("text", "text", "other")
    assert kinds["id"] == "other"
    examples = {column.name: column.example for column in corpus.report.columns}
    assert examples["body"] == "text 0 of two lines, “quoted”"


@pytest.mark.parametrize("name", WRITERS)
def test_other_column__is_read_where_asked_for_and_the_columns_are_listed_where_missing(
    tmp_path: Path, name: str
) -> None:
    WRITERS[name](tmp_path / name)
    found = read(tmp_path / name, text_column="title", deduplicate=False)
    assert [d.text for d in found[:2]] == ["T0", "T1"]
    assert found[0].title == ""
    with pytest.raises(UserError, match="has no column “words”") as caught:
        read(tmp_path / name, text_column="words")
    assert "“id”, “body”, “source”, “lang”" in caught.value.next_step


def test_column__is_found_by_name_else_the_only_one_of_strings(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    for row, column in (
        ({"url": "u", "Content": "c", "other": "o"}, "Content"),
        ({"text": "t", "content": "c"}, "text"),
        ({"id": "1", "title": "t", "lang": "en", "utterance": "u", "n": 1}, "utterance"),
        ({"n": 1, "messages": [{"role": "user", "content": "hi"}], "id": "a"}, "messages"),
        ({"prompt": "p", "response": "r", "id": "1"}, "prompt + response"),
    ):
        path.write_text(json.dumps(row))
        corpus = Corpus(CorpusSettings(order="files", corpus=str(path)))
        assert len(list(corpus)) == 1
        assert corpus.report.column == column


def test_no_clear_column__lists_them(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"left": "a", "right": "b"}\n')
    with pytest.raises(UserError, match="not clear which column") as caught:
        read(path)
    assert "“left”, “right”" in caught.value.next_step
    path.write_text('{"left": 1, "right": [2]}\n')
    with pytest.raises(UserError, match="no column of texts"):
        read(path)
    with pytest.raises(UserError, match="Both a column of texts and a column of chats"):
        read(path, text_column="left", chat_column="right")


def test_long_values__are_cut_and_those_with_parts_left_out(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    row = {"text": "t", "note": "x" * 5000, "list": [1], "none": None, "map": {"a": 1}}
    path.write_text(json.dumps(row))
    assert read(path)[0].metadata == {"note": "x" * VALUE_CHARACTERS}


CHATS: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}],
    "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}],
    "parts": [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": "ho", "tool_calls": None},
    ],
    "columns": {"role": ["user", "assistant"], "content": ["hi", "ho"]},
}


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("column", CHATS)
def test_chats__are_messages_with_roles(tmp_path: Path, column: str, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    row = {"id": "a", "n": 3, column: CHATS[column]}
    if suffix == ".jsonl":
        path.write_text(json.dumps(row))
    elif column != "parts":  # Arrow has no lists of texts and parts
        parquet.write_table(pyarrow.Table.from_pylist([row]), path)
    else:
        return
    for settings in ({}, {"chat_column": column}):
        (found,) = read(path, **settings)
        assert [m[:2] for m in found.messages] == [("user", "hi"), ("assistant", "ho")]
        assert found.text == "user: hi\n\nassistant: ho"
        assert found.metadata == {"id": "a", "n": "3"}


def test_pair_of_columns__is_a_chat(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("question,answer,n\nwhy?,because,1\n")
    for settings in ({}, {"chat_column": "question + answer"}):
        (found,) = read(path, **settings)
        assert [m[:2] for m in found.messages] == [("user", "why?"), ("assistant", "because")]
        assert found.metadata == {"n": "1"}


def test_chats_that_differ_only_in_roles__are_no_duplicates(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    chats = [[{"role": role, "content": "hi"}] for role in ("user", "assistant", "user")]
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    assert [d.ordinal for d in read(path)] == [0, 1]


def test_column_of_another_kind__is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"messages": CHATS["messages"], "topic": "t"}))
    with pytest.raises(UserError, match=r"“topic” .* holds texts, not chats"):
        read(path, chat_column="topic")
    with pytest.raises(UserError, match=r"“messages” .* holds chats, not texts"):
        read(path, text_column="messages")


def test_broken_chat__is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    good = {"messages": [{"role": "user", "content": "hi"}]}
    path.write_text(json.dumps(good) + "\n" + json.dumps({"messages": ["hi"]}) + "\n")
    with pytest.raises(UserError, match=r"Line 2 .* not a list of messages"):
        read(path, skip_limit=0)
    corpus = Corpus(CorpusSettings(corpus=str(path)))
    assert len(list(corpus)) == 1
    assert corpus.report.notes()[0].startswith("One row could not be read and was left out. Line 2")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv__finds_its_delimiter(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "c.csv"
    rows = [["label", "text"], *([str(n), f"A text, with; signs {n}|"] for n in range(9))]
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    assert [d.text for d in read(path)] == [text for _, text in rows[1:]]


def test_csv_of_one_column__has_texts_with_commas(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text('text\n"one, two"\nthree\n')
    assert [d.text for d in read(path)] == ["one, two", "three"]


def test_csv_without_header__has_numbered_columns(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text('0,"I did not like it, at all."\n1,Good\n')
    assert [d.text for d in read(path)] == ["I did not like it, at all.", "Good"]
    assert [d.metadata for d in read(path)] == [{"column 1": "0"}, {"column 1": "1"}]
    path.write_text("positive,fine words\nnegative,other words\n")
    assert [d.text for d in read(path, text_column="column 2")] == ["fine words", "other words"]


def test_csv_with_ragged_rows__leaves_out_and_counts_those_with_more_fields(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.csv"
    path.write_text("text,n,note\nwhole,1,a\ncut, here,2,b\n\nshort,3\n")
    corpus = Corpus(CorpusSettings(order="files", corpus=str(path)))
    assert [d.text for d in corpus] == ["whole", "short"]
    assert corpus.report.notes() == ["Left out: 1 row with more fields than the header names."]


def test_csv_with_an_open_quotation_mark__is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sae_desktop.corpus.delimited.LINE_LIMIT", 1000)
    path = tmp_path / "c.csv"
    path.write_text('id,text\n1,fine\n2,"open\n' + "3,more words\n" * 500)
    with pytest.raises(UserError, match=r"Row 3 of .* cannot be read: field larger") as caught:
        read(path)
    assert "quotation mark" in caught.value.next_step


def test_json_array__is_read_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sae_desktop.corpus.decoding.BLOCK", 11)
    path = tmp_path / "c.json"
    path.write_text(json.dumps([*ROWS[:9], {"body": "größe [1, 2] {"}], ensure_ascii=False))
    expected = [row["body"] for row in ROWS[:9]] + ["größe [1, 2] {"]
    assert [d.text for d in read(path)] == expected


def test_json_array_that_ends_or_breaks__is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.json"
    path.write_text('[{"text": "a"}, {"text": "b"')
    documents = read_documents(CorpusSettings(order="files", corpus=str(path)))
    assert next(documents).text == "a"
    with pytest.raises(UserError, match=r"Entry 2 .* not valid JSON"):
        next(documents)
    path.write_text('[{"text": "a"}, {"text": b}]')
    with pytest.raises(UserError, match=r"Entry 2 .* not valid JSON"):
        read(path)
    monkeypatch.setattr(json_text, "LINE_LIMIT", 1000)
    monkeypatch.setattr("sae_desktop.corpus.decoding.BLOCK", 100)
    path.write_text(json.dumps([{"text": "a"}, {"text": "b" * 5000}, {"text": "c"}]))
    with pytest.raises(UserError, match=r"Entry 2 .* longer than"):
        read(path)


def test_json_object__is_no_list_of_documents(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"data": ROWS[:2]}, indent=1))
    with pytest.raises(UserError, match="a single JSON object, not a list"):
        read(path)


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("name", ["c.parquet", "c.arrow"])
def test_empty_column__is_named(tmp_path: Path, name: str, rows: int) -> None:
    path = tmp_path / name
    for kind in (pyarrow.string(), pyarrow.null()):
        table = pyarrow.table(
            {"text": pyarrow.array([None] * rows, kind), "n": pyarrow.array([1] * rows)}
        )
        if name.endswith("parquet"):
            parquet.write_table(table, path)
        else:
            with pyarrow.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table)
        with pytest.raises(UserError, match=r"The column “text” of .* is empty") as caught:
            read(path)
        assert ("no rows" if not rows else "all 3 of its values") in caught.value.what


@pytest.mark.parametrize("name", ["c.parquet", "c.arrow", "c.feather"])
def test_truncated_and_foreign_files__are_damaged(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:40], b"", b"something else entirely"):
        path.write_bytes(data)
        with pytest.raises(UserError, match="damaged") as caught:
            read(path)
        assert str(path) in caught.value.what


def test_splits_of_a_saved_dataset__are_chosen_and_listed(tmp_path: Path) -> None:
    parts = {
        "train": datasets.Dataset.from_list(ROWS[:5]),
        "test": datasets.Dataset.from_list(ROWS[5:7]),
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "d")
    assert len(read(tmp_path / "d")) == 5
    assert [d.text for d in read(tmp_path / "d", split="test")] == [r["body"] for r in ROWS[5:7]]
    with pytest.raises(UserError, match="no split “dev”") as caught:
        read(tmp_path / "d", split="dev")
    assert "“train”, “test”" in caught.value.next_step
    next((tmp_path / "d/test").glob("*.arrow")).unlink()
    with pytest.raises(UserError, match="is missing its file"):
        read(tmp_path / "d", split="test")


def test_shards_of_a_saved_dataset__come_in_the_seeds_order(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "d", num_shards=5)
    orders = [[d.text for d in read(tmp_path / "d", seed=seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == sorted(row["body"] for row in ROWS)


def _write_rows(path: Path, rows: list[object]) -> CorpusSettings:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return CorpusSettings(corpus=str(path), skip_limit=0.1)


def test_bad_rows__are_left_out_up_to_the_share_that_may_be(tmp_path: Path) -> None:
    rows: list[object] = [{"text": f"text {n}"} for n in range(300)]
    rows[::15] = [{"text": n} for n in range(20)]
    corpus = Corpus(_write_rows(tmp_path / "few.jsonl", rows))
    assert len(list(corpus)) == 280
    assert corpus.report.bad == 20
    rows[::5] = [{"text": n} for n in range(60)]
    with pytest.raises(UserError, match=r"more than the share of 0\.1 that may") as caught:
        list(Corpus(_write_rows(tmp_path / "many.jsonl", rows)))
    assert "Line " in caught.value.what
    assert "allow more to be left out" in caught.value.next_step


def test_table_of_bad_rows_alone__is_refused_with_the_first(tmp_path: Path) -> None:
    settings = _write_rows(tmp_path / "c.jsonl", [{"text": 1}, {"text": 2}, {"text": 3}])
    with pytest.raises(UserError, match=r"no column of texts"):
        list(Corpus(settings))
    settings = _write_rows(tmp_path / "d.jsonl", [{"text": None}] * 20 + [{"text": 2}, {"text": 3}])
    with pytest.raises(UserError, match=r"Line 21 .* has a number"):
        list(Corpus(settings))


def test_damaged_file_of_a_folder__is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    corpus = Corpus(CorpusSettings(corpus=str(tmp_path)))
    assert [document.text for document in corpus] == ["good"]
    assert "bad.txt” is not UTF-8" in corpus.report.notes()[0]


def test_columns__may_be_named_for_each_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,headline,body\n1,h,text a\n2,i,text b\n")
    (tmp_path / "b.csv").write_text("id,summary,review\n1,s,text c\n2,t,text d\n")
    one = Corpus(CorpusSettings(corpus=str(tmp_path), text_column="body"))
    assert sorted(document.text for document in one) == ["text a", "text b"]
    assert any("Tables not read: “" in note and "b.csv" in note
               for note in one.report.notes())  # fmt: skip
    both = Corpus(CorpusSettings(corpus=str(tmp_path), text_column="body | review"))
    assert sorted(document.text for document in both) == [f"text {c}" for c in "abcd"]
    assert {(Path(table.name).name, table.column) for table in both.report.tables} == {
        ("a.csv", "body"),
        ("b.csv", "review"),
    }
