"""One file as one text: texts as they stand, tables by their rows, never more than is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sae_desktop.corpus.one_text import text_of
from sae_desktop.errors import UserError


def test_text_file__is_given_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"text": "one"}')
    assert text_of(tmp_path / "a.json", 100) == '{"text": "one"}'


def test_table__gives_the_texts_of_its_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n\none,1\ntwo,2\n")
    assert text_of(tmp_path / "a.csv", 8) == "one\n\ntwo"


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", "ninechars"), ("a.csv", "text\none\ntwo\n")]
)
def test_longer_file__is_refused_by_its_name(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f"“{name}” ha(s|ve) more than 7 characters") as error:
        text_of(tmp_path / name, 7)
    assert error.value.next_step


def test_file__that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="not text"):
        text_of(tmp_path / "a.txt", 1000)


def test_table_without_texts__is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(UserError):
        text_of(tmp_path / "a.jsonl", 1000)
