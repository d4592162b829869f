"""Offers the chat template of a model that has one."""

from __future__ import annotations

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription

_BUILTIN = "builtin"
"""The model that ships: it has no chat template."""


class ChatChoice:
    """Asks of the model of the open index whether it has a template, once a model."""

    def __init__(self, session: Session, form: SteeringPrompt) -> None:
        self._session, self._form = session, form
        self._model = ""

    def ask(self, model: str) -> None:
        """Offer the model's template, chosen until it is unchecked; “”: there is no model."""
        if model == self._model:
            return
        self._model = model
        self._form.chat.setVisible(bool(model) and model != _BUILTIN)
        if not model or model == _BUILTIN:
            return
        job = self._session.run(DescribeModelConfig(model=model))
        if job is not None:
            job.finished.connect(lambda described: self._on_template(model, described))

    def _on_template(self, model: str, described: ModelDescription) -> None:
        if model != self._model:
            return
        self._form.chat.setVisible(described.chat_template)
        if described.chat_template and not self._form.preset_taken:
            self._form.chat.setChecked(True)
