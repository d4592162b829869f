"""Icons from the Phosphor font that qtawesome carries, drawn in the theme's colours.

Only that one font is loaded: qtawesome's own start loads twelve and costs a quarter of a second.
"""

from __future__ import annotations

import importlib.util
import json
import weakref
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPainter, QPixmap

from sae_desktop.gui.parts import theme

_SIZES = (16, 20, 24, 32, 48)


class HasIcon(Protocol):
    """Anything with `setIcon`: actions, buttons, list items."""

    def setIcon(self, icon: QIcon) -> None: ...


_targets: list[tuple[weakref.ReferenceType[HasIcon], str, str]] = []


def set_icon(target: HasIcon, name: str, role: str = "text") -> None:
    """Give `target` an icon in the palette's colour `role`, and again when the theme changes."""
    if not _targets:
        theme.manager().themeChanged.connect(_recolour)
    _targets[:] = [entry for entry in _targets if entry[0]() not in (None, target)]
    _targets.append((weakref.ref(target), name, role))
    target.setIcon(icon(name, role))


def icon(name: str, role: str = "text") -> QIcon:
    """Return an icon in the present theme's colour `role`; `name` such as "star" or "star-fill".

    Raises KeyError for a name the font does not have.
    """
    colours = theme.palette()
    return _drawn(name, getattr(colours, role).name(), colours.disabled_text.name())


@lru_cache(maxsize=512)
def _drawn(name: str, colour: str, disabled: str) -> QIcon:
    family, characters = _font()
    character = chr(int(characters[name.removeprefix("ph.")], 16))
    result = QIcon()
    for size in _SIZES:
        for ratio in (1, 2):
            drawn = _pixmap(family, character, size, ratio, colour)
            for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):  # Qt would tint the latter
                result.addPixmap(drawn, mode)
            result.addPixmap(_pixmap(family, character, size, ratio, disabled), QIcon.Mode.Disabled)
    return result


def _pixmap(family: str, character: str, size: int, ratio: int, colour: str) -> QPixmap:
    pixmap = QPixmap(size * ratio, size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    font = QFont(family)
    font.setPixelSize(size)
    painter.setFont(font)
    painter.setPen(QColor(colour))
    painter.drawText(QRect(0, 0, size, size), Qt.AlignmentFlag.AlignCenter, character)
    painter.end()
    return pixmap


@lru_cache(maxsize=1)
def _font() -> tuple[str, dict[str, str]]:
    spec = importlib.util.find_spec("qtawesome")
    if spec is None or spec.origin is None:
        raise ImportError("qtawesome is not installed")
    folder = Path(spec.origin).parent / "fonts"
    number = QFontDatabase.addApplicationFont(str(next(folder.glob("phosphor-*.ttf"))))
    families = QFontDatabase.applicationFontFamilies(number)
    characters = json.loads(next(folder.glob("phosphor-charmap-*.json")).read_text())
    return families[0], characters


def _recolour() -> None:
    for reference, name, role in list(_targets):
        target = reference()
        if target is None:
            continue
        try:
            target.setIcon(icon(name, role))
        except RuntimeError:  # the C++ half is gone before the Python half
            _targets[:] = [entry for entry in _targets if entry[0]() is not target]
