"""Draw the program's icon in the sizes of a desktop.

python packaging/bundle/icons.py FOLDER [--ico FILE] [--iconset FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
_SVG = Path(__file__).with_name("sae-desktop.svg")
_APPLE = (16, 32, 128, 256, 512)
"""Each also at twice its size, as `iconutil` asks."""


def drawn(size: int) -> QImage:
    """Return the icon at a size in pixels, on a transparent ground."""
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(_SVG)).render(painter)
    painter.end()
    return image


def save_theme(folder: Path) -> None:
    """Write `hicolor/16x16/apps/sae-desktop.png` and so on (the Icon Theme Specification)."""
    for size in SIZES:
        place = folder / "hicolor" / f"{size}x{size}" / "apps"
        place.mkdir(parents=True, exist_ok=True)
        drawn(size).save(str(place / "sae-desktop.png"))


def save_ico(folder: Path, file: Path) -> None:
    """Write an icon of Windows from the pictures of a theme."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(folder / "hicolor" / "256x256" / "apps" / "sae-desktop.png") as largest:
        largest.save(file, sizes=[(size, size) for size in (16, 24, 32, 48, 64, 128, 256)])


def save_iconset(folder: Path) -> None:
    """Write what `iconutil --convert icns` of macOS reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for size in _APPLE:
        drawn(size).save(str(folder / f"icon_{size}x{size}.png"))
        drawn(2 * size).save(str(folder / f"icon_{size}x{size}@2x.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ico", type=Path)
    parser.add_argument("--iconset", type=Path)
    options = parser.parse_args()
    application = QGuiApplication([])
    save_theme(options.folder)
    if options.ico:
        save_ico(options.folder, options.ico)
    if options.iconset:
        save_iconset(options.iconset)
    application.quit()


if __name__ == "__main__":
    main()
