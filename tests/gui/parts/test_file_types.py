"""A double click on a package opens it: the desktop is told, in the user's own folders."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sae_desktop import launch
from sae_desktop.errors import UserError
from sae_desktop.gui.parts import file_types
from sae_desktop.storage.own_folders import desktop_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="desktop entries are Linux's")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "data"


def entry_of(data: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(data / "applications" / desktop_files()[1].name)
    return parser["Desktop Entry"]


def test_associate__tells_the_desktop_what_opens_a_package(data: Path) -> None:
    written = file_types.associate()
    assert all(Path(path).is_file() for path in written)
    entry = entry_of(data)
    assert entry["MimeType"] == f"{file_types.MIME_TYPE};"
    assert entry["Exec"] == f'"{sys.executable}" "-P" "{launch.__file__}" "sae_desktop" %f'
    (kind,) = ET.parse(data / "mime" / "packages" / "sae-desktop.xml").getroot()
    globs = [child.get("pattern") for child in kind if child.tag.endswith("glob")]
    assert (kind.get("type"), globs) == (file_types.MIME_TYPE, ["*.saepack"])
    assert file_types.associate() == written  # again, and nothing doubles


@pytest.mark.skipif(
    not all(map(shutil.which, ("update-mime-database", "xdg-mime", "gio"))),
    reason="the tools of a desktop are not installed",
)
def test_package__is_known_to_the_desktop(data: Path, tmp_path: Path) -> None:
    file_types.associate()
    package = tmp_path / "d.saepack"
    package.write_bytes(b"PK\x03\x04")

    def told(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert file_types.MIME_TYPE in told("gio", "info", "-a", "standard::content-type", str(package))
    assert (
        told("xdg-mime", "query", "default", file_types.MIME_TYPE).strip()
        == desktop_files()[1].name
    )


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/opt/my python/bin/python3", '"/opt/my python/bin/python3"'),
        ('/a"b/$x/100%', '"/a\\\\"b/\\\\$x/100%%"'),
    ],
)
def test_exec__escapes_what_the_desktop_would_read(
    data: Path, monkeypatch: pytest.MonkeyPatch, path: str, written: str
) -> None:
    monkeypatch.setattr(sys, "executable", path)
    file_types.associate()
    assert entry_of(data)["Exec"].startswith(written)


def test_associate__on_macos_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UserError, match="application bundle"):
        file_types.associate()
