"""Folders give what a person wrote in them, of every kind, and count what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, Document, corpus_bytes
from sae_desktop.errors import UserError


def opened(path: Path, **settings: Any) -> tuple[Corpus, dict[str, Document]]:
    """Return a corpus and its documents by source."""
    corpus = Corpus(CorpusSettings(order="files", corpus=str(path), **settings))
    return corpus, {document.source: document for document in corpus}


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_source_tree__gives_programs_with_their_language(tmp_path: Path) -> None:
    names = {
        "src/main.rs": "rust", "src/view.CPP": "c++", "run.py": "python",
        "web/app.tsx": "typescript", "Makefile": "makefile", "README.md": "",
        "docs/index.html": "", "settings.json": "json", "a.yaml": "yaml",
    }  # fmt: skip
    for name in names:
        put(tmp_path, name, f'{{"content of": "{name}"}}\n\n')
    _, found = opened(tmp_path)
    assert {source: d.language for source, d in found.items()} == names
    assert found["src/main.rs"].title == "main.rs"
    assert found["README.md"].title == "README"


def test_what_nobody_wrote__is_left_out_and_counted(tmp_path: Path) -> None:
    put(tmp_path, "package.json", '{\n "name": "x"\n}\n')
    put(tmp_path, "index.js", "let a = 1;\n")
    for name in ("node_modules/left/pad.js", "build/out.js", ".git/notes.txt", ".env"):
        put(tmp_path, name, "left out\n")
    put(tmp_path, "app.min.js", "let b=2\n")
    put(tmp_path, "bundle.js", "x=1;" * 5000)
    put(tmp_path, "package-lock.json", "{\n}\n")
    put(tmp_path, "big.c", "int a;\n" * 200_000)
    put(tmp_path, "renamed.txt", b"\x89PNG\r\n\x1a\n\0\0")
    put(tmp_path, "zeros.md", "text\n" * 20_000 + "\0")
    put(tmp_path, "model.safetensors", b"\0")
    put(tmp_path, "numbers.csv", "a,b\n1,2\n")
    corpus, found = opened(tmp_path)
    assert set(found) == {"package.json", "index.js", "zeros.md"} - {"zeros.md"}
    assert corpus.report.left_out == {
        "package and build folders": 2,
        "hidden files": 2,
        "generated or minified files": 4,
        "binary files": 2,
        "files of other types": 1,
        "tables without such a text column": 1,
    }
    assert corpus.report.notes() == [
        "Left out: 2 binary files, 1 file of other types, 4 generated or minified files, 2 hidden "
        "files, 2 package and build folders, 1 table without such a text column."
    ]


def test_folder_called_build__is_read_where_nothing_is_built(tmp_path: Path) -> None:
    put(tmp_path, "build/notes.txt", "about houses")
    _, found = opened(tmp_path)
    assert set(found) == {"build/notes.txt"}


def test_kinds__may_be_mixed(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", "plain")
    put(tmp_path, "b.jsonl", '{"text": "line", "source": "jsonl"}\n')
    put(tmp_path, "c.csv", "id,text\n1,cell\n")
    put(tmp_path, "d.json", json.dumps([{"text": "entry", "source": "array"}]))
    parquet.write_table(pyarrow.table({"text": ["row"], "source": ["parquet"]}), tmp_path / "e.pq")
    corpus, found = opened(tmp_path)
    assert {source: d.text for source, d in found.items()} == {
        "a.txt": "plain",
        "jsonl": "line",
        "c.csv": "cell",
        "array": "entry",
        "parquet": "row",
    }
    assert corpus.report.format.startswith("Folder: ")
    assert "JSON lines (1)" in corpus.report.format
    assert corpus_bytes(str(tmp_path)) == sum(f.stat().st_size for f in tmp_path.iterdir())


def test_folder_where_nothing_can_be_read__says_why(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", b"GIF89a\0")
    with pytest.raises(UserError, match="is a GIF picture, not text"):
        opened(tmp_path)
    put(tmp_path, "a.txt", "")
    put(tmp_path, "b.csv", "left,right\na,b\n")
    with pytest.raises(UserError, match="not clear which column"):
        opened(tmp_path)


def test_column_asked_for__need_not_be_in_every_table(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"body": "one", "text": "no"}\n')
    put(tmp_path, "b.jsonl", '{"text": "two"}\n')
    corpus, found = opened(tmp_path, text_column="body")
    assert [d.text for d in found.values()] == ["one"]
    assert corpus.report.left_out == {"tables without such a text column": 1}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "is a PNG picture"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"PK\x03\x04..", "is a ZIP archive"),
        (b"text and\0 a zero", "offset 8 is zero"),
        (b"t" * (1 << 20) + b"ext\0", "offset 1,048,579 is zero"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.unknown", "a.json"])
def test_binary_file__is_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    if name == "a.json" and data.startswith(b"t"):
        return  # is no JSON, and said to be none
    path = put(tmp_path, name, data)
    with pytest.raises(UserError, match=said) as caught:
        opened(path)
    assert str(path) in caught.value.what


def test_file_without_a_known_name__is_read_by_its_content(tmp_path: Path) -> None:
    path = put(tmp_path, "data.unknown", "plain")
    assert opened(path)[0].report.format == "text"
    put(tmp_path, "data.unknown", '{"text": "a"}\n{"text": "b"}\n')
    assert [d.text for d in opened(path)[0]] == ["a", "b"]
    parquet.write_table(pyarrow.table({"text": ["row"]}), path)
    assert opened(path)[0].report.format == "Parquet"


def test_splits_of_a_downloaded_data_set__are_kept_apart(tmp_path: Path) -> None:
    names = ("data/train-00000-of-2.jsonl", "data/train-1.jsonl", "data/test-0.jsonl", "dev/a.csv")
    for name in names:
        put(tmp_path, name, f"text\n{name}\n" if "csv" in name else f'{{"text": "{name}"}}\n')
    put(tmp_path, "README.md", "about training and test data")
    corpus, found = opened(tmp_path)
    assert set(found) == {*names[:2], "README.md"}
    assert corpus.report.left_out == {"tables of other splits": 2}
    assert set(opened(tmp_path, split="test")[1]) == {names[2], "README.md"}
    assert set(opened(tmp_path, split="validation")[1]) == {names[3], "README.md"}
    with pytest.raises(UserError, match="has no split “late”") as caught:
        opened(tmp_path, split="late")
    assert "“test”, “train”, “validation”" in caught.value.next_step


def test_names_that_only_sound_like_splits__are_read(tmp_path: Path) -> None:
    for name in ("trains.jsonl", "test.jsonl", "latest.jsonl", "training.txt"):
        put(tmp_path, name, f'{{"text": "{name}"}}\n')
    assert len(opened(tmp_path)[1]) == 4


def test_json_of_a_source_tree__is_a_table_only_where_it_names_texts(tmp_path: Path) -> None:
    put(tmp_path, "colours.json", '["red", "green"]')
    put(tmp_path, "people.json", '[{"name": "Ada", "born": 1815}]')
    put(tmp_path, "lines.json", '{"name": "Ada"}\n{"name": "Bea"}\n')
    put(tmp_path, "texts.json", '[{"text": "one"}, {"text": "two"}]')
    _, found = opened(tmp_path)
    assert {source: d.text for source, d in found.items()} == {
        "colours.json": '["red", "green"]',
        "people.json": '[{"name": "Ada", "born": 1815}]',
        "lines.json": '{"name": "Ada"}\n{"name": "Bea"}\n',
        "texts.json": "two",
    }
    assert found["people.json"].language == "json"
    _, found = opened(tmp_path, text_column="name")
    assert {source: found[source].text for source in ("people.json", "lines.json")} == {
        "people.json": "Ada",
        "lines.json": "Bea",
    }
