"""Build a bundle of SAE Desktop, which runs where there is no Python.

    pip install -c packaging/constraints.txt '.[bundle]'
    python packaging/bundle/build.py [--out build] [--archive]

It holds the packages of the environment this runs in: install torch's CPU build there first
(https://download.pytorch.org/whl/cpu), or the bundle takes gigabytes. What it takes, and which
packages that is, is printed and written to `build/bundle-sizes.txt`.
"""

from __future__ import annotations

import argparse
import collections
import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from parts import ROOT, all_files

HERE = Path(__file__).resolve().parent
NAME = "sae-desktop"
_MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    parser.add_argument("--archive", action="store_true", help="pack it as a .tar.xz, too")
    options = parser.parse_args()
    bundle = build(options.out.resolve())
    print((options.out / "bundle-sizes.txt").read_text())
    if options.archive:
        print(packed(bundle, options.out / f"{NAME}-{sys.platform}.tar.xz"))


def build(out: Path) -> Path:
    """Build the bundle below a folder and return its own; an older one there is replaced."""
    out.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN",
        "--distpath", str(out), "--workpath", str(out / "work"), str(HERE / "bundle.spec"),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    bundle = out / ("SAE Desktop.app" if sys.platform == "darwin" else NAME)
    inside = bundle / ("Contents/Resources/packages" if sys.platform == "darwin" else "_internal")
    sizes = _lay_out(inside)
    compileall.compile_dir(
        inside, quiet=2, workers=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    if sys.platform == "linux":
        _add_desktop_files(bundle)
    report = _report(bundle, sizes)
    (out / "bundle-sizes.txt").write_text(report)
    return bundle


def _lay_out(inside: Path) -> collections.Counter[str]:
    """Copy all packages and the program; return the bytes of each."""
    sizes: collections.Counter[str] = collections.Counter()
    for name, source, place in all_files():
        target = inside / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        sizes[name] += source.stat().st_size
    return sizes


def _add_desktop_files(bundle: Path) -> None:
    """Put what a desktop reads beside the program, and the script that tells the desktop of it."""
    shutil.copytree(HERE / "linux" / "share", bundle / "share", dirs_exist_ok=True)
    scalable = bundle / "share" / "icons" / "hicolor" / "scalable" / "apps"
    scalable.mkdir(parents=True, exist_ok=True)
    shutil.copy2(HERE / "sae-desktop.svg", scalable)
    command = [sys.executable, str(HERE / "icons.py"), str(bundle / "share" / "icons")]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run(command, check=True, env=environment)
    shutil.copy2(HERE / "linux" / "install.sh", bundle)


def _report(bundle: Path, sizes: collections.Counter[str]) -> str:
    whole = sum(path.stat().st_size for path in bundle.rglob("*") if not path.is_symlink())
    compiled = sum(path.stat().st_size for path in bundle.rglob("*.pyc"))
    rest = whole - compiled - sum(sizes.values())
    rows = [("whole bundle", whole), ("compiled Python", compiled)]
    rows += [("Python, its library and system libraries", rest), *sizes.most_common()]
    return "".join(f"{size / _MB:10,.1f} MB  {name}\n" for name, size in rows)


def packed(bundle: Path, archive: Path) -> Path:
    """Pack a bundle and return its archive."""
    with tarfile.open(archive, "w:xz", preset=6) as out:
        out.add(bundle, NAME, filter=_as_root)
    return archive


def _as_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


if __name__ == "__main__":
    main()
