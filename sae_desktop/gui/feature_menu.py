"""What can be done with a feature wherever its number stands."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from sae_desktop.gui import icons
from sae_desktop.gui.feature_link import feature_link
from sae_desktop.gui.feature_notes import FeatureNotes
from sae_desktop.gui.session import Session


def feature_menu(session: Session, feature: int, parent: QWidget) -> QMenu:
    """Return the menu of a feature: open, steer, star, copy link."""
    notes = FeatureNotes.of(session)
    starred = notes.starred(feature)
    menu = QMenu(parent)
    entries = (
        ("arrow-square-in", f"Open feature {feature}", lambda: open_feature(session, feature)),
        ("sliders-horizontal", "Steer with it", lambda: steer_with(session, feature)),
        (
            "star-fill" if starred else "star",
            "Take the star away" if starred else "Star",
            lambda: notes.set_starred(feature, not starred),
        ),
        ("link", "Copy link", lambda: copy_link(session, feature)),
    )
    for icon, text, callback in entries:
        action = menu.addAction(text)
        icons.set_icon(action, icon)
        action.triggered.connect(lambda _checked=False, callback=callback: callback())
    return menu


def show_feature_menu(session: Session, feature: int, parent: QWidget, at: QPoint) -> None:
    """Pop the menu of a feature up at a place of the screen."""
    menu = feature_menu(session, feature, parent)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(at)


def open_feature(session: Session, feature: int) -> None:
    """Show a feature's page."""
    session.select_feature(feature)
    session.show_workspace("explore")


def steer_with(session: Session, feature: int) -> None:
    """Put a feature in the rack of sliders and go there."""
    session.show_workspace("steer")  # first: the rack may only be built now
    session.steerRequested.emit(feature)


def copy_link(session: Session, feature: int) -> None:
    """Put a feature's link on the clipboard; pasted in the search of the list, it opens."""
    QGuiApplication.clipboard().setText(feature_link(session.index_name, feature))
    session.notify(f"The link of feature {feature} is on the clipboard.")
