"""Results of steering made for a test."""

from __future__ import annotations

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.steering.config import (
    NextToken,
    SteerResult,
    VariantResult,
)

NEXT = [
    NextToken(token=" God", probabilities=[0.4, 0.2]),
    NextToken(token=" Lord", probabilities=[0.05, 0.6]),
]


def result(prompt: str, plain: str = "", steered: str = "") -> SteerResult:
    variants = [
        VariantResult(name=name, prompt=prompt, text=text)
        for name, text in (("plain", plain), ("steered", steered))
    ]
    return SteerResult(variants=variants, next_tokens=NEXT)


# ---------------------------------------------------------------- kept beside, directions, places
def steer(panel: SteeringPanel, session: Session, feature: int, strength: float) -> None:
    session.steerRequested.emit(feature)
    panel.rack.slider(feature).slider.setValue(strength)
