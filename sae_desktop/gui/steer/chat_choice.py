"""Offers the chat template of a model that has one."""

from __future__ import annotations

from PySide6.QtCore import QObject

from sae_desktop.gui.state.described_model import BUILTIN, DescribedModel
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt


class ChatChoice(QObject):
    """Shows whether the model of the open index has a template, and chooses it once a model."""

    def __init__(self, model: DescribedModel, form: SteeringPrompt) -> None:
        super().__init__(form)
        self._model, self._form = model, form
        self._chosen_for = ""
        model.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        """Offer the template, chosen until it is unchecked; also while it is not known."""
        model, told = self._model.model, self._model.description
        if told is None:
            self._chosen_for = ""
            self._form.chat.setVisible(model not in ("", BUILTIN))
        elif model != self._chosen_for:
            self._chosen_for = model
            self._form.chat.setVisible(told.chat_template)
            if told.chat_template and not self._form.preset_taken:
                self._form.chat.setChecked(True)
