"""The one palette, light, dark and of high contrast, and the one style sheet made from it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from string import Template

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from sae_desktop.gui.parts import colour_scale
from sae_desktop.gui.parts.colour_scale import RGB
from sae_desktop.resources import resource_path

MODES = ("system", "light", "dark", "contrast")


@dataclass(frozen=True)
class Palette:
    """Named colours. Every text colour has a contrast of at least 4.5 on every ground."""

    window: QColor
    """The ground between panels."""
    surface: QColor
    """Panels, fields, lists."""
    raised: QColor
    """Cards, headers, buttons."""
    hover: QColor
    border: QColor
    """Lines between parts, which need not be seen to use them."""
    outline: QColor
    """What shows where a button or a field is: at least 3 on every ground."""
    text: QColor
    muted_text: QColor
    disabled_text: QColor
    accent: QColor
    """Orange: activation, and the one thing to do next."""
    accent_text: QColor
    """Text on `accent`."""
    positive: QColor
    """The upper end of a diverging scale, as text and as a bar."""
    negative: QColor
    """The lower end of a diverging scale, as text and as a bar."""
    focus: QColor
    link: QColor
    selection: QColor
    """Ground of a selected row; `text` stays readable on it."""
    error: QColor
    warning: QColor


def _palette(values: dict[str, str]) -> Palette:
    return Palette(**{name: QColor(value) for name, value in values.items()})


LIGHT = _palette(
    {
        "window": "#EEF0F3",
        "surface": "#FFFFFF",
        "raised": "#F7F8FA",
        "hover": "#E8EBF0",
        "border": "#CFD4DC",
        "outline": "#7F8794",
        "text": "#1B1F26",
        "muted_text": "#565E6B",
        "disabled_text": "#9AA1AD",
        "accent": "#F28C28",
        "accent_text": "#1F1200",
        "positive": "#A8480A",
        "negative": "#1A5FC0",
        "focus": "#1A5FC0",
        "link": "#1A5FC0",
        "selection": "#DCE7F8",
        "error": "#B3202A",
        "warning": "#8A5200",
    }
)
DARK = _palette(
    {
        "window": "#131519",
        "surface": "#1B1E23",
        "raised": "#23272E",
        "hover": "#2C313A",
        "border": "#3A404B",
        "outline": "#737C89",
        "text": "#E7E9ED",
        "muted_text": "#A6AEBA",
        "disabled_text": "#666E7A",
        "accent": "#F0913A",
        "accent_text": "#1A0F00",
        "positive": "#F5A663",
        "negative": "#82B6FF",
        "focus": "#82B6FF",
        "link": "#8FBEFF",
        "selection": "#2B3F5C",
        "error": "#FF938A",
        "warning": "#F2C063",
    }
)
HIGH_CONTRAST = _palette(
    {
        "window": "#000000",
        "surface": "#000000",
        "raised": "#0C0C0C",
        "hover": "#26282C",
        "border": "#C8CDD6",
        "outline": "#FFFFFF",
        "text": "#FFFFFF",
        "muted_text": "#E2E5EA",
        "disabled_text": "#9CA3AF",
        "accent": "#FFA94D",
        "accent_text": "#000000",
        "positive": "#FFB870",
        "negative": "#9CCBFF",
        "focus": "#FFE75C",
        "link": "#A8D2FF",
        "selection": "#1F3F75",
        "error": "#FFB0A8",
        "warning": "#FFD76B",
    }
)

RUN_COLOURS_LIGHT = tuple(
    QColor(value)
    for value in (
        "#C2570C",
        "#1A5FC0",
        "#1B7F4B",
        "#7A3FB0",
        "#8A6A00",
        "#B3202A",
        "#0B7A8C",
        "#A3297A",
    )
)
"""Of runs drawn over one another; each is readable as text on the palette's grounds."""
RUN_COLOURS_DARK = tuple(
    QColor(value)
    for value in (
        "#F0913A",
        "#82B6FF",
        "#6FD39B",
        "#C69BF2",
        "#E2C25B",
        "#FF938A",
        "#5CCFE0",
        "#F58BC8",
    )
)

_TEXTS = (
    "text",
    "muted_text",
    "positive",
    "negative",
    "link",
    "error",
    "warning",
)
TEXT_PAIRS = (
    *((text, ground) for text in _TEXTS for ground in ("window", "surface", "raised")),
    ("accent_text", "accent"),
    ("text", "selection"),
    ("text", "hover"),
    ("muted_text", "hover"),
    ("muted_text", "selection"),
)
"""(text, ground) pairs that occur in the window."""
OUTLINE_PAIRS = tuple(
    (line, ground) for line in ("outline", "focus") for ground in ("window", "surface", "raised")
)
"""(line, ground) pairs by which a control, or which of them has the focus, is seen."""


def rgb(colour: QColor) -> RGB:
    """Return a colour as a triple."""
    return (colour.red(), colour.green(), colour.blue())


def blend(start: QColor, end: QColor, share: float) -> QColor:
    """Return the colour `share` (0…1) of the way from `start` to `end`, in sRGB."""
    return QColor(*colour_scale.blend(rgb(start), rgb(end), share))


class ThemeManager(QObject):
    """Knows the theme in force and says when it changes."""

    themeChanged = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mode = "system"
        self.palette = LIGHT
        self._watching = False

    @property
    def dark(self) -> bool:
        """Whether what is drawn is light on dark."""
        return self.palette is not LIGHT

    def apply(self, mode: str) -> None:
        """Dress the application: "system", "light", "dark" or "contrast"."""
        self.mode = mode if mode in MODES else "system"
        hints = QGuiApplication.styleHints()
        if not self._watching:
            hints.colorSchemeChanged.connect(self._on_scheme_changed)
            self._watching = True
        dark = Qt.ColorScheme.Dark
        schemes = {"light": Qt.ColorScheme.Light, "dark": dark, "contrast": dark}
        hints.setColorScheme(schemes.get(self.mode, Qt.ColorScheme.Unknown))
        self.dress()

    def _on_scheme_changed(self) -> None:
        self.dress()

    def dress(self) -> None:
        """Give the application its colours, and the sizes of its font."""
        dark = self.mode == "dark" or (
            self.mode == "system"
            and QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        )
        self.palette = HIGH_CONTRAST if self.mode == "contrast" else DARK if dark else LIGHT
        application = QApplication.instance()
        if not isinstance(application, QApplication):
            return
        colours, sheet = _qt_palette(self.palette), style_sheet(self.palette, application.font())
        # Either is laid over every widget there is, even where it is what was there before.
        if application.palette() != colours:
            application.setPalette(colours)
        if application.styleSheet() != sheet:
            # One sheet laid over another takes four times as long as taking that off first.
            application.setStyleSheet("")
            application.setStyleSheet(sheet)
        self.themeChanged.emit()


_manager: ThemeManager | None = None


def manager() -> ThemeManager:
    """Return the application's theme manager; connect painters to its `themeChanged`."""
    global _manager
    if _manager is None:
        _manager = ThemeManager()
    return _manager


def palette() -> Palette:
    """Return the colours in force."""
    return manager().palette


def run_colours() -> tuple[QColor, ...]:
    """Return the colours of runs in force."""
    return RUN_COLOURS_DARK if manager().dark else RUN_COLOURS_LIGHT


_LAYER_STOPS = (1, 3, 0)
"""Of the colours of runs: what the first, the middle and the last layer of a set are drawn in."""


def layer_colour(share: float) -> QColor:
    """Return the colour of a layer that lies `share` (0…1) of the way from first to last."""
    first, middle, last = (run_colours()[stop] for stop in _LAYER_STOPS)
    if share < 0.5:
        return blend(first, middle, 2 * share)
    return blend(middle, last, 2 * share - 1)


_USUAL_BODY = 10.0
"""Point size for which the style sheet gives buttons and fields their height."""


def style_sheet(colours: Palette, font: QFont) -> str:
    """Return the style sheet filled with a palette and three sizes of the application's font."""
    body = font.pointSizeF() if font.pointSizeF() > 0 else 10.0
    values = {field.name: getattr(colours, field.name).name() for field in fields(colours)}
    values["accent_hover"] = blend(colours.accent, colours.text, 0.12).name()
    values["body_size"] = f"{body:.1f}pt"
    values["small_size"] = f"{body * 0.9:.1f}pt"
    values["title_size"] = f"{body * 1.4:.1f}pt"
    values["line"] = str(round(18 * max(body / _USUAL_BODY, 1.0)))
    values["mode"] = "light" if colours is LIGHT else "dark"
    values["icons"] = resource_path("icons").as_posix()
    text = resource_path("style.qss").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _qt_palette(colours: Palette) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    result = QPalette()
    pairs = {
        role.Window: colours.window,
        role.WindowText: colours.text,
        role.Base: colours.surface,
        role.AlternateBase: colours.raised,
        role.Text: colours.text,
        role.PlaceholderText: colours.muted_text,
        role.Button: colours.raised,
        role.ButtonText: colours.text,
        role.ToolTipBase: colours.raised,
        role.ToolTipText: colours.text,
        role.Highlight: colours.selection,
        role.HighlightedText: colours.text,
        role.Link: colours.link,
        role.LinkVisited: colours.link,
        role.BrightText: colours.error,
        role.Mid: colours.border,
        role.Midlight: colours.hover,
        role.Dark: colours.border,
        role.Light: colours.raised,
        role.Accent: colours.accent,
    }
    for key, colour in pairs.items():
        result.setColor(key, colour)
    for key in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(group.Disabled, key, colours.disabled_text)
    return result
