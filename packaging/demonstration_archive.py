"""The demonstration projects that ship as one archive each, unpacked to be worked on.

Members are in order and have no time, so that the same project is the same archive.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from sae_desktop.demonstrations import SENTENCES
from sae_desktop.jobs import SilentContext
from sae_desktop.storage.archives import unpack

RESOURCES = Path(__file__).parents[1] / "resources"
_LEFT_OUT = (".part", "-wal", "-shm")


def unpacked(folder: Path, packed: str = SENTENCES.archive) -> Path:
    """Return `folder` with what ships, unpacked anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    unpack(RESOURCES / packed, folder, SilentContext())
    return folder


def pack(folder: Path, packed: str = SENTENCES.archive) -> None:
    """Make of a project what ships, and say how large it is."""
    out = RESOURCES / packed
    part = out.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not name.endswith(_LEFT_OUT) and not path.name.startswith("."):
                member = zipfile.ZipInfo(name)
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, path.read_bytes(), compresslevel=9)
                print(f"{path.stat().st_size / 1e6:8.2f} MB  {name}")
    part.rename(out)
    print(f"{out.stat().st_size / 1e6:8.2f} MB  packed")
