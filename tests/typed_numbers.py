"""Numbers typed into every field of a form, and the forms of the window that have such fields."""

from __future__ import annotations

from PySide6.QtCore import QLocale, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from sae_desktop.gui.explore.ask.probe_bars import ProbeSettings
from sae_desktop.gui.harvest.corpus_fields import CorpusFields
from sae_desktop.gui.harvest.harvest_amount import HarvestAmount
from sae_desktop.gui.harvest.picture_fields import PictureFields
from sae_desktop.gui.parts.number_fields import CountField, NumberField, problems_of
from sae_desktop.gui.steer.direction_menu import DecoderRowDialog, IndexFeatureDialog
from sae_desktop.gui.train.live_controls import LiveControls
from sae_desktop.gui.train.training_settings import TrainingSettings

LOCALES = ["C", "en_US", "de_DE", "fr_FR", "ar_EG"]


def enter(field: NumberField, text: str) -> None:
    """Type over what is there, and press Return."""
    field.lineEdit().selectAll()
    field.lineEdit().insert(text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def forms_without_a_session() -> list[QWidget]:
    """Every part of the window that has fields for numbers and needs no project."""
    training = TrainingSettings()
    live = LiveControls()
    live.begin(1e-3, 5.0, has_sparsity=True)
    return [
        training,
        HarvestAmount(),
        CorpusFields(),
        PictureFields(),
        ProbeSettings(),
        DecoderRowDialog(["d"]),
        IndexFeatureDialog(["i"]),
        live,
    ]


def wanted(field: NumberField) -> float:
    """Return a value in the field's bounds that another reading would change."""
    low, high = field.minimum(), field.maximum()
    if isinstance(field, CountField):
        return 12_345 if low <= 12_345 <= high else int(min(max(12, low), high))
    return next(v for v in (0.0003, 0.35, 1.5, high) if max(low, 0.0) <= v <= high)


def hold_every_field(form: QWidget, locale: QLocale) -> None:
    """Type into each field of a form in every way: it must hold, show and read back what is meant.

    What cannot be read is kept as it was typed, marked, and told by the form.
    """
    fields = form.findChildren(NumberField)
    assert fields
    for field in fields:
        field.setEnabled(True)  # one may wait for another, as top-k for a temperature
        value = wanted(field)
        plain = f"{value:g}" if isinstance(field, CountField) else f"{value}"
        for text in (plain, plain.replace(".", ","), f"{value:e}", locale.toString(value)):
            field.setValue(field.minimum())
            field.setEnabled(True)
            enter(field, text)
            assert (field.value(), field.problem) == (value, ""), (text, field.accessibleName())
            enter(field, field.lineEdit().text())  # what it shows means the same
            assert field.value() == value
        enter(field, "1e-")
        assert field.value() == value
        assert "1e-" in field.lineEdit().text()
        assert field.problem
        assert field.property("invalid") == "true"
        assert problems_of(form)
        QTest.keyClick(field, Qt.Key.Key_Escape)
        assert not field.problem
