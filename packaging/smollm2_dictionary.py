"""Train and index a dictionary of SmolLM2, by the jobs a person would run.

    python packaging/smollm2_dictionary.py PROJECT [--tokens N] [--features N] [--layer L]

Has the model write texts on a few places among the built-in corpus (`place_texts.py`), harvests
the residual stream of a middle layer over it in bfloat16, trains a Matryoshka BatchTopK
dictionary, and indexes it. What is finished is not done again, so an interrupted run goes on
where it was. On two quiet cores writing takes ten minutes, the harvest some 25. SmolLM2 must be
there: `sae-desktop models get smollm2`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from demonstration import PrintingContext
from place_texts import write_corpus

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate

NAME = MODEL = "smollm2"
K = 40
EPOCHS = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--tokens", type=int, default=3_200_000)
    parser.add_argument("--features", type=int, default=8192)
    parser.add_argument("--layer", type=int, default=14)
    options = parser.parse_args()
    project = Project.open_or_create(options.project, title="SmolLM2")
    path, context = str(project.path), PrintingContext()
    site = f"blocks.{options.layer}.hook_resid_post"
    corpus = project.path / "corpus.jsonl"
    with project.lock():
        if not corpus.exists():
            write_corpus(corpus, MODEL, "bfloat16")
        harvested = HarvestConfig(
            project=path, name=NAME, model=MODEL, model_dtype="bfloat16", dtype="bfloat16",
            corpus=str(corpus), site=site, tokens=options.tokens, context_size=256,
        )  # fmt: skip
        print(harvest(harvested, context), flush=True)
        training = TrainConfig(
            project=path, name=NAME, activations=NAME, features=options.features, k=K,
            tokens=EPOCHS * options.tokens,
        )  # fmt: skip
        print(train(training, context), flush=True)
        print(evaluate(EvaluateConfig(project=path, dictionary=NAME), context), flush=True)
        index = IndexConfig(project=path, dictionary=NAME, name=NAME, context_reach=256)
        print(build_index(index, context), flush=True)


if __name__ == "__main__":
    main()
