"""Nothing that lies in the folder one stands in is run for bearing the name of a module."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import sae_desktop
from sae_desktop import launch
from sae_desktop.client.engine_client import engine_command
from sae_desktop.gui.parts.file_types import command as double_click

PACKAGE = Path(sae_desktop.__file__).parent
DECOY = "import os\nopen(os.environ['RAN'], 'a').write(__name__ + '\\n')\n"


def imported_names() -> set[str]:
    """The top-level names of all that the program's code imports, and what Python has."""
    names = set(sys.stdlib_module_names)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.split(".")[0])
    return names - {"os", "__main__"}


@pytest.fixture
def decoys(tmp_path: Path) -> Path:
    """A folder with a module of each of those names in it, which tells that it was run."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in imported_names() - {"sae_desktop"}:
        (folder / f"{name}.py").write_text(DECOY)
    (folder / "sae_desktop").mkdir()
    (folder / "sae_desktop" / "__init__.py").write_text(DECOY)
    (folder / "d.saepack").write_bytes(b"PK\x03\x04")
    return folder


def ran(folder: Path, command: list[str], **environment: str) -> set[str]:
    """Run a command there; return the decoys that were run."""
    told = folder.parent / "ran"
    told.write_text("")
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(
        command, cwd=folder, input=b"", capture_output=True, check=False, timeout=110,
        env={**inherited, "RAN": str(told), "QT_QPA_PLATFORM": "offscreen", **environment},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return set(told.read_text().split())


def test_decoys__are_of_every_module_the_program_imports(decoys: Path) -> None:
    there = {path.stem for path in decoys.glob("*.py")}
    assert {"psutil", "torch", "h5py", "PySide6", "json", "difflib"} <= there
    # They tell: without what is tested here, the first to be imported is run.
    assert ran(decoys, [sys.executable, "-c", "import psutil"]) == {"psutil"}


def test_children__run_nothing_of_the_working_folder(decoys: Path) -> None:
    assert ran(decoys, engine_command()) == set()


def test_double_click__runs_nothing_beside_the_package(decoys: Path) -> None:
    assert ran(decoys, [*double_click(), "gallery", "--help"]) == set()


def test_console_script__runs_nothing_of_the_working_folder(decoys: Path) -> None:
    script = shutil.which("sae-desktop", path=sysconfig.get_path("scripts"))
    if script is None:
        pytest.skip("the program is not installed here")
    assert ran(decoys, [script, "--version"]) == set()


def imported_by_python() -> set[str]:
    """What Python imports by itself before it runs a module: out of a program's hands."""
    told = "import runpy, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("pythonpath", ["", os.pathsep, "."])
def test_module__run_by_name_runs_nothing_of_the_working_folder(
    decoys: Path, pythonpath: str
) -> None:
    shutil.rmtree(decoys / "sae_desktop")
    for name in imported_by_python():
        (decoys / f"{name}.py").unlink(missing_ok=True)
    assert (decoys / "difflib.py").exists()
    found = os.pathsep.join([str(PACKAGE.parent), *([pythonpath] if pythonpath else [])])
    for module in ("sae_desktop", "sae_desktop.engine"):
        command = [sys.executable, "-m", module, *(["models", "--help"] * (module[-1] == "p"))]
        assert ran(decoys, command, PYTHONPATH=found) == set()


def test_launch__runs_the_package_it_lies_in(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "sae_desktop"
    copy.mkdir(parents=True)
    for name in ("__init__.py", "launch.py"):
        shutil.copy(PACKAGE / name, copy / name)
    (copy / "tell.py").write_text(
        "import sae_desktop, sys\nprint(sae_desktop.__file__, sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-P", str(copy / "launch.py"), "sae_desktop.tell", "x"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(copy / "__init__.py"), "x"]
    assert launch.command("m")[1:] == ["-P", str(PACKAGE / "launch.py"), "m"]
