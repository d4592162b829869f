"""A project with an index whose firings are kept, and a dictionary of known directions."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import h5py
import msgspec
import numpy as np
from safetensors.numpy import save_file
from sample_index import write_sample_index

from sae_desktop.features.reading.dictionary_hash import dictionary_hash
from sae_desktop.features.reading.firing_files import Entries, GroupInfo, group_path, write_group
from sae_desktop.features.reading.firing_paths import firings_folder
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.project import Project

FEATURES, WIDTH = 64, 12


def write_directions(folder: Path, features: int = FEATURES, seed: int = 1) -> None:
    """A dictionary's weights in the form of a project, drawn at random."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        "W_dec": rng.normal(size=(features, WIDTH)).astype(np.float32),
        "W_enc": rng.normal(size=(WIDTH, features)).astype(np.float32),
    }
    save_file(weights, folder / "sae_weights.safetensors")
    metadata = {"model_name": "builtin", "hook_name": "blocks.3.hook_resid_post"}
    cfg = {"d_in": WIDTH, "d_sae": features, "architecture": "standard", "metadata": metadata}
    (folder / "cfg.json").write_text(json.dumps(cfg))


def add_compared_index(project: Project, *, firings: bool, groups: int = 2) -> Path:
    """Add the index “main” of the dictionary “dict”; its activations lie beside it."""
    folder = project.dictionary_path("dict")
    write_directions(folder)
    path = project.index_path("main")
    path.parent.mkdir(exist_ok=True)
    write_sample_index(path, features=FEATURES)
    digest = dictionary_hash(folder)
    with h5py.File(path, "r+") as file:
        info = msgspec.json.decode(file.attrs["info"], type=IndexInfo)
        info = msgspec.structs.replace(info, dictionary_hash=digest)
        file.attrs["info"] = msgspec.json.encode(info).decode()
        text = {name: file[name][:] for name in ("tokens", "passages", "documents")}
    if firings:
        _write_firings(path, info, text, groups)
    return path


def _write_firings(path: Path, info: IndexInfo, text: dict[str, np.ndarray], groups: int) -> None:
    acts = np.load(path.with_name("activations.npy"))
    cuts = np.linspace(0, len(text["passages"]), groups + 1).astype(int)
    starts = [*text["passages"]["first_row"].tolist(), info.rows]
    firings_folder(path).mkdir()
    for number, (first, last) in enumerate(itertools.pairwise(cuts)):
        begin, end = starts[first], starts[last]
        rows, features = np.nonzero(acts[:, begin:end].T)
        passages = text["passages"][first:last].copy()
        passages["first_row"] -= begin
        source = msgspec.structs.replace(info.texts[0], first_row=begin, rows=end - begin)
        write_group(
            group_path(firings_folder(path), number),
            GroupInfo(
                dictionary_hash=info.dictionary_hash,
                features=info.features,
                text=source,
                massive_rows=0,
            ),
            Entries(rows, features, acts[features, begin + rows]),
            {
                "tokens": text["tokens"][begin:end].astype(np.int32),
                "passages": passages,
                "documents": text["documents"],
                "windows": passages["first_row"].astype(np.int64),
            },
        )
