"""Texts without what names a person: folders, files, the user and the machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import sae_desktop
from sae_desktop.project_labels import system_user

_QUOTED = re.compile(r"""(["'“‘])((?:[A-Za-z]:[\\/]|/)[^"'”’\n]*)(["'”’])""")
_BARE = re.compile(r"""(?<![\w.:/\\>~-])(?:[A-Za-z]:[\\/]|/)[^\s"'“”‘’<>|*?,;)\]]+""")
_LINE = re.compile(r"(?::\d+)+$")
"""Behind the path of a source file."""
_SHORTEST = 3
"""Letters of a name that is looked for on its own: “al” would be found in other words."""
_OF_EVERYONE = frozenset({"root", "user", "admin", "localhost"})


def anonymous(text: str) -> str:
    """Return a text in which no path, user or machine is named.

    Files of this program and of libraries keep their place within those. Any other path becomes
    “<path 1>” with its ending; the same path has the same number wherever it stands.
    """
    numbers: dict[str, str] = {}

    def told(path: str) -> str:
        line = _LINE.search(path)
        end = line.group() if line else ""
        return _placed(path.removesuffix(end), numbers) + end

    text = _QUOTED.sub(lambda found: found[1] + told(found[2]) + found[3], text)
    text = _BARE.sub(lambda found: told(found[0]), text)
    for name, stands in ((system_user(), "<user>"), (_machine(), "<machine>")):
        if len(name) >= _SHORTEST and name.casefold() not in _OF_EVERYONE:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", stands, text, flags=re.IGNORECASE)
    return text


def _placed(path: str, numbers: dict[str, str]) -> str:
    plain = path.replace("\\", "/")
    for root, name in _roots():
        if plain == root or plain.startswith(f"{root}/"):
            return f"{name}{plain.removeprefix(root)}"
    for folder in ("site-packages", "dist-packages"):
        _, found, inner = plain.partition(f"/{folder}/")
        if found:
            return f"{folder}/{inner}"
    if plain not in numbers:
        ending = Path(plain).suffix
        numbers[plain] = f"<path {len(numbers) + 1}>{ending}"
    return numbers[plain]


def _roots() -> list[tuple[str, str]]:
    """Return folders that tell nothing of a person, the longer before those they lie in."""
    library = Path(sys.modules["os"].__file__ or "").parent
    found = [
        (Path(sae_desktop.__file__).parent.as_posix(), "sae_desktop"),
        (library.as_posix(), library.name),
    ]
    return sorted((pair for pair in found if len(pair[0]) > 1), key=lambda pair: -len(pair[0]))


def _machine() -> str:
    import socket

    return socket.gethostname().partition(".")[0]
