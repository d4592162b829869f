"""Results of steering made for a test."""

from __future__ import annotations

from sae_desktop.client.job import Job
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.steering.config import (
    NextToken,
    SteerConfig,
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


def steered(client) -> list[Job]:  # type: ignore[no-untyped-def]
    """Return the jobs that steer, without the questions beside them."""
    return [job for job in client.jobs if isinstance(job.config, SteerConfig)]


# ---------------------------------------------------------------- kept beside, directions, places
def steer(panel: SteeringPanel, session: Session, feature: int, strength: float) -> None:
    session.steerRequested.emit(feature)
    panel.rack.slider(feature).slider.setValue(strength)
