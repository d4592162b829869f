"""Texts from boxes and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sae_desktop.errors import UserError
from sae_desktop.features.reading import text_lists
from sae_desktop.features.reading.text_lists import joined_texts, read_texts, split_texts

CODE = "def f(x):\n    return x"


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("", []),
        (" \n\n ", []),
        ("one\ntwo\r\nthree\n", ["one", "two", "three"]),
        (f"{CODE}\n\n\n  indented\n\nlast", [CODE, "  indented", "last"]),
        (f"{CODE}\n \nlast", [CODE, "last"]),
    ],
)
def test_texts__are_paragraphs_or_lines(text: str, texts: list[str]) -> None:
    assert split_texts(text) == texts


@pytest.mark.parametrize("texts", [["one", "two"], [CODE, "one"], [CODE, f"{CODE}\n{CODE}"]])
def test_joined_texts__are_split_into_the_same(texts: list[str]) -> None:
    assert split_texts(joined_texts(texts)) == texts


def test_files__are_read_by_their_ending(tmp_path: Path) -> None:
    lines, json_lines = tmp_path / "a.txt", tmp_path / "b.JSONL"
    lines.write_text("one\ntwo\n")
    json_lines.write_text('"one"\n\n{"text": "a\\n\\nb", "source": "x"}\n')
    assert read_texts(lines) == ["one", "two"]
    assert read_texts(json_lines) == ["one", "a\n\nb"]


def test_files__that_hold_no_texts_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "a.jsonl"
    for line in ("{", "3", '{"txt": "a"}'):
        bad.write_text(f'"fine"\n{line}\n')
        told: list[str] = []
        assert read_texts(bad, told.append) == ["fine"]
        assert told == [
            "One row could not be read and was left out. Line 2 of “a.jsonl” holds no text."
        ]
        bad.write_text(f"\n{line}\n")
        with pytest.raises(UserError, match=r"Line 2 of “a\.jsonl” holds no text"):
            read_texts(bad)
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("b.txt", "gone.txt"):
        with pytest.raises(UserError, match="cannot be read"):
            read_texts(tmp_path / name)
    monkeypatch.setattr(text_lists, "MOST_BYTES", 3)
    with pytest.raises(UserError, match="at most 3 can be read"):
        read_texts(bad)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files__are_read_in_the_encoding_they_name(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("größe\nmaß\n", encoding=encoding)
    assert read_texts(path) == ["größe", "maß"]
