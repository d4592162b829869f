"""Numbers as people type them, in every form and three locales: read as meant, or refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from typed_numbers import LOCALES, enter, forms_without_a_session, hold_every_field

from sae_desktop.gui.parts.number_fields import (
    CountField,
    DecimalField,
    OptionalDecimalField,
    WholeField,
)
from sae_desktop.gui.train.training_settings import TrainingSettings
from sae_desktop.training.config import TrainConfig
from sae_desktop.words.number_reading import NotANumberError, read_count, read_number

GUI = Path(__file__).parents[3] / "sae_desktop" / "gui"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("3E-4", 3e-4),
        ("0.0003", 3e-4),
        ("0,0003", 3e-4),
        (",5", 0.5),
        ("1.5e+3", 1500.0),
        ("1,5e3", 1500.0),
        ("1\u202f234,5", 1234.5),  # narrow no-break space, as French has it
        ("1\u2009234.5", 1234.5),
        ("1 234", 1234.0),
        ("1'234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1.234.567", 1234567.0),
        ("−0.25", -0.25),
        ("٠٫٥", 0.5),
        ("١٬٢٣٤٫٥", 1234.5),
        ("0.125", 0.125),
        ("0,125", 0.125),
        ("1.234", 1.234),
    ],
)
def test_number__is_read_as_it_was_meant(text: str, value: float) -> None:
    for grouping in (",", ".", "\u202f", "٬"):
        assert read_number(text, grouping=grouping) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "abc", "1e", "1e-", "1.2.3", "1,2,3", "--1", "1..2", "1 e 4 5x", "nan", "1e999"],
)
def test_number__that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(NotANumberError):
        read_number(text, grouping=",")


def test_comma__that_may_part_thousands_or_be_the_point_is_asked_about() -> None:
    with pytest.raises(NotANumberError, match=r"write 1234 or 1\.234"):
        read_number("1,234", grouping=",")
    assert read_number("1,234", grouping=".") == 1.234


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2000000", 2_000_000),
        ("2 000 000", 2_000_000),
        ("2,000,000", 2_000_000),
        ("2.000.000", 2_000_000),
        ("1,000", 1_000),
        ("1.000", 1_000),
        ("2\u202f000", 2_000),
        ("2e6", 2_000_000),
        ("2,5e6", 2_500_000),
        ("9007199254740993", 9_007_199_254_740_993),
        ("٢٠٠", 200),
    ],
)
def test_count__is_read_as_it_was_meant(text: str, value: int) -> None:
    assert read_count(text) == value


@pytest.mark.parametrize("text", ["1.5", "1,5", "1,00", "12,34", "", "x", "0.5e0"])
def test_count__that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NotANumberError):
        read_count(text)


# ---------------------------------------------------------------------- the fields
@pytest.fixture(params=LOCALES)
def locale(request: pytest.FixtureRequest, qapp: object) -> Iterator[QLocale]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield QLocale(request.param)
    QLocale.setDefault(before)


def test_fields_of_every_form__take_what_is_typed_in_every_locale(
    locale: QLocale, qtbot: QtBot
) -> None:
    for form in forms_without_a_session():
        qtbot.addWidget(form)
        hold_every_field(form, locale)


def test_learning_rate__keeps_every_digit(locale: QLocale, qtbot: QtBot) -> None:
    settings = TrainingSettings()
    qtbot.addWidget(settings)
    for text, value in (("1e-4", 1e-4), ("3e-4", 3e-4), ("0,0003", 3e-4), ("1.25e-9", 1.25e-9)):
        enter(settings.fields["lr"], text)
        assert settings.config("").lr == value


def test_number_out_of_bounds__is_marked_not_clipped(qtbot: QtBot) -> None:
    field = DecimalField(0.5, 1.0, 3)
    qtbot.addWidget(field)
    enter(field, "7")
    assert field.lineEdit().text() == "7"
    assert field.problem == "At most 1."
    assert field.value() == 0.5
    field.setValue(3.0)  # as when settings of a run are copied
    assert field.value() == 3.0
    assert field.problem == "At most 1."


def test_unreadable_number__stays_when_the_focus_goes(qtbot: QtBot) -> None:
    form = QWidget()
    first, second = DecimalField(0.5, 1.0, 3), DecimalField(0.5, 1.0, 3)
    for field in (first, second):
        field.setParent(form)
    qtbot.addWidget(form)
    form.show()
    first.setFocus()
    first.lineEdit().selectAll()
    QTest.keyClicks(first, "0.2.5")
    second.setFocus()
    assert first.lineEdit().text() == "0.2.5"
    assert first.problem == "“0.2.5” is not a number."
    assert first.value() == 0.2  # the last that could be read


def test_unreadable_number__keeps_a_training_from_starting(qtbot: QtBot) -> None:
    settings = TrainingSettings()
    qtbot.addWidget(settings)
    settings.show()
    settings.more_button.click()
    heard: list[None] = []
    settings.changed.connect(lambda: heard.append(None))
    settings.fields["lr"].lineEdit().selectAll()
    QTest.keyClicks(settings.fields["lr"], "fast")
    assert settings.unreadable() == {"lr": "“fast” is not a number."}
    assert heard


def test_steps__go_by_the_size_of_the_number(qtbot: QtBot) -> None:
    count, decimal, whole = CountField(90_000, 1), DecimalField(0.001, 1.0, 8), WholeField(9)
    optional = OptionalDecimalField(1.0, 3)
    optional.set_default(0.25)
    for field in (count, decimal, whole, optional):
        qtbot.addWidget(field)
        field.stepBy(1)
    assert (count.value(), whole.value(), optional.chosen()) == (100_000, 10, 0.25)
    assert decimal.value() == pytest.approx(0.0011)
    count.stepBy(-1)
    decimal.setValue(0.001)
    decimal.stepBy(-1)
    assert (count.value(), decimal.value()) == (90_000, pytest.approx(0.00099))
    optional.choose(0.0)
    optional.stepBy(-1)
    assert optional.chosen() is None


def test_settings_of_a_run_of_more_than_two_thousand_million_rows__are_copied_and_heard(
    qtbot: QtBot,
) -> None:
    settings = TrainingSettings()
    qtbot.addWidget(settings)
    long = TrainConfig(project="", name="long", features=16, tokens=5_000_000_000)
    settings.fill(long)
    assert settings.config("").tokens == 5_000_000_000
    heard: list[None] = []
    settings.changed.connect(lambda: heard.append(None))
    for field in settings.fields.values():
        assert not field.signalsBlocked()
    settings.fields["batch"].setValue(64)
    assert heard


def test_fill_that_fails__leaves_no_field_deaf(qtbot: QtBot) -> None:
    settings = TrainingSettings()
    qtbot.addWidget(settings)
    broken = TrainConfig(project="", name="x")
    settings.choose_store = None  # type: ignore[method-assign, assignment]  # a fault in the middle
    with pytest.raises(TypeError):
        settings.fill(broken)
    assert not any(field.signalsBlocked() for field in settings.fields.values())


def test_signals__are_blocked_by_a_guard_alone() -> None:
    by_hand = [p.name for p in GUI.rglob("*.py") if "blockSignals(" in p.read_text("utf-8")]
    assert by_hand == []


def test_signals__are_kept_quiet_by_no_flag() -> None:
    """A flag is left standing by an error between its True and its False."""
    flags = set()
    for path in GUI.rglob("*.py"):
        for method in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(method, ast.FunctionDef):
                continue
            given: dict[str, set[object]] = {}
            for step in ast.walk(method):
                if isinstance(step, ast.Assign) and isinstance(step.value, ast.Constant):
                    given.setdefault(ast.unparse(step.targets[0]), set()).add(step.value.value)
            flags |= {name for name, values in given.items() if {True, False} <= values}
    # The view itself must hear of the moves of its header, and Qt tells no drop from a paste.
    allowed = {"self._arranging", "self._dropping"}
    assert {flag for flag in flags if flag.startswith("self.")} == allowed


def test_numbers__have_one_field_in_the_whole_window() -> None:
    others = [
        path.name
        for path in GUI.rglob("*.py")
        if any(
            name in path.read_text("utf-8")
            for name in ("QSpinBox", "QDoubleSpinBox", "QDoubleValidator")
        )
    ]
    assert others == []
