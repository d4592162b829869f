"""Where Tab goes: over everything that is seen, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QScrollArea,
    QTabBar,
    QTabWidget,
    QWidget,
)


def tab_order(root: QWidget) -> list[QWidget]:
    """Return what Tab stops at in a widget, row by row and in each row from the left.

    Qt keeps a chain of its own, which breaks when panels are moved between docks, and leads into
    panels that lie behind another one. What is scrolled out of sight counts as seen.
    """
    return list(_stops(root))


def move_focus(root: QWidget, *, forward: bool) -> bool:
    """Give the keyboard to the next control of a window, or the one before; False without any."""
    stops = tab_order(root)
    if not stops:
        return False
    # Qt’s stubs do not say that no widget may have it.
    present: QWidget | None = root.focusWidget()
    while present is not None and present not in stops:
        present = present.parentWidget()
    step = 1 if forward else -1
    if present is None:
        place = 0 if forward else -1
    else:
        place = (stops.index(present) + step) % len(stops)
    reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
    stops[place].setFocus(reason)
    _bring_into_sight(stops[place])
    return True


def _stops(widget: QWidget) -> Iterator[QWidget]:
    if _is_stop(widget):
        yield widget
    for child in _as_read(widget):
        yield from _stops(child)


def _is_stop(widget: QWidget) -> bool:
    # Whole flags: a click's focus shares bits with others.
    tab = Qt.FocusPolicy.TabFocus
    takes = widget.isEnabled() and (widget.focusPolicy() & tab) == tab
    return takes and not hands_on(widget)


def hands_on(widget: QWidget) -> bool:
    """Tell whether a widget hands the keyboard on: a field’s line, tabs with their pages.

    `focusProxy` would tell, too; but PySide makes what it returns a child of the one that was
    asked, and deletes it with that: a table’s header with what lies inside it.
    """
    if isinstance(widget, QLineEdit):
        return isinstance(widget.parentWidget(), QAbstractSpinBox | QComboBox)
    return isinstance(widget, QTabWidget)


def _as_read(widget: QWidget) -> list[QWidget]:
    """Return what is seen of a widget's children, by rows."""
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    left = [child for child in widget.findChildren(QWidget, options=direct) if _is_seen(child)]
    left.sort(key=lambda child: (child.y(), child.x()))
    ordered: list[QWidget] = []
    while left:
        first = left[0]
        row = [child for child in left if _share_a_row(first, child)]
        ordered += sorted(row, key=lambda child: child.x())
        left = [child for child in left if child not in row]
    return ordered


def _is_seen(child: QWidget) -> bool:
    if child.isWindow() or not child.isVisible():
        return False
    # A panel behind another one counts as visible to Qt, which keeps it outside of the window.
    return not (isinstance(child, QDockWidget | QTabBar) and child.visibleRegion().isEmpty())


def _share_a_row(first: QWidget, other: QWidget) -> bool:
    one, two = first.geometry(), other.geometry()
    shared = min(one.bottom(), two.bottom()) - max(one.top(), two.top()) + 1
    return first is other or 2 * shared > min(one.height(), two.height())


def _bring_into_sight(widget: QWidget) -> None:
    above = widget.parentWidget()
    while above is not None and not widget.isWindow():
        if isinstance(above, QScrollArea):
            inside = above.widget()
            if inside is not None and (inside is widget or inside.isAncestorOf(widget)):
                above.ensureWidgetVisible(widget)
        above = above.parentWidget()
