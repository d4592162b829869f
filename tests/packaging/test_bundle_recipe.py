"""What a bundle takes along: all that the program needs, and nothing that only builds or tests."""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from sae_desktop import resources

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "packaging" / "bundle"
SHARE = BUNDLE / "linux" / "share"
sys.path.insert(0, str(BUNDLE))

import parts  # noqa: E402

OPTIONAL = {
    # Imported only where the person has installed them: extras, and Windows' own.
    "bitsandbytes", "sae_lens", "winreg", "mypy",
}  # fmt: skip


def imported_by_program() -> set[str]:
    """The top-level names of everything that the program's code imports."""
    names: set[str] = set()
    for path in (ROOT / "sae_desktop").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"sae_desktop"}


@pytest.fixture(scope="module")
def places() -> dict[str, str]:
    """Each place below the bundle's folder, with the package that the file is of."""
    return {place.as_posix(): name for name, _, place in parts.all_files()}


def test_bundle__has_every_package_that_the_program_imports() -> None:
    taken = set(parts.distributions())
    owners = packages_distributions()
    for name in imported_by_program() - OPTIONAL:
        found = {canonicalize_name(owner) for owner in owners.get(name, [])}
        assert found & taken, f"{name} is imported, and no package of the bundle has it"


def test_bundle__has_every_module_and_resource_of_the_program(places: dict[str, str]) -> None:
    for path in (ROOT / "sae_desktop").rglob("*.py"):
        assert f"sae_desktop/{path.relative_to(ROOT / 'sae_desktop').as_posix()}" in places
    for needed in resources.NEEDED:
        start = f"sae_desktop/_resources/{needed}"
        assert any(place == start or place.startswith(f"{start}/") for place in places), needed


@pytest.mark.parametrize(
    "place",
    [
        "torch/__init__.py", "torch/testing/__init__.py", "torch/bin/torch_shm_manager",
        "numpy/testing/__init__.py", "PySide6/QtWidgets.abi3.so",
        "PySide6/Qt/plugins/platforms/libqxcb.so", "PySide6/Qt/lib/libQt6XcbQpa.so.6",
        "transformers/models/llama/modeling_llama.py", "pip/__main__.py",
    ],
)  # fmt: skip
def test_files__that_the_program_needs_are_taken(place: str) -> None:
    assert parts.is_needed(place)


@pytest.mark.parametrize(
    "place",
    [
        "torch/include/ATen/ATen.h", "torch/test/test_jit", "torch/bin/protoc",
        "sklearn/tree/tests/test_tree.py", "numpy/_core/include/numpy/arrayobject.h",
        "PySide6/designer", "PySide6/Qt/lib/libQt6Quick.so.6", "PySide6/Qt/qml/QtQuick/qmldir",
        "PySide6/QtQml.abi3.so", "pyqtgraph/examples/Plotting.py", "../../../bin/sae-desktop",
    ],
)  # fmt: skip
def test_files__that_only_build_or_test_are_left_out(place: str) -> None:
    assert not parts.is_needed(place)


def test_bundle__has_a_licence_of_every_package(places: dict[str, str]) -> None:
    described = {name for place, name in places.items() if place.endswith(".dist-info/METADATA")}
    assert described == set(parts.distributions())


def test_standard_library__is_left_to_pyinstaller(places: dict[str, str]) -> None:
    left = set(parts.excluded_names())
    assert {"torch", "transformers", "PySide6", "sae_desktop", "sklearn"} <= left
    assert not left & set(sys.stdlib_module_names)


def test_desktop_files__name_the_same_program_and_kind() -> None:
    from sae_desktop.gui.parts.file_types import MIME_TYPE

    entry = configparser.ConfigParser(interpolation=None)
    entry.read(SHARE / "applications" / "sae-desktop.desktop")
    told = entry["Desktop Entry"]
    kind = ET.parse(SHARE / "mime" / "packages" / "sae-desktop.xml").getroot()[0]
    info = ET.parse(SHARE / "metainfo" / "sae-desktop.metainfo.xml").getroot()
    assert told["mimetype"] == f"{MIME_TYPE};"
    assert kind.get("type") == MIME_TYPE == info.findtext("provides/mediatype")
    assert info.findtext("launchable") == "sae-desktop.desktop"
    assert told["icon"] == info.findtext("icon") == "sae-desktop"


@pytest.mark.skipif(sys.platform != "linux", reason="the script is Linux's")
def test_install__tells_the_desktop_and_takes_it_back(tmp_path: Path) -> None:
    bundle, home = tmp_path / "my programs", tmp_path / "home"
    bundle.mkdir()
    subprocess.run(["cp", "-R", SHARE, BUNDLE / "linux" / "install.sh", bundle], check=True)

    def run(*arguments: str) -> None:
        environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        script = [str(bundle / "install.sh"), *arguments]
        subprocess.run(script, env=environment, check=True, capture_output=True)

    run()
    entry = home / ".local" / "share" / "applications" / "sae-desktop.desktop"
    assert f'Exec="{bundle}/sae-desktop" %f\n' in entry.read_text()
    link = home / ".local" / "bin" / "sae-desktop"
    assert link.readlink() == bundle / "sae-desktop"
    run("--remove")
    assert not entry.exists()
    assert not link.is_symlink()
