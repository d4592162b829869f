"""Forms call a setting what its config calls it, explain it as there, and begin at its default."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from PySide6.QtWidgets import QCheckBox, QFormLayout, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.comparison.config import CompletenessConfig
from sae_desktop.described import default, setting
from sae_desktop.features.config import IndexConfig
from sae_desktop.gui.explore.ask.completeness import CompletenessPanel
from sae_desktop.gui.forms.job_forms import EvaluateForm, IndexForm
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.monitor_choice import MonitorChoice
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt
from sae_desktop.steering.config import Sampling, SteerConfig
from sae_desktop.training.config import EvaluateConfig

Form = tuple[Callable[[Session], QWidget], tuple[tuple[type[msgspec.Struct], dict[str, str]], ...]]
FORMS: dict[str, Form] = {
    "steer": (
        lambda session: SteeringPrompt(
            QPushButton(), QPushButton(), QPushButton(), MonitorChoice(session)
        ),
        (
            (Sampling, {"max_new_tokens": "tokens", "temperature": "temperature",
                        "top_k": "top_k", "top_p": "top_p",
                        "repetition_penalty": "penalty", "seed": "seed"}),
            (SteerConfig, {"chat": "chat"}),
        ),
    ),
    "evaluate": (
        lambda session: EvaluateForm(session, "dict"),
        ((EvaluateConfig, {"rows": "rows", "loss_windows": "windows", "control": "control"}),),
    ),
    "index": (
        lambda session: IndexForm(session, "dict"),
        ((IndexConfig, {"rows": "rows", "top_contexts": "contexts", "bucket_scheme": "scheme",
                        "keep_firings": "keep"}),),
    ),
    "completeness": (CompletenessPanel, ((CompletenessConfig, {"control": "control"}),)),
}  # fmt: skip
"""How each is made, and which of its fields is which setting."""


@pytest.mark.parametrize("form", FORMS)
def test_form__speaks_of_its_settings_as_their_config_does(
    form: str, with_dictionaries: Session, qtbot: QtBot
) -> None:
    make, configs = FORMS[form]
    made = make(with_dictionaries)
    qtbot.addWidget(made)
    for config, fields in configs:
        for name, attribute in fields.items():
            told, field = setting(config, name), getattr(made, attribute)
            assert _title(made, field) == told.title
            assert field.accessibleName() == told.title or field.text() == told.title
            assert field.toolTip() == plain_tip(told.description)
            usual = default(config, name)
            if isinstance(field, QCheckBox):
                assert field.isChecked() == usual
            elif hasattr(field, "value"):
                assert field.value() == usual
            else:
                assert field.currentData() == usual


def _title(form: QWidget, field: QWidget) -> str:
    """Return what stands on or beside a field."""
    if isinstance(field, QCheckBox):
        return field.text()
    for layout in form.findChildren(QFormLayout):
        label = layout.labelForField(field)
        if label is not None:
            return label.text()
    raise AssertionError(f"{field} stands in no form")
