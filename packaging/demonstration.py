"""Make the demonstration project that ships, by the jobs a person would run.

    python packaging/demonstration.py [--work FOLDER] [--retrain | --names | --safety]

Two dictionaries of one site of the built-in model, evaluated, indexed over the same text, matched,
measured for what their features do to the output, and asked which concepts they have; a small
store to train on; labels, a list to start with and a preset (`demonstration_notes.py`); a scan
and two monitors (`demonstration_safety.py`). What a harvest or a training has finished is not done
again.

The larger dictionary is the one that ships already: trained again, its features would have other
numbers, and every label would have to be read anew (`--retrain`). `--names` names the features of
what ships anew, from the firings of the same text, and changes nothing else; `--safety` scans and
calibrates anew.

What ships is worked on in `build/shipped.saeproj` and packed into one archive by
`demonstration_archive.py`. What is left out for its size is said in the project's own words
(`ABOUT`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import msgspec
import numpy as np
from demonstration_archive import pack, unpacked
from demonstration_notes import write_notes, write_preset
from demonstration_safety import write_safety

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.comparison.completeness import completeness
from sae_desktop.comparison.config import CompletenessConfig, MatchConfig
from sae_desktop.comparison.match import match
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.names import result_of, write_names_of
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.firing_paths import firings_folder
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.labels.scoring.job import score_labels
from sae_desktop.project import Project
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.output_effect import output_effect
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate
from sae_desktop.words.name_text import named_lines
from sae_desktop.words.score_text import scored_lines

NAME, SMALL = "builtin-L3", "builtin-L3-512"
"""The dictionaries; the larger one's store is called as it is, and so are the indexes."""
SAMPLE = "sample"
SITE = "blocks.3.hook_resid_post"
TOKENS, SAMPLE_TOKENS = 600_000, 16_000
NEW_TEXTS = 4
"""Made from each label, to see whether its feature fires in them."""
SIZES = {NAME: (2048, 30), SMALL: (512, 20)}
"""Features and k."""
ROWS = 3_000_000
LEARNING_RATE = 3e-3
REACH = 48
"""Tokens around a context: what ships is read, not added to, and should be small."""
ABOUT = (
    "To stay small, this demonstration leaves out the activations of its 600,000 tokens (315 MB) "
    "and all firings on them (620 MB): harvest that text again to train on all of it, to merge "
    "indexes, or to look for other concepts. The store “sample” has 16,000 tokens: enough to try "
    "training, too few for a good dictionary. The set “circuits” has a transcoder for each of the "
    "model’s six layers, with which the answer to a prompt is traced; to stay small, its weights "
    "are in half precision and its indexes hold few contexts."
)
CONCEPTS = "programming"
"""The list that occurs often enough in this text to be judged."""
SHIPPED = Path("build/shipped.saeproj")
"""What ships, unpacked."""


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


def whole_text(project: str) -> HarvestConfig:
    """Return the harvest of the text that the dictionaries are trained and indexed on."""
    return HarvestConfig(
        project=project, name=NAME, site=SITE, tokens=TOKENS, batch_tokens=8192, order="files"
    )


def build(work: Path, *, retrain: bool) -> Project:
    """Run the jobs in a project at `work` and return it."""
    project = Project.open_or_create(work, title="Demonstration", about=ABOUT)
    path, context = str(project.path), PrintingContext()
    if not retrain and not project.dictionary_path(NAME).exists():
        shipped = unpacked(SHIPPED) / "dictionaries" / NAME
        shutil.copytree(shipped, project.dictionary_path(NAME))
    with project.lock():
        # In the order of files, as the dictionary that ships was trained; the sample in a mixed
        # one, so that it is one of the whole.
        whole = whole_text(path)
        sample = HarvestConfig(
            project=path, name=SAMPLE, site=SITE, tokens=SAMPLE_TOKENS, batch_tokens=8192,
            dtype="int8",
        )  # fmt: skip
        for config in (whole, sample):
            harvest(config, context)
        for name in SIZES:
            _dictionary(project, name, context, kept=name == NAME and not retrain)
        match(MatchConfig(project=path), context)
        asked = CompletenessConfig(
            project=path, name=CONCEPTS, concepts=CONCEPTS, indexes=tuple(SIZES)
        )
        completeness(asked, context)
        for name in SIZES:
            print(output_effect(OutputEffectConfig(project=path, index=name), context))
    return project


def _dictionary(project: Project, name: str, context: PrintingContext, *, kept: bool) -> None:
    """Train a dictionary unless it is kept, measure it, and index it with its firings."""
    path = str(project.path)
    features, k = SIZES[name]
    if not kept:
        training = TrainConfig(
            project=path, name=name, activations=NAME, architecture="batchtopk",
            features=features, k=k, tokens=ROWS, lr=LEARNING_RATE,
        )  # fmt: skip
        print(train(training, context))
    result = evaluate(EvaluateConfig(project=path, dictionary=name), context)
    print(json.dumps(msgspec.to_builtins(result))[:200])
    if not firings_folder(project.index_path(name)).is_dir():
        index = IndexConfig(project=path, dictionary=name, name=name, context_reach=REACH)
        print(build_index(index, context))


def ship(project: Project, out: Path) -> None:
    """Copy the project without the store of the whole text and without the firings."""
    shutil.rmtree(out, ignore_errors=True)
    left_out = shutil.ignore_patterns("*.firings", "checkpoint", ".*", "*-wal", "*-shm")
    shutil.copytree(project.path, out, ignore=left_out)
    shutil.rmtree(Project.open(out).store_path(NAME))


def name_again(work: Path, out: Path) -> None:
    """Name the features of the indexes at `out` from the firings of their text, made in `work`.

    Raises SystemExit where that text is not the indexes' own.
    """
    project = Project.open_or_create(work, title="Demonstration", about=ABOUT)
    path, context = str(project.path), PrintingContext()
    with project.lock():
        harvest(whole_text(path), context)
        for name in SIZES:
            if not project.dictionary_path(name).exists():
                shutil.copytree(out / "dictionaries" / name, project.dictionary_path(name))
            if not firings_folder(project.index_path(name)).is_dir():
                build_index(
                    IndexConfig(
                        project=path, dictionary=name, name=name, context_reach=REACH,
                        coactivation=False, neuron_rows=0, map=False,
                    ),
                    context,
                )  # fmt: skip
            shipped = FeatureIndex(Project.open(out).index_path(name))
            made = FeatureIndex(project.index_path(name))
            for array in ("tokens", "contexts/row"):
                if not np.array_equal(shipped.arrays[array], made.arrays[array]):
                    raise SystemExit(f"The text of “{name}” is not the one that ships.")
            store = ActivationStore.open(project.store_path(NAME))
            write_names_of(shipped, made.firings(), store, names_path(shipped.path), context)
            shipped.read_names()
            print("\n".join(named_lines(result_of(shipped, 0.0))))


def score(out: Path) -> None:
    """Score the labels and names of the project at `out`, which then hold what ships."""
    project, context = Project.open(out), PrintingContext()
    with project.lock():
        for name in SIZES:
            config = ScoreLabelsConfig(project=str(out), index=name, new_texts=NEW_TEXTS)
            print("\n".join(scored_lines(score_labels(config, context))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/demonstration.saeproj"))
    parser.add_argument("--retrain", action="store_true", help="train the larger one again")
    parser.add_argument(
        "--names", action="store_true", help="name the features that ship again, and score them"
    )
    parser.add_argument(
        "--safety", action="store_true", help="scan what ships again, and calibrate its monitors"
    )
    options = parser.parse_args()
    if options.safety:
        unpacked(SHIPPED)
    elif options.names:
        name_again(options.work, unpacked(SHIPPED))
        score(SHIPPED)
    else:
        project = build(options.work, retrain=options.retrain)
        write_notes(project, NAME)
        write_preset(project, NAME)
        ship(project, SHIPPED)
        score(SHIPPED)
    if not options.names:
        write_safety(SHIPPED, SMALL, NAME, PrintingContext())
    pack(SHIPPED)


if __name__ == "__main__":
    main()
