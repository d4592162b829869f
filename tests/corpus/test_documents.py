"""Corpora are read as they are, in a fixed order, or refused with the place of the fault."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest

from sae_desktop.corpus import documents
from sae_desktop.corpus.documents import read_documents
from sae_desktop.corpus.windows import Place, WindowPlan, windows
from sae_desktop.errors import UserError


def byte_ids(text: str) -> list[int]:
    return [byte + 10 for byte in text.encode()]


def test_folder__order_is_the_seeds(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.txt").write_text(f"text {number}")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    orders = [[d.text for d in read_documents(str(tmp_path), seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == [f"text {n}" for n in range(8)]
    assert next(read_documents(str(tmp_path))).source.endswith(".txt")


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.xz"])
def test_jsonl__keeps_source_language_and_title(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"text": "α", "source": "udhr", "language": "el", "title": "Α", "other": [1]},
        {"text": "  "},
        {"text": "b"},
    ]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    path = tmp_path / f"corpus{suffix}"
    packed = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.xz": lzma.compress}
    path.write_bytes(packed[suffix](data))
    first, second = read_documents(str(path))
    assert (first.text, first.source, first.language, first.title) == ("α", "udhr", "el", "Α")
    assert (second.ordinal, second.text, second.source) == (1, "b", path.name)


def test_big_text_file__comes_in_pieces_that_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "PIECE_CHARACTERS", 100)
    monkeypatch.setattr(documents, "_BLOCK", 7)  # blocks end inside characters
    text = "\n\n".join(f"Absatz {n}: größer und größer " * 2 for n in range(30))
    path = tmp_path / "big.txt"
    path.write_text(text, encoding="utf-8")
    pieces = list(read_documents(str(path)))
    assert "".join(p.text for p in pieces) == text
    assert len(pieces) > 10
    assert all(p.text.endswith("\n\n") for p in pieces[:-1])
    assert pieces[3].title == "big (part 4)"


@pytest.mark.parametrize("block", [4, 1 << 20])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_invalid_utf8__is_named_with_its_offset(
    tmp_path: Path, name: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_BLOCK", block)
    data = '{"text": "größe"}\n{"text": "'.encode() + b"caf\xe9 au lait" + b'"}\n'
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError, match="not UTF-8") as caught:
        list(read_documents(str(path)))
    assert f"offset {data.index(0xE9)} " in caught.value.what
    assert str(path) in caught.value.what
    assert "UTF-8" in caught.value.next_step


def test_text_cut_inside_a_character__is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes("abc ü".encode()[:-1])
    with pytest.raises(UserError, match="offset 4 "):
        list(read_documents(str(path)))


def test_missing_and_empty_corpora__are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no corpus"):
        list(read_documents(str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="holds no texts"):
        list(read_documents(str(tmp_path)))
    (tmp_path / "empty.txt").write_text(" \n")
    plan = WindowPlan(str(tmp_path / "empty.txt"), 0, 16, None)
    with pytest.raises(UserError, match="is empty"):
        list(windows(plan, byte_ids))
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"words": "b"}\n')
    with pytest.raises(UserError, match=r"Line 2 .* no column “text”"):
        list(read_documents(str(tmp_path / "bad.jsonl")))
    (tmp_path / "cut.jsonl.xz").write_bytes(lzma.compress(b'{"text": "a"}\n' * 999)[:-30])
    with pytest.raises(UserError, match="damaged"):
        list(read_documents(str(tmp_path / "cut.jsonl.xz")))


def test_windows__begin_with_bos_and_hold_one_document(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"text": "abcdefghij"}\n{"text": "xyz"}\n')
    found = list(windows(WindowPlan(str(path), 0, 5, bos_id=1), byte_ids))
    assert [(w.document.ordinal, w.offset, len(w.ids)) for w in found] == [
        (0, 0, 5),
        (0, 4, 5),
        (0, 8, 3),
        (1, 0, 4),
    ]
    assert all(w.ids[0] == 1 for w in found)
    assert [i for w in found[:3] for i in w.ids[1:]] == byte_ids("abcdefghij")


def test_windows__too_short_ones_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"text": "abcdef"}\n{"text": "x"}\n')
    found = list(windows(WindowPlan(str(path), 0, 5, None, minimum=2), byte_ids))
    assert [len(w.ids) for w in found] == [5]


def test_windows__read_on_from_a_place_without_tokenising_what_is_before(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text("".join(f'{{"text": "{"abc" * n}"}}\n' for n in range(1, 9)))
    plan = WindowPlan(str(path), 0, 5, bos_id=1)
    whole = list(windows(plan, byte_ids))
    seen: list[str] = []

    def encode(text: str) -> list[int]:
        seen.append(text)
        return byte_ids(text)

    for number, window in enumerate(whole):
        seen.clear()
        place = Place(window.document.ordinal, window.offset)
        assert list(windows(plan, encode, place)) == whole[number:]
        assert seen[0] == window.document.text
