"""Steering that shows something at once: an example to continue, and a text without asking."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QObject

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.generated_text import GeneratedText
from sae_desktop.gui.steer.rack_panel import SteeringRack
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt
from sae_desktop.steering.config import SteerConfig, SteerResult
from sae_desktop.steering.effect_config import ASKED, CONTINUED
from sae_desktop.words.steering_verdict import plain_beside, verdict_of


class Steering(Protocol):
    """What is asked of the panel."""

    rack: SteeringRack
    form: SteeringPrompt

    def generate_by_itself(self) -> None: ...


class FirstText(QObject):
    """Follows a feature that is steered with from elsewhere.

    An empty prompt gets an example. Where its slider is the only one, a text is generated once
    its strength is known: nobody has to find Generate to see what steering is.
    """

    def __init__(self, session: Session, panel: Steering, parent: QObject) -> None:
        super().__init__(parent)
        self._panel = panel
        self._awaited: int | None = None
        session.steerRequested.connect(self._on_steer_requested)
        panel.rack.strengthSettled.connect(self._on_settled)

    def _on_steer_requested(self, feature: int) -> None:
        form, rack = self._panel.form, self._panel.rack
        if feature not in [entry.feature for entry in rack.rack]:
            return  # it was refused
        if not form.prompt.toPlainText().strip():
            form.prompt.setPlainText(ASKED if form.uses_chat() else CONTINUED[0])
        on = [entry.key for entry in rack.rack if entry.on]
        self._awaited = feature if on == [feature] else None
        if rack.settled(feature):
            self._on_settled(feature)

    def _on_settled(self, feature: int) -> None:
        if feature == self._awaited:
            self._awaited = None
            self._panel.generate_by_itself()


def show_verdicts(
    texts: list[GeneratedText],
    asked: SteerConfig,
    result: SteerResult,
    index: FeatureIndex | None,
    rack: SteeringRack,
) -> None:
    """Say under each text what became of it, for texts made with the open index."""
    if index is None:
        return
    for text, variant, found in zip(texts, asked.variants, result.variants, strict=False):
        plain = plain_beside(asked.variants, result.variants, found)
        text.set_verdict(verdict_of(variant.interventions, found, plain, rack.strengths.of))
