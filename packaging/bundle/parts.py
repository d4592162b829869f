"""What a bundle is made of, and what of the installed packages it leaves out.

Packages are taken whole, as pip has installed them, from the list of what the program requires:
PyInstaller guesses what a program needs from its imports, and torch, transformers and this program
import by names that are made while they run. As plain files they also can be exchanged (torch with
CUDA in place of torch) and added to (plug-ins), and bring their licences along.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "sae-desktop"
EXTRAS = frozenset({"mcp"})
"""Of the program, that a bundle has: agents are answered without installing anything."""
BESIDE = ("pip",)
"""Fetches models that only the package index has (`language_model/files/get.py`), and plug-ins."""

_NOT_NEEDED = re.compile(
    r"""
    # headers, sources and stubs: nothing is compiled or type-checked there
    .*\.(h|hpp|hxx|cuh|pxd|pyx|pyi|c|cc|cpp|a|lib|cmake|f90|tp)$
    | .*\.(cpp|c|h|pyx|pxd|py)\.(in|tp)$
    | torch/(include|test|share)/.*
    | torch/bin/(?!torch_shm_manager).*
    | pyarrow/(include|src)/.*
    | pyarrow/libarrow_(flight|substrait)\..* | pyarrow/_(flight|substrait)\..*
    # tests of libraries
    | (pandas|scipy|sklearn|sympy|networkx|h5py|numba|pyarrow|umap|pyqtgraph|joblib|threadpoolctl
       |fsspec|dill|multiprocess|greenlet|llvmlite|numpy|numkong|pynndescent)/(.*/)?tests?/.*
    | .*/conftest\.py$
    # examples
    | pyqtgraph/examples/.* | numba/(cuda/tests|runtests)/.*
    # programs in folders of their own, which are started by `sae-desktop`
    | \.\./.*
    """,
    re.VERBOSE,
)
_QT_NEEDED = re.compile(
    r"""
    PySide6/(__init__|_config|_git_pyside_version)\.py
    | PySide6/(support|typesystems)?/?[^/]*\.py
    | PySide6/support/.*
    | PySide6/Qt(Core|Gui|Widgets|Svg|Test|DBus|Network|OpenGL|OpenGLWidgets)\.(abi3\.so|pyd)
    | PySide6/libpyside6\..* | PySide6/pyside6\.abi3\.dll
    | PySide6/Qt/lib/libQt6(Core|Gui|Widgets|Svg|Test|DBus|Network|OpenGL|OpenGLWidgets|XcbQpa
        |WaylandClient|WaylandEglClientHwIntegration|WlShellIntegration)\.so.*
    | PySide6/Qt/lib/libicu.*
    | PySide6/Qt6(Core|Gui|Widgets|Svg|Test|DBus|Network|OpenGL|OpenGLWidgets)\.dll
    | PySide6/(msvcp|vcruntime|concrt|icu|opengl32sw).*\.dll
    | PySide6/Qt/lib/Qt(Core|Gui|Widgets|Svg|Test|DBus|Network|OpenGL|OpenGLWidgets)\.framework/.*
    | PySide6/(Qt/)?plugins/(platforms|imageformats|iconengines|styles|platformthemes
        |platforminputcontexts|xcbglintegrations|wayland-[a-z-]*|tls)/.*
    | PySide6/(Qt/)?translations/qtbase_.*\.qm
    """,
    re.VERBOSE,
)
"""Of PySide6-Essentials, which is Qt Quick, QML, Designer and their tools for the most part."""

_STANDARD_LEFT_OUT = frozenset(
    {"antigravity", "ensurepip", "idlelib", "lib2to3", "pip", "test", "this", "tkinter",
     "turtle", "turtledemo", "venv", "_tkinter"}
)  # fmt: skip
_XCB_PLUGIN = "PySide6/Qt/plugins/platforms/libqxcb.so"
_BROUGHT = re.compile(r"libxcb-.*|libxkbcommon.*")
"""What Qt's X11 plugin links to and a plain desktop may lack; the rest belongs to the system."""


def distributions() -> dict[str, Distribution]:
    """Return what the program requires here, and what those require, by canonical name.

    Raises PackageNotFoundError with the name of one that is not installed.
    """
    found: dict[str, Distribution] = {}
    asked: set[tuple[str, frozenset[str]]] = set()

    def add(name: str, extras: frozenset[str]) -> None:
        key = canonicalize_name(name)
        if (key, extras) in asked:
            return
        asked.add((key, extras))
        found[key] = one = distribution(name)
        for line in _stated(extras) if key == PROGRAM else one.requires or ():
            needed = Requirement(line)
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in extras or {""}):
                add(needed.name, frozenset(needed.extras))

    add(PROGRAM, EXTRAS)
    for name in BESIDE:
        add(name, frozenset())
    return found


def _stated(extras: frozenset[str]) -> list[str]:
    """Return what the checkout states, which an editable installation may be behind of."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = stated["optional-dependencies"]
    return [*stated["dependencies"], *(line for extra in extras for line in optional[extra])]


def is_needed(path: str) -> bool:
    """Whether a file of a package is taken; its path is from `site-packages`, with `/`."""
    if path.startswith("PySide6/") and not _QT_NEEDED.fullmatch(path):
        return False
    return not _NOT_NEEDED.fullmatch(path)


def package_files(one: Distribution) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield where each needed file of a package is, and where it goes below the bundle's folder."""
    for file in one.files or ():
        name = file.as_posix()
        if name.endswith((".pyc", "direct_url.json", "RECORD", "REQUESTED")):
            continue
        if is_needed(name):
            yield Path(str(one.locate_file(file))), PurePosixPath(name)


def program_files() -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield the files of the program itself and of its resources."""
    for folder, place in (("sae_desktop", "sae_desktop"), ("resources", "sae_desktop/_resources")):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, PurePosixPath(place, path.relative_to(ROOT / folder).as_posix())


def all_files() -> Iterator[tuple[str, Path, PurePosixPath]]:
    """Yield all that lies beside the executable: the package it is of, where it is, its place."""
    for name, one in distributions().items():
        if name == PROGRAM:
            metadata = [f for f in one.files or () if f.parent.suffix == ".dist-info"]
            for file in metadata:
                if file.name in ("METADATA", "entry_points.txt"):
                    place = PurePosixPath(file.as_posix())
                    yield name, Path(str(one.locate_file(file))), place
            yield from ((name, *pair) for pair in program_files())
        else:
            yield from ((name, *pair) for pair in package_files(one))


def excluded_names() -> list[str]:
    """Return the top-level modules that PyInstaller leaves to `all_files`."""
    names = {"sae_desktop", "pkg_resources"}
    for one in distributions().values():
        for file in one.files or ():
            if file.suffix in (".py", ".so", ".pyd") and ".." not in file.parts:
                names.add(file.parts[0].partition(".")[0])
    return sorted(names - set(sys.stdlib_module_names))


def standard_library() -> list[str]:
    """Return all of Python's own library that a program without a screen of Tk may import."""
    from PyInstaller.utils.hooks import collect_submodules

    names: list[str] = []
    for name in sorted(sys.stdlib_module_names - _STANDARD_LEFT_OUT):
        names.append(name)
        names += [found for found in collect_submodules(name) if ".test" not in found]
    return names


def linked_libraries() -> list[Path]:
    """Return the libraries of the system that Qt's X11 plugin needs and a bundle brings along."""
    if sys.platform != "linux":
        return []
    try:
        plugin = distribution("PySide6-Essentials").locate_file(_XCB_PLUGIN)
    except PackageNotFoundError:
        return []
    told = subprocess.run(["ldd", str(plugin)], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\s*(\S+) => (/\S+)", told, re.MULTILINE)
    return [Path(path) for name, path in found if _BROUGHT.match(name)]
