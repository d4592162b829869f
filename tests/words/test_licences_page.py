"""The page of licences: every package the program needs, and every notice that ships."""

from __future__ import annotations

import re
import tomllib
from email.message import Message
from pathlib import Path

import pytest

from sae_desktop import __version__
from sae_desktop.resources import resource_path
from sae_desktop.words.manual.contents import Manual
from sae_desktop.words.manual.licences_page import licence, licences_page, notices, packages

ROOT = Path(__file__).parents[2]


def test_packages__are_those_of_the_project_and_what_they_need() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        re.match(r"[\w.-]+", line).group().lower() for line in table["project"]["dependencies"]
    }  # type: ignore[union-attr]
    named = {one.name.lower().replace("_", "-") for one in packages()}
    assert asked <= named
    assert "markupsafe" in named  # of jinja2
    assert "sae-desktop" not in named
    assert not {"pytest", "ruff", "mypy"} & named  # of an extra


def test_page__has_a_licence_for_every_package_and_the_whole_of_every_notice() -> None:
    page = licences_page()
    rows = re.findall(r"^\| (\S+) \| \S+ \| (.+) \|$", page, re.MULTILINE)
    assert len(rows) == len(packages()) + 1  # and the head
    assert [name for name, told in rows if told == "not told by the package"] == []
    assert "MIT License" in page.partition("## Packages")[0]
    assert len(notices()) == len(list(resource_path("").rglob("NOTICE"))) >= 4
    for notice in notices().values():
        assert notice.read_text(encoding="utf-8").strip("\n") in page


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"License-Expression": "MIT", "License": "the MIT licence"}, "MIT"),
        ({"License": "BSD", "Classifier": "License :: OSI Approved :: BSD License"}, "BSD"),
        ({"License": "Copyright …\n\nRedistribution", "Classifier": "License :: OSI Approved :: "
          "ISC License"}, "ISC License"),
        ({"License": "All of this may be copied\nas often as you like"},
         "All of this may be copied"),
        ({}, "not told by the package"),
    ],
)  # fmt: skip
def test_licence__is_what_the_package_says_of_itself(fields: dict[str, str], told: str) -> None:
    metadata = Message()
    for name, value in fields.items():
        metadata[name] = value
    assert licence(metadata) == told  # type: ignore[arg-type]


def test_changes__tell_of_this_version_first() -> None:
    text = Manual().page("changes").text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[0] == __version__
