"""What can be done with a feature wherever its number stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QInputDialog, QMenu, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_export import FeatureExport
from sae_desktop.gui.state.feature_link import feature_link
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count


def feature_menu(session: Session, feature: int, parent: QWidget) -> QMenu:
    """Return the menu of a feature: open, steer, star, find similar, export, add to list."""
    notes = FeatureNotes.of(session)
    starred = notes.starred(feature)
    menu = QMenu(parent)
    entries = (
        ("arrow-square-in", f"Open feature {feature}", lambda: open_feature(session, feature)),
        ("sliders-horizontal", "Steer with this feature", lambda: steer_with(session, feature)),
        (
            "star-fill" if starred else "star",
            "Unstar" if starred else "Star",
            lambda: notes.set_starred(feature, not starred),
        ),
        ("magnifying-glass", "Find similar", lambda: find_similar(session, feature)),
        ("link", "Copy link", lambda: copy_link(session, feature)),
        ("export", "Export…", lambda: FeatureExport.of(session).ask([feature], parent.window())),
    )
    for icon, text, callback in entries:
        action = menu.addAction(text)
        icons.set_icon(action, icon)
        action.triggered.connect(lambda _checked=False, callback=callback: callback())
    _add_comparing(menu, session, feature)
    _add_lists(menu, session, [feature])
    return menu


def _add_comparing(menu: QMenu, session: Session, feature: int) -> None:
    """Add what puts a feature beside others."""
    compared, opened = Compared.of(session), session.feature
    entries: list[tuple[str, str, Callable[[], object]]] = []
    if opened is not None and opened != feature:
        entries.append(
            (
                "columns",
                f"Compare with feature {opened}, which is open",
                lambda: compared.show([opened, feature]),
            )
        )
    if compared.features and feature not in compared.features:
        entries.append(
            ("plus", "Add to the comparison", lambda: _add_to_comparison(session, feature))
        )
    if feature in compared.pinned:
        unpin = lambda: compared.pin(feature, on=False)  # noqa: E731
        entries.append(("push-pin-slash", "Unpin in the comparison", unpin))
    else:
        entries.append(
            ("push-pin", "Pin to compare others with", lambda: _pin_to_compare(session, feature))
        )
    for icon, text, callback in entries:
        action = menu.addAction(text)
        icons.set_icon(action, icon)
        action.triggered.connect(lambda _checked=False, callback=callback: callback())


def _add_to_comparison(session: Session, feature: int) -> None:
    Compared.of(session).add(feature)
    session.show_workspace("explore.compare")


def _pin_to_compare(session: Session, feature: int) -> None:
    Compared.of(session).pin(feature)
    session.show_workspace("explore.compare")


def _add_lists(menu: QMenu, session: Session, features: Iterable[int]) -> None:
    sub = menu.addMenu("Add to list")
    icons.set_icon(sub.menuAction(), "list-plus")
    for name, count in KeptLists.of(session).names():
        action = sub.addAction(f"{name} ({count})")
        action.triggered.connect(
            lambda _checked=False, name=name: add_to_list(session, name, features)
        )
    if not sub.isEmpty():
        sub.addSeparator()
    sub.addAction("New list…", lambda: _ask_list(menu, session, features))


def _ask_list(menu: QMenu, session: Session, features: Iterable[int]) -> None:
    dictionary = KeptLists.of(session).dictionary  # another may be open when the name is given
    name, given = QInputDialog.getText(menu.parentWidget(), "New list", "List name")
    if given and name.strip():
        add_to_list(session, name.strip(), features, dictionary)


def add_to_list(
    session: Session, name: str, features: Iterable[int], dictionary: str | None = None
) -> None:
    """Put features on a list, made if need be, of the open dictionary unless one is named."""
    new = KeptLists.of(session).add(name, features, dictionary)
    if new is None:
        return
    session.notify(
        f"{exact_count(new)} added to the list “{name}”." if new else "Already on the list."
    )


def show_features_menu(
    session: Session,
    features: npt.NDArray[Any],
    parent: QWidget,
    at: QPoint,
    export: Callable[[], object],
) -> None:
    """Pop up what can be done with several features at once."""
    notes = FeatureNotes.of(session)
    menu = QMenu(parent)
    entries = (
        ("star-fill", "Star them", lambda: notes.set_stars(features, True)),
        ("star", "Unstar them", lambda: notes.set_stars(features, False)),
        ("export", "Export…", export),
        ("columns", "Compare them", lambda: Compared.of(session).show(features.tolist())),
    )
    for icon, text, callback in entries:
        action = menu.addAction(text)
        icons.set_icon(action, icon)
        action.triggered.connect(lambda _checked=False, callback=callback: callback())
    _add_lists(menu, session, features)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(at)


def find_similar(session: Session, feature: int) -> None:
    """List a feature with its nearest neighbours."""
    index = session.index
    if index is not None:
        near = [feature, *(other for other, _ in index.neighbours(feature) if other != feature)]
        title = f"Nearest to #{feature}"
        session.featuresRequested.emit(FeatureSet(title, np.asarray(near, dtype=np.int64)))


def show_feature_menu(session: Session, feature: int, parent: QWidget, at: QPoint) -> None:
    """Pop the menu of a feature up at a place of the screen."""
    menu = feature_menu(session, feature, parent)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(at)


def open_feature(session: Session, feature: int) -> None:
    """Show a feature's page."""
    session.select_feature(feature)
    session.show_workspace("explore.feature")


def steer_with(session: Session, feature: int) -> None:
    """Put a feature in the rack of sliders and go there."""
    session.show_workspace("steer")  # first: the rack may only be built now
    session.steerRequested.emit(feature)


def copy_link(session: Session, feature: int) -> None:
    """Put a feature's link on the clipboard; pasted in the search of the list, it opens."""
    QGuiApplication.clipboard().setText(feature_link(session.index_name, feature))
    session.notify(f"The link to feature {feature} was copied.")
