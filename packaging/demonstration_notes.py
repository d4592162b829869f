"""What a person adds to the demonstration: labels, stars, the list to start with, a preset.

Each is checked against the index before it is written: a label against the feature's strongest
contexts, the preset against the texts that the model writes with it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from sae_desktop.demonstrations import START_LIST
from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.label_words import DEMONSTRATION
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, clamped
from sae_desktop.steering.job import steer
from sae_desktop.steering.presets import preset_of, save_preset

LABELS = Path(__file__).with_name("demonstration_labels.json")
FITTING_SHARE = 0.7
START_ANNOTATION = "Features that are easy to read and to steer with"

PRESET = "English becomes French"
FRENCH, STRENGTH, PROMPT = 158, 1.25, "The house is"
SAMPLING = Sampling()
_FRENCH_WORD = re.compile(
    r"\b(le|la|les|de|des|du|un|une|et|est|il|ce|ces|à|en|pour|que|qui|l'|d')\b|\w*[éèêçù]\w*"
)
LEAST_FRENCH = 0.3
"""Share of words that are French by their form."""
MOST_REPEATED = 0.5
"""Share of words that have stood in the text before."""


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that a person has read, and what its strongest contexts must have."""

    feature: int
    label: str
    language: str = ""
    source: str = ""
    token: str = ""
    """Pattern of the chosen token."""
    start: str = ""
    """What it is an example of, in the list to start with; empty: it is not in it."""

    def fits(self, context: Context) -> bool:
        chosen = context.tokens[context.peak]
        return (
            self.language in ("", context.language)
            and self.source in ("", context.source)
            and (not self.token or re.fullmatch(self.token, chosen) is not None)
        )


def labelled(labels: Path = LABELS) -> list[Labelled]:
    """Return the features with their labels, those of the list to start with in its order."""
    return msgspec.json.decode(labels.read_bytes(), type=list[Labelled])


def fitting(index: FeatureIndex, one: Labelled) -> float:
    """Return the share of a feature's strongest contexts that are as its label says."""
    top = [c for c in index.contexts(one.feature, 0, 0) if c.bucket == TOP_BUCKET]
    return sum(map(one.fits, top)) / len(top)


def write_notes(project: Project, name: str, labels: Path = LABELS) -> None:
    """Label and star the features, and list those to start with.

    A dictionary whose contexts are not as the labels say is another one, and must be read anew.
    """
    index = FeatureIndex(project.index_path(name))
    notes = Notes(project.notes_path)
    for one in labelled(labels):
        share = fitting(index, one)
        strength = index.strength(one.feature)
        if one.start and (strength is None or strength.verdict != "works"):
            raise SystemExit(
                f"Feature {one.feature} is not one to start with: it cannot be steered."
            )
        if share < FITTING_SHARE:
            raise SystemExit(f"Feature {one.feature} is not “{one.label}” here ({share:.0%}).")
        note = FeatureNote(feature=one.feature, label=one.label, author=DEMONSTRATION, starred=True)
        notes.save(name, note)
        print(f"{share:.0%} of the contexts fit: #{one.feature} {one.label}")
    members = [
        ListMember(feature=o.feature, annotation=o.start) for o in labelled(labels) if o.start
    ]
    FeatureLists(notes).write(
        name, START_LIST, FeatureList(name=START_LIST, annotation=START_ANNOTATION, members=members)
    )
    notes.close()


def french_share(text: str) -> float:
    """Return the share of a text's words that are French by their form."""
    words = re.findall(r"\w+'?", text)
    return len(_FRENCH_WORD.findall(text)) / max(len(words), 1)


def repeated_share(text: str) -> float:
    """Return the share of a text's words that have stood in it before."""
    words = re.findall(r"\w+", text.lower())
    return 1 - len(set(words)) / max(len(words), 1)


def write_preset(project: Project, name: str) -> None:
    """Save steering that turns the text into French and leaves it whole, as it is checked here."""
    variants = [PLAIN, clamped({FRENCH: STRENGTH})]
    asked = SteerConfig(
        project=str(project.path), index=name, prompt=PROMPT, variants=variants, sampling=SAMPLING
    )
    plain, steered = (variant.text for variant in steer(asked, SilentContext()).variants)
    print(json.dumps({"plain": plain, "steered": steered}, ensure_ascii=False, indent=2))
    turned = french_share(plain) < LEAST_FRENCH <= french_share(steered)
    if not turned or repeated_share(steered) > MOST_REPEATED:
        raise SystemExit("The preset does not turn the text, or it breaks it.")
    info = FeatureIndex(project.index_path(name)).info
    save_preset(
        project,
        preset_of(PRESET, info, PROMPT, variants, SAMPLING, chat=False),
        replace=True,
    )
