"""Run a bundle on a system without Python: the demonstration opened, a feature read, a prompt
steered.

    sudo python packaging/bundle/smoke.py build/sae-desktop [--packages FOLDER] [--repeat N]

As root on Debian or Ubuntu with xvfb, the system is a folder of Debian packages (a C library and
what every desktop has) that is entered with chroot. Elsewhere the bundle runs in an environment
with an empty PATH and nothing of Python's, which is weaker, and says so. The exit status is 0 where
all steps succeeded.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = (
    "libc6", "libstdc++6", "libgcc-s1", "zlib1g", "libegl1", "libgl1", "libglib2.0-0",
    "libdbus-1-3", "libfontconfig1", "libfreetype6", "libx11-6", "libx11-xcb1", "libxcb1",
    "libxcb-xkb1", "xkb-data", "fonts-dejavu-core",
)  # fmt: skip
"""What a bundle expects of a desktop. None depends on Python, perl or a shell."""
_LEFT_OUT = re.compile(r"^(.*mesa.*|libllvm.*|libdrm.*|debconf|dpkg|perl-base|tar)$")
"""What these packages depend on and the bundle does not need: drivers, and tools that install."""
_CHECK = ("self-check", "--window")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--packages", type=Path, help="where packages are kept for the next time")
    parser.add_argument(
        "--repeat", type=int, default=1, help="how often to run it: the first is cold"
    )
    options = parser.parse_args()
    bundle = options.bundle.resolve()
    bare = os.geteuid() == 0 and shutil.which("apt-get") and shutil.which("dpkg-deb")
    with tempfile.TemporaryDirectory(prefix="bundle-root-") as made, display() as shown:
        if bare:
            root = Path(made)
            count = fill(root, options.packages or root / "packages")
            pythons = [*root.rglob("bin/python*"), *root.rglob("libpython*")]
            print(f"A root of {count} Debian packages; Python in it: {pythons or 'none'}.")
        else:
            print("Not root on Debian: no clean root, only an environment without Python.")
        status = 0
        for _ in range(options.repeat):
            began = time.monotonic()
            if bare:
                status |= in_root(Path(made), bundle, shown)
            else:
                status |= in_environment(Path(made), bundle, shown)
            load = os.getloadavg()[0]
            print(f"exit {status} after {time.monotonic() - began:.1f} s (load {load:.1f})")
    return status


@contextmanager
def display() -> Iterator[str]:
    """Start Xvfb; yield its display."""
    read, write = os.pipe()
    # Without -noreset it begins again when a window has closed, and the next may meet none.
    size = ("-screen", "0", "1280x800x24")
    command = ["Xvfb", "-displayfd", str(write), *size, "-noreset", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield f":{told.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def fill(root: Path, packages: Path) -> int:
    """Unpack the packages and all that they depend on below a folder; return how many."""
    packages.mkdir(parents=True, exist_ok=True)
    empty = packages / "status"
    empty.touch()
    told = subprocess.run(
        ["apt-get", "install", "--simulate", "-qq", "-y", "--no-install-recommends",
         "-o", f"Dir::State::status={empty}", *PACKAGES],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names = {line.split()[1] for line in told.splitlines() if line.startswith("Inst ")}
    wanted = sorted(name for name in names if not _LEFT_OUT.match(name))
    missing = [name for name in wanted if not any(packages.glob(f"{name}_*.deb"))]
    if missing:
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *missing]
        subprocess.run(command, cwd=packages, check=True)
    for name in wanted:
        (package,) = packages.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    return len(wanted)


def in_root(root: Path, bundle: Path, shown: str) -> int:
    """Run the check in a root of its own mounts, which end with it."""
    for folder in ("dev", "proc", "tmp/.X11-unix", "opt/sae-desktop", "home/person"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    script = (
        f"mount --bind /dev '{root}/dev' && mount -t proc proc '{root}/proc' && "
        f"mount --bind /tmp/.X11-unix '{root}/tmp/.X11-unix' && "
        f"mount --bind -o ro '{bundle}' '{root}/opt/sae-desktop' && "
        f"exec chroot '{root}' /opt/sae-desktop/sae-desktop {' '.join(_CHECK)}"
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], env=_environment("/home/person", shown),
        check=False,
    ).returncode  # fmt: skip


def in_environment(home: Path, bundle: Path, shown: str) -> int:
    """Run the check with an empty PATH and a home of its own."""
    return subprocess.run(
        [str(bundle / "sae-desktop"), *_CHECK], env=_environment(str(home), shown), check=False
    ).returncode


def _environment(home: str, shown: str) -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin" if home == "/home/person" else "",
        "HOME": home,
        "DISPLAY": shown,
        "QT_QPA_PLATFORM": "xcb",
        "LANG": "C.UTF-8",
    }


if __name__ == "__main__":
    sys.exit(main())
