"""The controls beside what is steered: which are asked for, and in which text each is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.steer.generated_text import GeneratedText
from sae_desktop.gui.steer.steering_outputs import CONTROLS
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt
from sae_desktop.steering.config import Intervention, Variant
from sae_desktop.steering.controls import asking_control, means_control, random_control


def asked_controls(
    form: SteeringPrompt,
    texts: Mapping[str, GeneratedText],
    acts: Sequence[Intervention],
    index: FeatureIndex | None,
) -> list[tuple[GeneratedText, Variant]]:
    """Return the controls the form asks for, each with its text of `texts`, by CONTROLS."""
    random, means, asking = (texts[name] for name in CONTROLS)
    found = []
    if form.random.isChecked() and acts:
        found.append((random, random_control(acts)))
    if form.means.isChecked() and index is not None and _of_features(acts):
        found.append((means, means_control(acts, index)))
    if form.asking.text().strip():
        found.append((asking, asking_control(form.asking.text())))
    return found


def _of_features(acts: Sequence[Intervention]) -> bool:
    """Return whether all are features of the open index, which has contexts to take means of."""
    return bool(acts) and all(act.feature is not None and not act.index for act in acts)
