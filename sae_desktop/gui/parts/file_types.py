"""Having a double click on a package open it here, for this user of this machine. Free of Qt."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from sae_desktop import launch
from sae_desktop.errors import UserError
from sae_desktop.file_kinds import PACKAGE_ENDING
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.storage.own_folders import desktop_files

MIME_TYPE = "application/x-saepack"
_NAME = "SAE Desktop package"
_MIME_XML = f"""<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{MIME_TYPE}">
    <comment>{_NAME}</comment>
    <sub-class-of type="application/zip"/>
    <glob pattern="*{PACKAGE_ENDING}" weight="80"/>
  </mime-type>
</mime-info>
"""
_PROGRAM_ID = "SAEDesktop.Package"


def associate() -> list[str]:
    """Let a double click on a package open it with this installation; return what was written.

    Raises UserError on a system where only an installed application can own a kind of file, and
    where the user's folders cannot be written.
    """
    if sys.platform == "win32":
        return _in_registry()
    if sys.platform == "darwin":
        raise UserError(
            "On macOS only an application bundle can be set to open a file type.",
            next_step="Open packages with “sae-desktop FILE”, or drop them on the window.",
        )
    return _as_desktop_entry()


def command() -> list[str]:
    """Return what opens a file that is named after it."""
    python = Path(sys.executable)
    if sys.platform == "win32":  # the other one opens a console beside the window
        python = python.with_name("pythonw.exe")
    return launch.command("sae_desktop", python=str(python))


def _as_desktop_entry() -> list[str]:
    kind, entry = desktop_files()
    told = "\n".join(
        (
            "[Desktop Entry]", "Type=Application", "Name=SAE Desktop",
            "Comment=Sparse dictionaries for language models", "Terminal=false",
            "Categories=Science;", f"MimeType={MIME_TYPE};",
            f"Exec={' '.join(map(_quoted, command()))} %f", "",
        )
    )  # fmt: skip
    for path, text in ((kind, _MIME_XML), (entry, told)):
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, text.encode())
    # Where these programs are missing, the desktop reads the folders at its next start.
    _run("update-mime-database", str(kind.parents[1]))
    _run("update-desktop-database", str(entry.parent))
    _run("xdg-mime", "default", entry.name, MIME_TYPE)
    return [str(kind), str(entry)]


def _quoted(argument: str) -> str:
    r"""Return an argument as the Exec key of a desktop entry takes it.

    Source: the Desktop Entry Specification, “The Exec key”: quotes around it, “"”, “`”, “$” and
    “\” escaped, percent signs doubled, and every backslash once more as in any string.
    """
    inside = "".join(f"\\{c}" if c in '"`$\\' else c for c in argument)
    return f'"{inside}"'.replace("\\", "\\\\").replace("%", "%%")


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is not None:
        subprocess.run(
            [found, *arguments],
            check=False,
            capture_output=True,
            env=launch.environment_of_others(),
        )


def _in_registry() -> list[str]:
    import winreg  # of Windows only

    opens = f'{subprocess.list2cmdline(command())} "%1"'
    keys = {
        rf"Software\Classes\{PACKAGE_ENDING}": _PROGRAM_ID,
        rf"Software\Classes\{_PROGRAM_ID}": _NAME,
        rf"Software\Classes\{_PROGRAM_ID}\shell\open\command": opens,
    }
    for key, value in keys.items():
        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, key) as opened:  # type: ignore[attr-defined,unused-ignore]
            winreg.SetValueEx(opened, "", 0, winreg.REG_SZ, value)  # type: ignore[attr-defined,unused-ignore]
    return [rf"HKEY_CURRENT_USER\{key}" for key in keys]
