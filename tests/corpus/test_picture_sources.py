"""Pictures and the words beside them come out of folders, archives and tables, and of no more."""

from __future__ import annotations

import base64
import csv
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sae_desktop.corpus.mixed import FoundPicture, MixedDocument, Refused
from sae_desktop.corpus.picture_sources import read_source
from sae_desktop.errors import UserError
from sae_desktop.pictures.reading import read_picture


def drawn(red: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (red, 0, 0)).save(out, "PNG")
    return out.getvalue()


def found(path: Path) -> list[Any]:
    """What is in a source: of a picture its red, of words themselves, of what is refused why."""
    items: list[Any] = []
    for item in read_source(path):
        if isinstance(item, Refused):
            items.append((item.name, item.why))
            continue
        parts: list[Any] = [part if isinstance(part, str) else red_of(part) for part in item.parts]
        items.append([item.name, *parts])
    return items


def red_of(part: FoundPicture) -> int:
    pixel = read_picture(part.held, part.name).image.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return int(pixel[0])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    return {
        "b.png": drawn(2),
        "b.txt": b"a word ",
        "in/a.PNG": drawn(1),
        "in/drawing.svg": b"<svg/>",
        "notes.md": b"nothing",
    }


EXPECTED = [["b.png", 2, "a word"], ["in/a.PNG", 1]]
SVG = ("in/drawing.svg", "SVG files are not read")


def test_a_folder__gives_its_pictures_with_the_words_beside_them(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    outside = tmp_path.parent / "outside.png"
    outside.write_bytes(drawn(9))
    (tmp_path / "link.png").symlink_to(outside)

    assert found(tmp_path) == [
        EXPECTED[0],
        ("link.png", "it is a link, which may lead out of the folder"),
        EXPECTED[1],
        SVG,
    ]


def test_a_zip_and_a_tar__give_what_their_folder_would(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert found(tmp_path / "a.zip") == [*EXPECTED, SVG]

    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        for name, data in files.items():
            told = tarfile.TarInfo(name)
            told.size = len(data)
            packed.addfile(told, io.BytesIO(data))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    items = found(tmp_path / "a.tar.gz")
    assert [item for item in items if isinstance(item, list)] == EXPECTED
    assert SVG in items
    assert ("link.png", "it is a link, which may lead out of the archive") in items


def test_a_bomb_in_a_zip__is_named_and_the_next_one_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(65_000_000))
        archive.writestr("b.png", drawn(3))

    assert found(tmp_path / "a.zip") == [
        ("a.png", "it has more than 64,000,000 bytes"),
        ["b.png", 3],
    ]


def test_a_zip_with_an_empty_name__is_read_past_it(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        nameless = zipfile.ZipInfo("a")
        nameless.filename = "\0"  # a reader ends a name there
        archive.writestr(nameless, b"")
        archive.writestr("b.png", drawn(3))
    told = out.getvalue()
    assert zipfile.ZipFile(io.BytesIO(told)).namelist()[0] == ""
    (tmp_path / "a.zip").write_bytes(told)

    assert found(tmp_path / "a.zip") == [["b.png", 3]]


def test_a_parquet_of_datasets__gives_its_pictures_and_captions(tmp_path: Path) -> None:
    cells = [{"bytes": drawn(n), "path": f"{n}.png"} for n in (1, 2)]
    table = pa.table({"image": [*cells, None], "caption": ["one", "", "three"]})
    pq.write_table(table, tmp_path / "a.parquet")

    assert found(tmp_path / "a.parquet") == [
        ["row 1", 1, "one"],
        ["row 2", 2],
        ("row 3", "it has no picture"),
    ]


def test_a_csv__names_pictures_below_its_own_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.png").write_bytes(drawn(1))
    (tmp_path / "secret.png").write_bytes(drawn(9))
    data = "data:image/png;base64," + base64.b64encode(drawn(5)).decode()
    with (tmp_path / "own" / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("image", "text"),
                ("1.png", "first, with a comma"),
                ("../secret.png", "upwards"),
                ("https://example.org/1.png", "far away"),
                (data, "inside"),
            ]
        )

    assert found(tmp_path / "own" / "a.csv") == [
        ["row 1", 1, "first, with a comma"],
        ("row 2", "“../secret.png” lies outside of the table’s folder"),
        ("row 3", "its picture is on the network, which is not asked"),
        ["row 4", 5, "inside"],
    ]


def test_pages__keep_words_and_pictures_in_their_order(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(drawn(number))
    rows: list[dict[str, Any]] = [
        {"content": [
            {"type": "text", "text": "before"},
            {"type": "image", "image": "1.png"},
            {"type": "text", "text": "between"},
            {"type": "image", "image": "2.png"},
        ]},
        {"texts": [None, "after"], "images": ["2.png", None]},
        {"texts": ["one"], "images": []},
        {"content": [{"type": "video"}]},
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\nbroken\n")

    items = found(tmp_path / "a.jsonl")
    assert items[:4] == [
        ["row 1", "before", 1, "between", 2],
        ["row 2", 2, "after"],
        ("row 3", "it has 1 texts beside 0 images"),
        ("row 4", "a part of it is of the type “video”"),
    ]
    assert items[4][0] == "row 5"


def test_a_table_without_pictures__is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,other\na,b\nc,d\n")

    with pytest.raises(UserError, match="has no column of pictures") as caught:
        list(read_source(tmp_path / "a.csv"))
    assert "Call it “image”" in caught.value.next_step


def test_a_source_that_is_gone__is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file or folder"):
        read_source(tmp_path / "gone")


def test_one_picture__is_a_source(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(drawn(4))
    (only,) = read_source(tmp_path / "a.png")

    assert isinstance(only, MixedDocument)
    assert found(tmp_path / "a.png") == [["a.png", 4]]


def test_a_folder__takes_words_from_the_table_that_describes_its_pictures(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.png").write_bytes(drawn(number))
    rows = [{"file_name": "2.png", "text": "two"}, {"file_name": "1.png", "text": "one"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "people.csv").write_text("name,age\nada,36\n")

    assert found(tmp_path) == [
        ["metadata.jsonl, row 1", 2, "two"],
        ["metadata.jsonl, row 2", 1, "one"],
        ["3.png", 3],
    ]


def test_a_folder_of_tables__gives_their_rows(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in (1, 2):
        table = pa.table({"image": [{"bytes": drawn(number), "path": None}], "text": ["word"]})
        pq.write_table(table, tmp_path / "data" / f"train-0000{number}.parquet")
    (tmp_path / "data" / "prices.csv").write_text("thing,price\ncup,2\n")

    assert found(tmp_path) == [
        ["data/train-00001.parquet, row 1", 1, "word"],
        ["data/train-00002.parquet, row 1", 2, "word"],
    ]
