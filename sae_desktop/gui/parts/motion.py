"""Whether anything in the window may move by itself: told here, and kept to through here."""

from __future__ import annotations

from PySide6.QtCore import QVariantAnimation
from PySide6.QtWidgets import QApplication, QProgressBar

_STEPS = 1000
_BLINKING = "system cursor flash time"
"""Property of the application: how long the system has a text cursor blink, in ms."""
_REDUCED = "motion reduced"


def is_reduced() -> bool:
    """Whether what can be still is still."""
    application = QApplication.instance()
    return application is not None and bool(application.property(_REDUCED))


def apply(reduced: bool) -> None:
    """Have text cursors and whatever asks here keep still, or move again."""
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        return
    if application.property(_BLINKING) is None:
        application.setProperty(_BLINKING, application.cursorFlashTime())
    application.setProperty(_REDUCED, reduced)
    application.setCursorFlashTime(0 if reduced else int(application.property(_BLINKING)))
    for widget in application.allWidgets():
        if isinstance(widget, QProgressBar) and widget.minimum() == widget.maximum() == 0:
            show_share(widget, None)


def start(animation: QVariantAnimation) -> None:
    """Start an animation, or be at its end at once."""
    animation.start()
    if is_reduced():
        animation.setCurrentTime(animation.totalDuration())


def show_share(bar: QProgressBar, share: float | None) -> None:
    """Show how far something is; None: nobody knows, and the bar moves where it may."""
    moves = share is None and not is_reduced()
    bar.setRange(0, 0 if moves else _STEPS)
    bar.setValue(round((share or 0.0) * _STEPS))
