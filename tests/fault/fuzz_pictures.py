"""Damage what a store or an index has of pictures, and look how whoever reads them takes it.

    python tests/fault/fuzz_pictures.py [--inputs 2000] [--seed 0]

Random bytes seldom get past the structure of a file: here numbers of its tables, its records and
its small copies are changed in place, datasets are cut, and the file is. Everything that is asked
of pictures is asked then, for a training, an index, a page and a picture that is looked at.
"""

from __future__ import annotations

import argparse
import collections
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import h5py
import msgspec
import numpy as np
from fuzz_readers import MEMORY, SECONDS, TooLongError, _alarm, damaged
from job_contexts import RecordingContext
from lit_index import lit_config, lit_project

from sae_desktop.activations.config import VerifyStoreConfig
from sae_desktop.activations.picture_layout import PICTURE_DTYPE
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import segment_path
from sae_desktop.activations.verify import verify_store
from sae_desktop.errors import UserError
from sae_desktop.exchange.lit_pictures import lit_webp
from sae_desktop.features.building.index import build_index
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.references import check_references
from sae_desktop.pictures.light import light, next_token, outline, strongest_region, tokens_at
from sae_desktop.pictures.places import PictureLayout
from sae_desktop.project import Project
from sae_desktop.training.rows.data import SiteRows, split_parts
from sae_desktop.training.rows.document_split import text_of_rows
from sae_desktop.words.picture_words import place_words

WHOLE = (-1, -2, 0, 1, 7, 1 << 20, (1 << 31) - 1, -(1 << 31), (1 << 62) + 1, (1 << 63) - 1)
FLOATS = (0.0, -1.0, 1e-300, 1e300, 5e8, -4e9)
SIDES = (0, -1, 1, 10**9, 1 << 40, (1 << 63) - 1, -(1 << 63))


# ---------------------------------------------------------------- damage
def damage(path: Path, rng: random.Random) -> str:
    """Damage a file of a store or of an index in place, and say how."""
    if rng.random() < 0.1:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(rng.randrange(size))
        return "cut short"
    if rng.random() < 0.1:
        path.write_bytes(damaged(path.read_bytes(), rng))
        return "bytes of the file"
    said = []
    with h5py.File(path, "r+") as file:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            how = rng.choice((_number, _number, _rows, _layout, _layout, _bytes, _shape))
            said.append(how(file, rng))
            if how is _shape:  # nothing more can be written into what is left
                break
    return ", ".join(said)


def _held(value: int, dtype: np.dtype[Any]) -> int:
    """Return a number of as many bits as there are."""
    limits = np.iinfo(dtype)
    return min(max(value, int(limits.min)), int(limits.max))


def _number(file: h5py.File, rng: random.Random) -> str:
    names = [name for name in PICTURE_DTYPE.names or () if name != "digest"]
    name = rng.choice(names)
    at = rng.randrange(len(file["pictures"]))
    entry = file["pictures"][at]
    entry[name] = _held(rng.choice(WHOLE), PICTURE_DTYPE[name])
    if rng.random() < 0.1:
        entry["digest"] = bytes(rng.randrange(256) for _ in range(64))
    file["pictures"][at] = entry
    return f"{name} {entry[name]}"


def _rows(file: h5py.File, rng: random.Random) -> str:
    data = file[rng.choice(("picture", "picture_token"))]
    at = rng.randrange(len(data))
    last = at + rng.choice((1, 1, 5, len(data)))
    data[at:last] = value = _held(rng.choice(WHOLE), data.dtype)
    return f"{data.name}[{at}:{last}] {value}"


def _layout(file: h5py.File, rng: random.Random) -> str:
    """Give a picture another record, in the place of its own or, where it is longer, of what comes
    after it; the entry says how long it is."""
    at = rng.randrange(len(file["pictures"]))
    entry = file["pictures"][at]
    first, size = int(entry["data_first"]), int(entry["record_bytes"])
    try:
        record = msgspec.json.decode(bytes(file["picture_data"][first : first + size]))
        layout = record["layout"]
        tile = rng.choice(layout["tiles"])
    except (msgspec.DecodeError, IndexError, TypeError, KeyError, ValueError):
        return "its record was damaged before"
    match rng.randrange(5):
        case 0:
            tile["rows"], tile["columns"] = rng.choice(SIDES), rng.choice((*SIDES, tile["columns"]))
        case 1:
            tile[rng.choice(("left", "top", "cell_width", "cell_height"))] = rng.choice(FLOATS)
        case 2:
            # Of no tokens, so that the sum is right, but of billions of rows.
            empty = tile | {"rows": rng.choice((10**9, 1 << 40)), "columns": 0}
            layout["tiles"].append(empty)
        case 3:
            layout["loose"] = rng.choice(SIDES)
        case _:
            layout[rng.choice(("width", "height"))] = rng.choice((*SIDES, 3))
            if rng.random() < 0.5:
                entry["width"] = _held(layout["width"], PICTURE_DTYPE["width"])
                entry["height"] = _held(layout["height"], PICTURE_DTYPE["height"])
    data = msgspec.json.encode(record)
    room = len(file["picture_data"])
    first = max(min(first, room - len(data)), 0)
    file["picture_data"][first : first + len(data)] = np.frombuffer(data, np.uint8)[: room - first]
    entry["data_first"], entry["record_bytes"] = first, len(data)
    file["pictures"][at] = entry
    return "another layout"


def _bytes(file: h5py.File, rng: random.Random) -> str:
    """Change the bytes of records and small copies."""
    data = file["picture_data"]
    at = rng.randrange(len(data))
    size = min(rng.choice((1, 4, 64, 500)), len(data) - at)
    data[at : at + size] = np.frombuffer(rng.randbytes(size), np.uint8)
    return f"{size} bytes at {at}"


def _shape(file: h5py.File, rng: random.Random) -> str:
    name = rng.choice(("picture", "picture_token", "pictures", "picture_data"))
    held = file[name][()]
    del file[name]
    match rng.randrange(4):
        case 0:
            file[name] = held[: len(held) // 2]
        case 1:
            file[name] = held[None]
        case 2:
            file[name] = np.concatenate([held, held])
        case _:
            return f"no {name}"
    return f"another shape of {name}"


# ---------------------------------------------------------------- reading
def read_store(project: Project) -> None:
    """Ask everything of a store's pictures that is asked of it."""
    store = ActivationStore.open(project.store_path("s"))
    pictures = store.pictures
    for asked in (
        lambda: pictures.table,
        pictures.of_rows,
        pictures.tokens_of_rows,
        lambda: text_of_rows(store, store.rows),
        lambda: split_parts([SiteRows(store, store.info.sites[0])], exclude_massive=True),
        lambda: verify_store(
            VerifyStoreConfig(project=str(project.path), name="s"), RecordingContext()
        ),
        lambda: build_index(lit_config(project, name="new"), RecordingContext()),
    ):
        _refused_or_not(asked)
    for number in range(len(pictures)):
        _refused_or_not(lambda number=number: pictures.rows(number))
        _refused_or_not(lambda number=number: pictures.thumbnail(number))
        _refused_or_not(lambda number=number: pictures.whole(number))
        _refused_or_not(lambda number=number: _looked_at(pictures.get(number).record.layout))


def read_index(project: Project) -> None:
    """Ask everything of an index's pictures that a page and an export ask."""
    index = FeatureIndex(project.index_path("i"))
    _refused_or_not(lambda: check_references(index))
    for feature in range(index.features):
        _refused_or_not(lambda feature=feature: _contexts(index, feature))


def _contexts(index: FeatureIndex, feature: int) -> None:
    for context in index.contexts(feature):
        if context.picture is not None:
            lit_webp(context.picture, context.activation)
            _looked_at(context.picture.layout)


def _looked_at(layout: PictureLayout) -> None:
    values = np.arange(layout.tokens, dtype=np.float32)
    light(layout, values, 64, 48)
    outline(layout, strongest_region(layout, values))
    tokens_at(layout, layout.width / 2, layout.height / 2)
    for token in range(min(layout.tokens, 40)):
        place_words(layout, token)
        next_token(layout, token, 1, -1)
    layout.names()


def _refused_or_not(ask: Callable[[], object]) -> None:
    with suppress(UserError):
        ask()


# ---------------------------------------------------------------- many
def fuzz(base: Project, folder: Path, inputs: int, seed: int) -> collections.Counter[str]:
    """Return how often what was damaged was opened, refused at once, or at fault."""
    rng, counts = random.Random(seed), collections.Counter[str]()
    for number in range(inputs):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base.path, folder)
        project = Project.open(folder)
        of_store = number % 2 == 0
        path = segment_path(project.store_path("s"), 0) if of_store else project.index_path("i")
        how = damage(path, rng)
        signal.alarm(SECONDS)
        try:
            with np.errstate(all="raise"):
                (read_store if of_store else read_index)(project)
            counts["opened"] += 1
        except UserError:
            counts["refused"] += 1
        except (Exception, TooLongError):
            counts["faults"] += 1
            if counts["faults"] <= 5:
                print(f"input {number}: {how}")
                traceback.print_exc(limit=-5)
        finally:
            signal.alarm(0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"pictures: {dict(counts)}, peak {peak:,.0f} MB", flush=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _alarm)
    with tempfile.TemporaryDirectory() as around:
        base = lit_project(Path(around) / "base.saeproj")
        counts = fuzz(base, Path(around) / "p.saeproj", options.inputs, options.seed)
    return int(counts["faults"] > 0)


if __name__ == "__main__":
    sys.exit(main())
