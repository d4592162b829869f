"""Make the demonstration of SmolLM2, a chat model, by the jobs a person would run.

    python packaging/smollm2_demonstration.py [--work PROJECT] [--tokens N] [--features N]
        [--layer L] [--dtype float32] [--until train | index] [--ship]

Has the model write texts on places and everyday things beside the built-in corpus
(`place_texts.py`), harvests the residual stream of a middle layer over them, trains a Matryoshka
BatchTopK dictionary, brings its weights to 8 bit, measures and indexes it. What is finished is not
done again, so an interrupted run goes on where it was. `--ship` measures the features that have a
label (`smollm2_labels.json`, each checked against what the feature fires on), lists those to start
with, and packs what ships: without the store, the firings and the model, which is fetched
(`sae-desktop models get smollm2`).

On two cores without bfloat16 products: writing 10 minutes, harvest 25, training 15, index 15.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from demonstration import PrintingContext
from demonstration_archive import pack as pack_archive
from demonstration_notes import labelled, write_notes
from place_texts import write_corpus
from safetensors.numpy import load_file

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.demonstrations import SMOLLM2
from sae_desktop.dictionary.formats.saelens import WEIGHTS
from sae_desktop.dictionary.set_info import weights_digest
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.labels.scoring.job import score_labels
from sae_desktop.language_model.files.packed import pack, unpack_in_place
from sae_desktop.language_model.names import KNOWN, ModelMark
from sae_desktop.language_model.same_model import say_same
from sae_desktop.project import Project
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.output_effect import output_effect
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate
from sae_desktop.words.score_text import scored_lines

NAME = MODEL = "smollm2"
K, ROWS = 32, 1_000_000
CONTEXTS = {
    "top_contexts": 10, "buckets": 3, "bucket_contexts": 2, "context_reach": 24,
    "neuron_rows": 4096,
}  # fmt: skip
"""Of the index: what ships should be small, and made in minutes."""
TEXTS = Path(tempfile.gettempdir()) / "smollm2-texts" / "corpus.jsonl"
"""The index keeps where its text was: a place that tells nothing of who made it."""
LABELS = Path(__file__).with_name("smollm2_labels.json")
SHIPPED = Path("build/shipped-smollm2.saeproj")
ABOUT = (
    "SmolLM2-135M-Instruct, a chat model of Hugging Face (Apache 2.0), and one dictionary of its "
    "layer {layer}, trained on {tokens:,} tokens of public text and of texts that the model wrote. "
    "To stay small, this demonstration leaves out the model, which is fetched once, the "
    "activations and all firings, and its weights are in 8 bit. The features were found with the "
    "model’s weights quantised to 4 bits; with the unquantised ones of the hub, figures differ a "
    "little."
)


def build(options: argparse.Namespace) -> Project:
    """Run the jobs as far as they are asked for, and return the project."""
    about = ABOUT.format(layer=options.layer, tokens=options.tokens)
    project = Project.open_or_create(options.work, title=SMOLLM2.title, about=about)
    path, context = str(project.path), PrintingContext()
    site = f"blocks.{options.layer}.hook_resid_post"
    with project.lock():
        if not TEXTS.exists():
            TEXTS.parent.mkdir(exist_ok=True)
            write_corpus(TEXTS, MODEL, options.dtype, options.tokens)
        harvested = HarvestConfig(
            project=path, name=NAME, model=MODEL, model_dtype=options.dtype, dtype="bfloat16",
            corpus=str(TEXTS), site=site, tokens=options.tokens, context_size=256,
        )  # fmt: skip
        print(harvest(harvested, context), flush=True)
        if not project.dictionary_path(NAME).exists():
            training = TrainConfig(
                project=path, name=NAME, activations=NAME, features=options.features, k=K,
                tokens=ROWS,
            )  # fmt: skip
            print(train(training, context), flush=True)
            _to_8_bits(project.dictionary_path(NAME))
            print(evaluate(EvaluateConfig(project=path, dictionary=NAME), context), flush=True)
        if options.until != "train" and not project.index_path(NAME).exists():
            index = IndexConfig(project=path, dictionary=NAME, name=NAME, **CONTEXTS)
            print(build_index(index, context), flush=True)
    return project


def _to_8_bits(folder: Path) -> None:
    """Round a dictionary's weights to what 8 bits can hold, so that what ships is what is measured.

    Twice: then packing changes nothing any more.
    """
    for _ in range(2):
        pack(load_file(folder / WEIGHTS), folder, by_column=("W_enc",))
        unpack_in_place(folder, WEIGHTS)


def measure(project: Project, context: PrintingContext) -> None:
    """Try how strongly the labelled features turn a text, label them, and score the labels."""
    path, asked = str(project.path), [one.feature for one in labelled(LABELS)]
    with project.lock():
        print(output_effect(OutputEffectConfig(project=path, index=NAME, features=asked), context))
        write_notes(project, NAME, LABELS)
        scored = score_labels(ScoreLabelsConfig(project=path, index=NAME, features=asked), context)
        print("\n".join(scored_lines(scored)))


def ship(project: Project, out: Path) -> None:
    """Copy the project without what is large, its dictionary in 8 bit, and check that it is whole.

    Raises SystemExit where the packed weights are not those that were measured.
    """
    shutil.rmtree(out, ignore_errors=True)
    left_out = shutil.ignore_patterns("*.firings", "checkpoint", ".*", "*-wal", "*-shm")
    shutil.copytree(project.path, out, ignore=left_out)
    shipped = Project.open(out)
    shutil.rmtree(shipped.store_path(NAME))
    info = FeatureIndex(shipped.index_path(NAME)).info
    for other in (MODEL, KNOWN[MODEL].hub):
        say_same(out, info.mark, ModelMark(other))
    folder = shipped.dictionary_path(NAME)
    measured = weights_digest(folder)
    pack(load_file(folder / WEIGHTS), folder, by_column=("W_enc",))
    (folder / WEIGHTS).unlink()
    trial = out.with_name("trial")
    shutil.rmtree(trial, ignore_errors=True)
    shutil.copytree(folder, trial)
    unpack_in_place(trial, WEIGHTS)
    if weights_digest(trial) != measured:
        raise SystemExit("The packed weights are not those that were measured.")
    shutil.rmtree(trial)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/smollm2.saeproj"))
    parser.add_argument("--tokens", type=int, default=800_000)
    parser.add_argument("--features", type=int, default=16_384)
    parser.add_argument("--layer", type=int, default=14)
    parser.add_argument(
        "--dtype", default="bfloat16", help="of the model: float32 where products in it are faster"
    )
    parser.add_argument("--until", choices=["train", "index"], default="index")
    parser.add_argument("--ship", action="store_true", help="label, measure and pack")
    options = parser.parse_args()
    project = build(options)
    if options.ship:
        measure(project, PrintingContext())
        ship(project, SHIPPED)
        pack_archive(SHIPPED, SMOLLM2.archive)


if __name__ == "__main__":
    main()
