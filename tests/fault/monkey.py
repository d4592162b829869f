"""A monkey at the window: random clicks, keys, texts, resizes and drops over all workspaces.

    python tests/fault/monkey.py FOLDER [--minutes 10] [--seed 0]

It works on a copy of the built-in demonstration in FOLDER, with settings, caches and logs of its
own, with a real engine, without a network. Every act is a line of FOLDER/acts.log; a seed names
the choices, and what a choice meets depends on how quick the engine was. What is found is printed
and ends in exit status 1: exceptions nobody caught, warnings of Qt, errors in slots, and times in
which the window did not answer for more than `FREEZE_MS` of its own processor time, each with the
act before and where the window was. An abort prints the stacks of all threads.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FREEZE_MS = 200
_BEAT_MS = 10
_PAUSE_MS = 15
_STACK_LINES = 12
TEXTS = (
    "the Golden Gate Bridge", "", " ", "0", "-1", "1e999", "nan", "a" * 5_000, "🐴 лошадь \u202e‮x",
    "<b>bold</b><img src=x>", "%s %d {0} \\", "../../etc/passwd", "'; DROP TABLE x; --", "\t\n",
)  # fmt: skip
_LEFT_ALONE = ("quit", "exit", "reveal", "folder", "website", "browser", "restart", "crash")
"""In the ids or names of what ends the run or leaves the window."""


@dataclass
class Found:
    """What was found, each once with how often."""

    faults: Counter[str] = field(default_factory=Counter)
    freezes: list[tuple[float, str, str]] = field(default_factory=list)
    """(CPU ms, act, where the window was)."""
    acts: int = 0


class Heart:
    """Tells how long the window's thread was busy between two of its beats, and with what."""

    def __init__(self, found: Found, act: Callable[[], str]) -> None:
        self._found, self._act = found, act
        self._thread = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._beat = self._cpu()
        self._stack = ""
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="heart", daemon=True).start()

    def _cpu(self) -> float:
        return time.clock_gettime(self._clock)

    def beat(self) -> None:
        """Called by the window's event loop."""
        now = self._cpu()
        spent, self._beat = 1000 * (now - self._beat), now
        if spent > FREEZE_MS:
            self._found.freezes.append((spent, self._act(), self._stack))
        self._stack = ""

    def end(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            if 1000 * (self._cpu() - self._beat) > FREEZE_MS / 2 and not self._stack:
                frame = sys._current_frames().get(self._thread)
                self._stack = "".join(traceback.format_stack(frame)[-_STACK_LINES:])


class Monkey:
    """Does one thing after another until its time is over."""

    def __init__(self, window: Any, folder: Path, seed: int, found: Found) -> None:
        self.window, self.folder, self.found = window, folder, found
        self.random = random.Random(seed)
        self.act = ""
        self._log = (folder / "acts.log").open("a", encoding="utf-8")
        self._kinds: tuple[tuple[Callable[[], None], int], ...] = (
            (self.click, 40), (self.key, 16), (self.type, 8), (self.trigger, 8),
            (self.workspace, 4), (self.context_menu, 5), (self.wheel, 6), (self.resize, 3),
            (self.drop, 3), (self.feature, 3), (self.look, 1), (self.escape, 6),
        )  # fmt: skip

    def step(self) -> None:
        """Do something."""
        kinds, weights = zip(*self._kinds, strict=True)
        self.found.acts += 1
        self.random.choices(kinds, weights)[0]()

    def say(self, act: str) -> None:
        self.act = act
        self._log.write(f"{self.found.acts} {act}\n")
        self._log.flush()

    # ------------------------------------------------------------------ what it can do
    def click(self) -> None:
        """Press a mouse button somewhere on a widget that takes clicks."""
        from PySide6.QtCore import QPoint, Qt
        from PySide6.QtTest import QTest

        widget = self._some_widget()
        if widget is None:
            return
        at = QPoint(
            self.random.randrange(max(widget.width(), 1)),
            self.random.randrange(max(widget.height(), 1)),
        )
        twice = self.random.random() < 0.1
        self.say(f"{'double ' if twice else ''}click {named(widget)} at {at.x()},{at.y()}")
        press = QTest.mouseDClick if twice else QTest.mouseClick
        press(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)

    def key(self) -> None:
        """Press a key, with or without modifiers."""
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication

        keys = (
            Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Return, Qt.Key.Key_Space,
            Qt.Key.Key_Escape, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right,
            Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageDown, Qt.Key.Key_Delete,
            Qt.Key.Key_Backspace, Qt.Key.Key_F1, Qt.Key.Key_A, Qt.Key.Key_K, Qt.Key.Key_Z,
        )  # fmt: skip
        none = Qt.KeyboardModifier.NoModifier
        modifiers = self.random.choice(
            (none, none, none, Qt.KeyboardModifier.ControlModifier,
             Qt.KeyboardModifier.ShiftModifier)
        )  # fmt: skip
        key = self.random.choice(keys)
        target = QApplication.focusWidget() or QApplication.activeWindow() or self.window
        self.say(f"key {key.name} {modifiers.name} on {named(target)}")
        QTest.keyClick(target, key, modifiers)

    def type(self) -> None:
        """Put a text into a field, or paste it."""
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit

        fields = [w for w in self._widgets() if isinstance(w, QLineEdit | QPlainTextEdit)]
        if not fields:
            return
        widget, text = self.random.choice(fields), self.random.choice(TEXTS)
        self.say(f"type {text[:30]!r} into {named(widget)}")
        widget.setFocus()
        if (
            not (text.isascii() and text.isprintable())
            or len(text) > 100
            or self.random.random() < 0.3
        ):
            QApplication.clipboard().setText(text)
            widget.paste()
        else:
            QTest.keyClicks(widget, text)

    def trigger(self) -> None:
        """Do what a menu offers now."""
        registry = self.window.registry
        ids = [
            one for one in registry._actions
            if registry._actions[one].isEnabled() and not any(word in one for word in _LEFT_ALONE)
        ]  # fmt: skip
        chosen = self.random.choice(ids)
        self.say(f"action {chosen}")
        if self._modal() is None:
            registry._actions[chosen].trigger()

    def workspace(self) -> None:
        from sae_desktop.gui.frame.menus import WORKSPACES

        name = self.random.choice([one[0] for one in WORKSPACES])
        self.say(f"workspace {name}")
        if self._modal() is None:
            self.window.show_workspace(name)

    def context_menu(self) -> None:
        from PySide6.QtCore import QPoint
        from PySide6.QtGui import QContextMenuEvent
        from PySide6.QtWidgets import QApplication

        widget = self._some_widget()
        if widget is None:
            return
        self.say(f"context menu of {named(widget)}")
        at = QPoint(widget.width() // 2, widget.height() // 2)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, widget.mapToGlobal(at))
        QApplication.sendEvent(widget, event)

    def wheel(self) -> None:
        from PySide6.QtCore import QPoint, QPointF, Qt
        from PySide6.QtGui import QWheelEvent
        from PySide6.QtWidgets import QApplication

        widget = self._some_widget()
        if widget is None:
            return
        self.say(f"wheel over {named(widget)}")
        centre = QPointF(widget.width() / 2, widget.height() / 2)
        event = QWheelEvent(
            centre, widget.mapToGlobal(centre), QPoint(),
            QPoint(0, self.random.choice((-240, -120, 120, 240))), Qt.MouseButton.NoButton,
            self.random.choice((Qt.KeyboardModifier.NoModifier,
                                Qt.KeyboardModifier.ControlModifier)),
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)

    def resize(self) -> None:
        size = self.random.choice(((640, 480), (1200, 600), (1280, 720), (1440, 900), (2560, 1440)))
        self.say(f"resize to {size[0]}×{size[1]}")
        self.window.resize(*size)

    def drop(self) -> None:
        """Drop files or a text on a widget."""
        from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
        from PySide6.QtGui import QDragEnterEvent, QDropEvent
        from PySide6.QtWidgets import QApplication

        takers = [w for w in self._widgets() if w.acceptDrops()] or [self.window]
        widget, data = self.random.choice(takers), QMimeData()
        files = sorted((self.folder / "drops").iterdir())
        chosen = self.random.choice([*files, None])
        if chosen is None:
            data.setText(self.random.choice(TEXTS))
        else:
            data.setUrls([QUrl.fromLocalFile(str(chosen))])
        self.say(f"drop {'text' if chosen is None else chosen.name} on {named(widget)}")
        at, button = QPointF(widget.rect().center()), Qt.MouseButton.LeftButton
        none = Qt.KeyboardModifier.NoModifier
        enter = QDragEnterEvent(at.toPoint(), Qt.DropAction.CopyAction, data, button, none)
        QApplication.sendEvent(widget, enter)
        if enter.isAccepted():
            drop = QDropEvent(at, Qt.DropAction.CopyAction, data, button, none)
            QApplication.sendEvent(widget, drop)

    def feature(self) -> None:
        """Go to some feature, as a click in a list does."""
        session = self.window.session
        if session.index is None:
            return
        chosen = self.random.randrange(session.index.features)
        self.say(f"feature {chosen}")
        session.select_feature(chosen)

    def look(self) -> None:
        """Change what the window looks like."""
        name, values = self.random.choice(
            (("theme", ("light", "dark", "contrast")), ("text_size", (80, 100, 125, 200)),
             ("reduce_motion", (False, True)))
        )  # fmt: skip
        value = self.random.choice(values)
        self.say(f"{name} {value}")
        self.window.preferences.choose(name, value)

    def escape(self) -> None:
        """Leave a dialog or a menu."""
        top = self.in_front()
        if top is not None:
            self.say(f"leave {named(top)}")
            top.close()

    # ------------------------------------------------------------------ where it can do it
    def in_front(self) -> Any:
        """Return the menu or dialog that must be left before anything else; None: there is none."""
        from PySide6.QtWidgets import QApplication

        return QApplication.activePopupWidget() or self._modal()

    def _modal(self) -> Any:
        from PySide6.QtWidgets import QApplication

        return QApplication.activeModalWidget()

    def _widgets(self) -> list[Any]:
        from PySide6.QtWidgets import QApplication, QWidget

        top = self.in_front()
        tops = [top] if top is not None else [
            w for w in QApplication.topLevelWidgets() if w.isVisible()
        ]  # fmt: skip
        return [
            widget
            for one in tops
            for widget in [one, *one.findChildren(QWidget)]
            if widget.isVisible() and widget.isEnabled() and not widget.visibleRegion().isEmpty()
        ]

    def _some_widget(self) -> Any:
        from PySide6.QtCore import Qt

        widgets = [
            w for w in self._widgets()
            if (w.focusPolicy() != Qt.FocusPolicy.NoFocus or self.random.random() < 0.1)
            and not any(word in named(w).lower() for word in _LEFT_ALONE)
        ]  # fmt: skip
        return self.random.choice(widgets) if widgets else None


def named(widget: Any) -> str:
    """Return what a widget is and says."""
    text = ""
    for ask in ("text", "accessibleName", "objectName", "windowTitle"):
        said = getattr(widget, ask, None)
        text = text or (str(said()) if callable(said) and ask != "text" else "")
        if ask == "text" and hasattr(widget, "isCheckable"):
            text = str(widget.text())
    return f"{type(widget).__name__} “{text[:40]}”"


def own_folders(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing outside of `folder` is read or written."""
    names = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TMPDIR")
    found = {name: str(folder / name.lower()) for name in names}
    for path in found.values():
        Path(path).mkdir(parents=True, exist_ok=True)
    return {
        **found, "HOME": str(folder), "HF_HUB_OFFLINE": "1", "QT_QPA_PLATFORM": "offscreen",
    }  # fmt: skip


def things_to_drop(folder: Path) -> None:
    """Write files of many kinds, good and bad."""
    drops = folder / "drops"
    drops.mkdir(exist_ok=True)
    (drops / "a.txt").write_text("The horse ran over the bridge. " * 50, encoding="utf-8")
    (drops / "empty.txt").write_text("")
    (drops / "b.jsonl").write_text('{"text": "one"}\n{"text": 2}\n{broken\n')
    (drops / "c.csv").write_text("text,label\nhello,1\n")
    (drops / "d.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0notjson")
    (drops / "e.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (drops / "f.saepack").write_bytes(b"PK\x03\x04broken")
    (drops / "folder").mkdir(exist_ok=True)


def keep_inside(folder: Path) -> None:
    """Have dialogs for files answer at once with a place in `folder`, and open nothing."""
    from PySide6.QtGui import QDesktopServices
    from PySide6.QtWidgets import QFileDialog

    chosen = random.Random(0)
    files = sorted((folder / "drops").iterdir())

    def a_file(*_: Any, **__: Any) -> tuple[str, str]:
        return str(chosen.choice(files)), ""

    def a_new_file(*_: Any, **__: Any) -> tuple[str, str]:
        return str(folder / "saved" / f"file {chosen.randrange(10_000)}"), ""

    (folder / "saved").mkdir(exist_ok=True)
    QFileDialog.getOpenFileName = staticmethod(a_file)
    QFileDialog.getOpenFileNames = staticmethod(lambda *_, **__: ([a_file()[0]], ""))
    QFileDialog.getSaveFileName = staticmethod(a_new_file)
    QFileDialog.getExistingDirectory = staticmethod(lambda *_, **__: str(folder / "drops"))
    QDesktopServices.openUrl = staticmethod(lambda *_: True)


def run(folder: Path, minutes: float, seed: int) -> Found:
    """Let a monkey loose; return what was found."""
    from PySide6.QtCore import QObject, QTimer, qInstallMessageHandler

    from sae_desktop.demonstrations import demonstration_copy
    from sae_desktop.gui.frame.snapshots import open_for_pictures, wait

    found = Found()
    things_to_drop(folder)
    keep_inside(folder)

    def uncaught(kind: Any, error: Any, trace: Any) -> None:
        found.faults["".join(traceback.format_exception(kind, error, trace)[-_STACK_LINES:])] += 1

    def said(kind: Any, context: Any, message: str) -> None:
        if kind.name not in ("QtDebugMsg", "QtInfoMsg") and "This plugin does not" not in message:
            stack = "".join(traceback.format_stack()[-_STACK_LINES:-1])
            found.faults[f"Qt: {message}\n{stack}"] += 1

    sys.excepthook = uncaught
    qInstallMessageHandler(said)
    with open_for_pictures(demonstration_copy(folder)) as window:
        window.prepare()  # as the program does soon after its start
        monkey = Monkey(window, folder, seed, found)
        heart = Heart(found, lambda: monkey.act)
        pulse = QTimer(interval=_BEAT_MS)
        pulse.timeout.connect(heart.beat)
        pulse.start()
        ends = time.monotonic() + 60 * minutes
        guard = QObject(window)

        left = False

        def again() -> None:
            # The next one is set first: an act may open a menu or a dialog, and comes back only
            # when that is closed.
            if not left:
                QTimer.singleShot(_PAUSE_MS, guard, again)
                monkey.step() if time.monotonic() < ends else monkey.escape()

        again()
        while time.monotonic() < ends or monkey.in_front() is not None:
            wait(0.2)
        left = True
        pulse.stop()
        heart.end()
    qInstallMessageHandler(None)
    sys.excepthook = sys.__excepthook__
    return found


def report(found: Found, seed: int) -> str:
    """Return what was found, the frequent first."""
    lines = [f"Seed {seed}: {found.acts} acts, {len(found.faults)} faults, "
             f"{len(found.freezes)} freezes of more than {FREEZE_MS} ms."]  # fmt: skip
    for text, count in found.faults.most_common():
        lines.append(f"\n{count} times:\n{text}")
    for spent, act, where in sorted(found.freezes, reverse=True)[:20]:
        lines.append(f"\n{spent:.0f} ms at “{act}”:\n{where}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(own_folders(args.folder.resolve()))
    faulthandler.enable()
    found = run(args.folder.resolve(), args.minutes, args.seed)
    print(report(found, args.seed))
    return 1 if found.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
