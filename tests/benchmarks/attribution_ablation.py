"""How far attribution and graphs say what ablation does: 20 prompts.

    python tests/benchmarks/attribution_ablation.py PROJECT INDEX [--set SET] [--prompts 20]

Of each prompt: correlation of attribution, and of activation, with ablation over firings drawn at
random, of one index's dictionary. With `--set` each prompt is traced, too: replacement and
completeness score, correlation of what the graph predicts of ablating its top nodes with what
that does (attention and norms held, attention held, nothing held), that of what the replacement
model does, and the mean effect beside random features'. The project is copied first, and left as
it is. Prints one line a prompt, then the medians, and of how many prompts a figure is at most .1,
and below 0.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from sae_desktop.circuits.asking_config import FaithfulnessConfig
from sae_desktop.circuits.attribute import attribute
from sae_desktop.circuits.config import TraceConfig
from sae_desktop.circuits.lens_config import AttributeConfig
from sae_desktop.circuits.testing.faithfulness import faithfulness
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.jobs import SilentContext

PROMPTS = (
    "The capital of France is",
    "In the beginning God created the heaven and the",
    "def add(first, second):\n    return first",
    "La capitale de l’Italie est",
    "The sun rises in the east and sets in the",
    "She opened the door and walked into the",
    "Water boils at one hundred degrees",
    "for number in range(10):\n    print",
    "The king and the queen lived in a",
    "He was born in the city of",
    "import numpy as",
    "The quick brown fox jumps over the lazy",
    "Two plus two is equal to",
    "Der Hund ist ein",
    "The president of the United",
    "Every person has the right to",
    "My favourite colour is",
    "The river flows into the",
    "class Dog(Animal):\n    def __init__(self",
    "On the first day of the week, the",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("index")
    parser.add_argument("--set", default="")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    given = parser.parse_args()
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "p.saeproj"
        shutil.copytree(given.project, project)
        for number, prompt in enumerate(PROMPTS[: given.prompts]):
            row = _attributed(project, given.index, prompt)
            if given.set:
                row |= _traced(project, given.set, f"g{number}", prompt)
            rows.append(row)
            print(repr(prompt), {name: round(value, 3) for name, value in row.items()}, flush=True)
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if name in row]
        low, negative = sum(v <= 0.1 for v in values), sum(v < 0 for v in values)
        print(
            f"{name}: median {statistics.median(values):.3f} of {len(values)}, lowest "
            f"{min(values):.3f}, {low} up to .1, {negative} below 0"
        )


def _attributed(project: Path, index: str, prompt: str) -> dict[str, float]:
    found = attribute(
        AttributeConfig(project=str(project), index=index, prompt=prompt, device="cpu"),
        SilentContext(),
    )
    told = {
        "attribution": found.attribution_correlation,
        "activation": found.activation_correlation,
    }
    return {name: value for name, value in told.items() if value is not None}


def _traced(project: Path, name: str, graph: str, prompt: str) -> dict[str, float]:
    made = trace(
        TraceConfig(project=str(project), name=graph, set=name, prompt=prompt, device="cpu"),
        SilentContext(),
    )
    row = {"replacement": made.replacement_score, "completeness": made.completeness_score}
    for attention in ("frozen", "free"):
        found = faithfulness(
            FaithfulnessConfig(
                project=str(project), graph=graph, attention=attention, device="cpu"
            ),
            SilentContext(),
        )
        agreed = found.agreement
        told = {
            f"replacement model, attention {attention}": agreed.replaced,
            "predicted, held": agreed.held,
            "predicted, attention held": agreed.attention_held,
            "predicted, free": agreed.free,
            "predicted, replacement model held": agreed.edges,
        }
        row |= {name: value for name, value in told.items() if value is not None}
        row[f"top effect, {attention}"] = found.top_effect
        row[f"random effect, {attention}"] = found.random_effect
    return row


if __name__ == "__main__":
    main()
