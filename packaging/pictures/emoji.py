"""Pictures of emoji by several artists, and what they are called in a hundred languages.

The packages come from npm through its ordinary client: the drawings of `emoji-datasource-twitter`
(graphics CC-BY 4.0) to learn from, with those of Fluent Emoji, flat and not (MIT), Emoji One 2 and
Streamline (CC-BY 4.0) and Firefox OS (Apache-2.0) where they have drawn the same; those of
`emoji-datasource-google` (Apache-2.0) and OpenMoji (CC-BY-SA 4.0) to be tested on; names and
keywords of Unicode's CLDR (Unicode licence).
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from tokenizers import Tokenizer

from sae_desktop.benchmark.kinds.instances import read_concepts

Artist = Literal[
    "twitter", "fluent-emoji-flat", "fluent-emoji", "emojione", "fxemoji", "streamline-emojis",
    "google", "openmoji",
]  # fmt: skip

LEARNT: tuple[Artist, ...] = (
    "twitter",
    "fluent-emoji-flat",
    "fluent-emoji",
    "emojione",
    "fxemoji",
    "streamline-emojis",
)
"""Artists whose drawings are learnt from."""
UNSEEN: tuple[Artist, ...] = ("google", "openmoji")
"""Artists whose drawings are only tested on."""
_OUTLINES: tuple[Artist, ...] = (*LEARNT[1:], *UNSEEN[1:])
"""Artists whose drawings come as outlines."""
PACKAGES = (
    "emoji-datasource-twitter",
    "emoji-datasource-google",
    *(f"@iconify-json/{artist}" for artist in _OUTLINES),
    "cldr-annotations-full",
    "cldr-annotations-derived-full",
    "cldr-localenames-full",
)
_NAMES = (
    ("cldr-annotations-full", "annotations"),
    ("cldr-annotations-derived-full", "annotationsDerived"),
)
_FEWEST_NAMES = 1500
"""A language with fewer emoji named is left out."""
_SIDE = 72
"""Pixels that outlines are drawn with, each way."""
MAIN = ("en", "de", "fr", "es", "ru")
"""Languages that come up far more often than any other."""
COUNTRIES = tuple(
    f"flag: {name}"
    for name in (
        "France", "Germany", "Japan", "Brazil", "Canada", "Italy", "Spain", "Russia", "China",
        "India", "United States", "United Kingdom", "Mexico", "Sweden", "Türkiye", "South Korea",
    )
)  # fmt: skip
_UNTAUGHT = ("People & Body", "Flags", "Component")
_MOST_TOKENS = 5
"""Of a name, on average over the main languages."""
_PLAIN = str.maketrans({"\u202f": "", "\u00a0": " ", "\ufe0f": ""})


@dataclass(frozen=True)
class Emoji:
    """One emoji of those both artists have drawn."""

    text: str
    file: str
    kind: str
    """Such as “Animals & Nature”."""
    names: dict[str, str]
    """By language, a BCP-47 tag."""
    words: dict[str, tuple[str, ...]]
    """Keywords by language; none where there are none."""


def fetch(cache_folder: Path) -> None:
    """Get and unpack the packages that are not there."""
    cache_folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        folder = cache_folder / package
        if folder.is_dir():
            continue
        folder.parent.mkdir(exist_ok=True)
        unpacked = cache_folder / f".{folder.name}"
        packed = subprocess.run(
            ["npm", "pack", "--silent", package],
            cwd=cache_folder, check=True, capture_output=True, text=True,
        ).stdout.split()[-1]  # fmt: skip
        with tarfile.open(cache_folder / packed) as file:
            file.extractall(unpacked, filter="data")
        (unpacked / "package").rename(folder)


def languages(cache_folder: Path) -> dict[str, str]:
    """Return tag → English name of the languages with names for most emoji."""
    told = _json(cache_folder / "cldr-localenames-full" / "main" / "en" / "languages.json")
    titles = told["main"]["en"]["localeDisplayNames"]["languages"]
    found = {}
    for folder in sorted((cache_folder / _NAMES[0][0] / _NAMES[0][1]).iterdir()):
        tag = folder.name
        # Regional variants say what their language says; a name is needed to ask in it.
        if "-" not in tag and tag in titles and len(_annotations(folder)) >= _FEWEST_NAMES:
            found[tag] = titles[tag]
    return found


def read(cache_folder: Path) -> list[Emoji]:
    """Return the emoji that both artists have drawn and that have an English name, in order."""
    tags = list(languages(cache_folder))
    named: dict[str, dict[str, dict[str, Any]]] = {tag: {} for tag in tags}
    for package, inner in _NAMES:
        for tag in tags:
            named[tag] |= _annotations(cache_folder / package / inner / tag)
    found = []
    for entry in _json(cache_folder / "emoji-datasource-twitter" / "emoji.json"):
        if not (entry["has_img_twitter"] and entry["has_img_google"]):
            continue
        text = _text(entry)
        key = text.replace("\ufe0f", "")
        told = {tag: named[tag][key] for tag in tags if key in named[tag]}
        names = {tag: _clean(one["tts"][0]) for tag, one in told.items() if one.get("tts")}
        words = {
            tag: tuple(map(_clean, one["default"])) for tag, one in told.items() if "default" in one
        }
        if "en" in names:
            found.append(Emoji(text, entry["image"], entry["category"], names, words))
    return sorted(found, key=lambda emoji: emoji.file)


def taught(cache_folder: Path, tokenizer: Tokenizer) -> list[Emoji]:
    """Return the emoji whose names are taught: few enough that a small model learns them well.

    Things with short names in the main languages, some countries, and what the concepts that
    features are tried on need.
    """
    everything = read(cache_folder)
    needed = {f"{code}.png" for concept in read_concepts() for code in concept.told.pictures}
    needed |= {one.file for one in everything if one.names["en"] in COUNTRIES}
    return [one for one in everything if one.file in needed or _is_short(one, tokenizer)]


def _is_short(emoji: Emoji, tokenizer: Tokenizer) -> bool:
    if emoji.kind in _UNTAUGHT or any(tag not in emoji.names for tag in MAIN):
        return False
    lengths = [len(tokenizer.encode(f" {emoji.names[tag]}").ids) for tag in MAIN]
    return sum(lengths) <= _MOST_TOKENS * len(MAIN)


def artists(cache_folder: Path, emoji: list[Emoji]) -> dict[str, tuple[Artist, ...]]:
    """Return by file which of the artists that are learnt from have drawn an emoji."""
    outlines = {artist: _outlines(cache_folder, artist) for artist in LEARNT[1:]}
    return {
        one.file: ("twitter", *(a for a, drawn in outlines.items() if one.file in drawn))
        for one in emoji
    }


@cache
def drawing(cache_folder: Path, artist: Artist, file: str) -> Image.Image:
    """Return a drawing of some 64 pixels each way, RGBA."""
    if artist in _OUTLINES:
        return _drawn(_outlines(cache_folder, artist)[file])
    path = cache_folder / f"emoji-datasource-{artist}" / "img" / artist / "64" / file
    with Image.open(path) as image:
        return image.convert("RGBA")


@cache
def _outlines(cache_folder: Path, artist: Artist) -> dict[str, str]:
    """Return by file the SVG of an artist, found by code point or by any of an emoji's names."""
    folder = cache_folder / "@iconify-json" / artist
    told, chars = _json(folder / "icons.json"), _json(folder / "chars.json")
    by_code = {_without_variation(code.lower()): name for code, name in chars.items()}
    icons: dict[str, dict[str, Any]] = dict(told["icons"])
    icons |= {
        name: icons[one["parent"]]
        for name, one in told.get("aliases", {}).items()
        if one["parent"] in icons
    }
    by_name = {_joined(name): name for name in icons}
    english: dict[str, dict[str, Any]] = {}
    for package, inner in _NAMES:
        english |= _annotations(cache_folder / package / inner / "en")
    found = {}
    for entry in _json(cache_folder / "emoji-datasource-twitter" / "emoji.json"):
        name = by_code.get(_without_variation(entry["image"].removesuffix(".png")))
        title = english.get(_text(entry).replace("\ufe0f", ""), {}).get("tts", [""])[0]
        for called in (title, *_flag(title), entry["name"] or "", *entry["short_names"]):
            name = name or by_name.get(_joined(called))
        if name in icons:
            icon = icons[name]
            wide, high = (icon.get(side, told.get(side, 16)) for side in ("width", "height"))
            found[entry["image"]] = (
                f'<svg xmlns="http://www.w3.org/2000/svg" '
                f'xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'viewBox="0 0 {wide} {high}">{icon["body"]}</svg>'
            )
    return found


def _flag(title: str) -> list[str]:
    """Return what the flag of a country is called by Emoji One."""
    country = title.removeprefix("flag: ")
    return [] if country == title else [f"flag for {country}", f"flag for flag {country}"]


def _drawn(svg: str) -> Image.Image:
    from PySide6.QtCore import QByteArray
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(_SIDE, _SIDE, QImage.Format.Format_RGBA8888)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    return Image.frombytes("RGBA", (_SIDE, _SIDE), bytes(image.constBits()))


def _without_variation(code: str) -> str:
    return "-".join(part for part in code.split("-") if part != "fe0f")


def _joined(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "", plain)


def _text(entry: dict[str, Any]) -> str:
    return "".join(chr(int(code, 16)) for code in entry["unified"].split("-"))


def _annotations(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "annotations.json"
    if not path.is_file():
        return {}
    told = _json(path)
    (inner,) = told.values()
    return {key.replace("\ufe0f", ""): one for key, one in inner.get("annotations", {}).items()}


@cache
def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _clean(text: str) -> str:
    return " ".join(text.translate(_PLAIN).split())
