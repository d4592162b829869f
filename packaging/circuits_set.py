"""Make the sets of transcoders that circuits are traced with, by the jobs a person would run.

    python packaging/circuits_set.py demonstration --work FOLDER
    python packaging/circuits_set.py smollm2 --work FOLDER [--name smollm2] [--layers 30]
        [--features 2048] [--k 32] [--rows 400000] [--batch 512] [--lr 0.0015]
        [--indexed 100000] [--corpus FOLDER]

`demonstration` trains a set of the built-in model, keeps its weights in half precision, indexes
and names its features with few contexts, and puts all of it into the project that ships, which
`demonstration.py` has made before.
`smollm2` trains one of SmolLM2-135M-Instruct in `FOLDER`, and indexes it. What is finished is not
done again, and a training that was stopped continues from its checkpoints.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from demonstration import SHIPPED, PrintingContext
from demonstration_archive import pack, unpacked

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.dictionary.set_info import SetOrigin, read_set_info
from sae_desktop.dictionary.sets import load_set, save_set
from sae_desktop.features.building.set_index import index_set
from sae_desktop.features.reading.layout import write_index
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.set_config import SET_RESULT, TrainSetConfig
from sae_desktop.training.sets.set_job import train_set

NAME = "circuits"
"""Of the set in the demonstration, and of its indexes: circuits.L00 …"""
_TRAINED = "trained"
FEATURES, K, ROWS, BATCH, INDEXED = 768, 24, 500_000, 512, 40_000
"""Of each layer of the demonstration's set."""
LEARNING_RATE = 2e-3
CONTEXTS = {
    "top_contexts": 6, "buckets": 1, "bucket_contexts": 2, "context_reach": 12,
}  # fmt: skip
"""Of its indexes: what ships should be small."""


def demonstration(work: Path, out: Path) -> None:
    """Train, keep in half precision, index and copy the built-in model's set."""
    project = Project.open_or_create(work)
    stream = HarvestConfig(project="", name="stream", batch_tokens=8192)
    train = TrainConfig(
        project="", name="", stream=stream, architecture="batchtopk", features=FEATURES, k=K,
        tokens=ROWS, batch=BATCH, lr=LEARNING_RATE, metric_rows=512, measure_loss=False,
    )  # fmt: skip
    config = TrainSetConfig(project=str(work), name=_TRAINED, train=train)
    context = PrintingContext()
    with project.lock():
        print(train_set(config, context))
        _halve(project)
        print(_index(project, NAME, INDEXED, stream, context, small=True))
        for member in read_set_info(project.set_path(NAME)).dictionaries:
            _strip(project.index_path(member))
    target = Project.open(out)
    with target.lock():
        if target.set_path(NAME).exists():
            shutil.rmtree(target.set_path(NAME))
        shutil.copytree(project.set_path(NAME), target.set_path(NAME))
        for member in read_set_info(project.set_path(NAME)).dictionaries:
            for path in (project.path / "features").glob(f"{member}.*"):
                if path.is_file():
                    shutil.copy2(path, target.path / "features" / path.name)


def _halve(project: Project) -> None:
    """Save the trained set once more with its weights as float16, without its curves."""
    folder = project.set_path(NAME)
    if folder.exists():
        return
    trained = load_set(project.set_path(_TRAINED))
    members = {layer: trained.dictionary(layer) for layer in trained.layers}
    origin = SetOrigin(kind="trained", source=trained.info.origin.source)
    save_set(members, folder, origin, dtype=torch.float16)
    shutil.copy2(trained.folder / SET_RESULT, folder / SET_RESULT)


def _strip(path: Path) -> None:
    """Leave out of an index where features fire in aligned texts: these are a fifth of it."""
    index = FeatureIndex(path)
    arrays = {
        name: np.array(values)
        for name, values in index.arrays.items()
        if not name.startswith("aligned/")
    }
    arrays["documents"]["group"] = b""
    write_index(path, index.info, arrays)


def _index(
    project: Project,
    name: str,
    rows: int,
    stream: HarvestConfig,
    context: PrintingContext,
    *,
    small: bool = False,
) -> object:
    from sae_desktop.features.building import set_index

    if small:
        set_index.LEAN.update(CONTEXTS)
    config = IndexSetConfig(project=str(project.path), set=name, rows=rows, harvest=stream)
    return index_set(config, context)


def smollm2(given: argparse.Namespace) -> None:
    """Train a set of SmolLM2’s first layers, and index it."""
    project = Project.open_or_create(given.work)
    reading = {"corpus": given.corpus} if given.corpus else {}
    stream = HarvestConfig(project="", name="stream", model="smollm2", context_size=128, **reading)
    train = TrainConfig(
        project="", name="", stream=stream, architecture="batchtopk", features=given.features,
        k=given.k, tokens=given.rows, batch=given.batch, lr=given.lr, metric_rows=1024,
        measure_loss=False, keep_checkpoints=1, checkpoint_seconds=300.0,
    )  # fmt: skip
    config = TrainSetConfig(
        project=str(given.work), name=given.name, train=train, layers=tuple(range(given.layers))
    )
    context = PrintingContext()
    with project.lock():
        print(train_set(config, context))
        print(_index(project, given.name, min(given.rows, given.indexed), stream, context))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("demonstration", "smollm2"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="smollm2")
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--indexed", type=int, default=100_000, help="rows that are indexed")
    parser.add_argument("--corpus", default="")
    given = parser.parse_args()
    began = time.perf_counter()
    if given.what == "demonstration":
        demonstration(given.work, unpacked(SHIPPED))
        pack(SHIPPED)
    else:
        smollm2(given)
    print(f"{time.perf_counter() - began:,.0f} s")


if __name__ == "__main__":
    main()
