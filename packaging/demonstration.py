"""Make the demonstration project that ships, by the jobs a person would run.

    python packaging/demonstration.py [--work FOLDER] [--out resources/demonstration.saeproj]

Harvests the built-in model, trains, evaluates and indexes a dictionary, names the features
of `demonstration_labels.json`, and copies everything but the activations. What a job has
finished is not done again, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate

HERE = Path(__file__).parent
NAME = "builtin-L3"
SITE = "blocks.3.hook_resid_post"
TOKENS = 600_000
FEATURES = 2048
K = 30
ROWS = 3_000_000
LEARNING_RATE = 3e-3
FITTING_SHARE = 0.7
REACH = 48
"""Tokens around a context: what ships is read, not added to, and should be small."""


class PrintingContext(SilentContext):
    """Prints a job's log, and its progress every ten seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if time.monotonic() - self._last > 10:
            self._last = time.monotonic()
            print(f"{done:,.0f} of {total:,.0f} {unit} {message}", flush=True)

    def log(self, message: str) -> None:
        print(message, flush=True)


def build(work: Path) -> Project:
    """Run the jobs in a project at `work` and return it."""
    project = Project.open_or_create(work, title="Demonstration")
    path, context = str(project.path), PrintingContext()
    with project.lock():
        harvest(
            HarvestConfig(project=path, name=NAME, site=SITE, tokens=TOKENS, batch_tokens=8192),
            context,
        )
        training = TrainConfig(
            project=path, name=NAME, activations=NAME, features=FEATURES, k=K,
            tokens=ROWS, lr=LEARNING_RATE,
        )  # fmt: skip
        print(train(training, context))
        result = evaluate(EvaluateConfig(project=path, dictionary=NAME), context)
        print(json.dumps(msgspec.to_builtins(result), indent=2))
        index = IndexConfig(
            project=path, dictionary=NAME, name=NAME, context_reach=REACH, keep_firings=False
        )
        print(build_index(index, context))
    return project


def name_features(project: Project) -> None:
    """Give the features that a person has read their labels.

    The numbers are those of the dictionary that ships. Each label names the language or the
    source that the feature's strongest contexts must have; a dictionary in which they have not
    is another one, and must be read anew.
    """
    index = FeatureIndex(project.index_path(NAME))
    notes = Notes(project.notes_path)
    for entry in json.loads((HERE / "demonstration_labels.json").read_text()):
        top = [c for c in index.contexts(entry["feature"]) if c.bucket == TOP_BUCKET]
        fitting = sum(
            entry.get("language", c.language) == c.language
            and entry.get("source", c.source) == c.source
            for c in top
        )
        if fitting < FITTING_SHARE * len(top):
            raise SystemExit(f"Feature {entry['feature']} is not “{entry['label']}” here.")
        note = FeatureNote(feature=entry["feature"], label=entry["label"], starred=True)
        notes.save(NAME, note)
        print(f"{fitting} of {len(top)} contexts fit: #{note.feature} {note.label}")
    notes.close()


def ship(project: Project, out: Path) -> None:
    """Copy the project without its activations."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(
        project.path, out, ignore=shutil.ignore_patterns("activations", ".lock*", "*-wal", "*-shm")
    )
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/demonstration.saeproj"))
    parser.add_argument(
        "--out", type=Path, default=HERE.parent / "resources" / "demonstration.saeproj"
    )
    options = parser.parse_args()
    project = build(options.work)
    name_features(project)
    ship(project, options.out)


if __name__ == "__main__":
    main()
