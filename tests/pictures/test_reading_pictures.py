"""Pictures come in upright and in RGB, or are refused by name, in bounded memory."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sae_desktop.errors import UserError
from sae_desktop.pictures.reading import read_picture

DRAWN = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        whole = name + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    told = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1_000_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", told) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_lossless_formats__are_read_as_they_are(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    grey = Image.fromarray(DRAWN[:, :, 0]) if kind == "GIF" else Image.fromarray(DRAWN)
    found = read_picture(saved(grey, kind, **options))

    assert (found.format, found.image.mode, found.notes) == (kind, "RGB", ())
    assert np.array_equal(np.asarray(found.image), np.asarray(grey.convert("RGB")))


def test_a_picture_of_one_pixel__is_read() -> None:
    found = read_picture(saved(Image.new("RGB", (1, 1), (7, 8, 9))))

    assert found.image.getpixel((0, 0)) == (7, 8, 9)
    assert len(found.digest) == 64


def test_a_camera_that_was_turned__is_made_good() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the right-hand side is the top
    found = read_picture(saved(Image.fromarray(DRAWN), exif=exif))

    assert found.image.size == (6, 9)
    assert np.array_equal(np.asarray(found.image), np.rot90(DRAWN, -1))
    assert found.notes == ("turned upright, as its camera says",)


def test_16_bits__are_cut_to_the_upper_8() -> None:
    deep = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    found = read_picture(saved(Image.fromarray(deep)))

    assert np.asarray(found.image)[0, :, 0].tolist() == [0, 0, 1, 255]
    assert found.notes == ("16 bits for each pixel cut to 8",)


def test_printing_colours__are_turned_into_screen_colours() -> None:
    found = read_picture(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))

    red, green, blue = found.image.getpixel((4, 4))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 16
    assert found.notes == ("printing colours turned into screen colours",)


def test_what_is_transparent__is_white() -> None:
    found = read_picture(saved(Image.new("RGBA", (2, 2), (10, 20, 30, 0))))

    assert found.image.getpixel((0, 0)) == (255, 255, 255)
    assert found.notes == ("laid on white where it is transparent",)


def test_of_an_animation__the_first_picture_is_read() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    found = read_picture(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert found.image.getpixel((0, 0)) == (255, 0, 0)
    assert found.notes == ("the first picture of an animation",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
        (b"  <svg/>", "is an SVG drawing"),
        (b"%PDF-1.7 ...", "is a PDF document"),
        (b"just words", "is not a picture that can be read"),
        (b"", "is not a picture that can be read"),
        (png_header(30_000, 30_000), "has more than 80,000,000 pixels"),
        (png_header(29_000, 2_900), "has 29,000 × 2,900 pixels"),
        (png_header(30_001, 1), "has 30,001 × 1 pixels"),
        (png_header(2_000, 2_000), "is damaged or cut short"),
        (saved(Image.new("F", (4, 4)), "TIFF"), "holds numbers of 32 bits"),
    ],
)
def test_what_cannot_be_read__is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=f"“here.png” {message}"):
        read_picture(data, "here.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_that_is_cut_short__is_never_read_in_part(kind: str) -> None:
    large = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = saved(Image.fromarray(large), kind)

    for part in (0.3, 0.6, 0.9):
        with pytest.raises(UserError, match=r"damaged or cut short|not a picture"):
            read_picture(whole[: int(len(whole) * part)], "a")


def test_paths__that_are_gone_or_are_no_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no file .*gone\.png"):
        read_picture(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")
    for place in (tmp_path, tmp_path / "pipe.png"):
        with pytest.raises(UserError, match="is not a file"):
            read_picture(place)


def test_a_file_beyond_the_limit__is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(10**12)

    with pytest.raises(UserError, match="has 1,000,000,000,000 bytes"):
        read_picture(path)
