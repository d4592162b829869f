"""What is said when the system lacks a library that Qt needs."""

from __future__ import annotations

import sys

import pytest

from sae_desktop.cli import qt_libraries, window


def test_missing_library__is_read_from_the_loaders_message() -> None:
    message = "libEGL.so.1: cannot open shared object file: No such file or directory"
    assert qt_libraries.missing_library(message) == "libEGL.so.1"
    assert qt_libraries.missing_library("No module named 'PySide6'") is None


def test_explanation__names_library_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qt_libraries, "_loads", lambda name: name != "libxcb-icccm.so.4")
    text = qt_libraries.explain_missing("libxcb-cursor.so.0", x11=True)
    assert "the system lacks libxcb-cursor.so.0 and libxcb-icccm.so.4" in text
    assert "apt install libxcb-cursor0 libxcb-icccm4" in text
    assert "dnf install xcb-util-cursor xcb-util-wm" in text
    assert "pacman -S xcb-util-cursor xcb-util-wm" in text


@pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")
def test_window__names_the_missing_library_instead_of_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_gui(*_: object) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(window, "window_problem", lambda: None)
    monkeypatch.setitem(sys.modules, "sae_desktop.gui.frame.app", None)
    with pytest.raises(ImportError):
        window.open_window(None)  # not a matter of libraries: told as it is
    monkeypatch.setattr("builtins.__import__", _import_that_fails(no_gui))
    assert window.open_window(None) == 1
    assert "libGL.so.1" in capsys.readouterr().err


def _import_that_fails(fail: object) -> object:
    real = __import__

    def importing(name: str, *rest: object) -> object:
        if name == "sae_desktop.gui.frame.app":
            assert callable(fail)
            fail()
        return real(name, *rest)  # type: ignore[arg-type]

    return importing


def test_window__is_checked_for_x11_only_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = "libxcb-cursor.so.0: cannot open shared object file"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(window, "xcb_plugin_problem", lambda: broken)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert window.window_problem() is None
    monkeypatch.delenv("QT_QPA_PLATFORM")
    problem = window.window_problem()
    assert problem is not None
    assert "libxcb-cursor.so.0" in problem
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert window.window_problem() is None
