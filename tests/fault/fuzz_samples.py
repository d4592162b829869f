"""A valid file of every kind that is read from others, and its reader."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from imported_rows import import_rows, toy_rows
from PIL import Image
from safetensors.torch import save as save_tensors
from sample_index import write_sample_index
from toy_gguf import save_toy_gguf
from toy_models import save_toy_model

from sae_desktop.corpus.mixed import FoundPicture, MixedDocument
from sae_desktop.corpus.picture_sources import read_source
from sae_desktop.dictionary import load
from sae_desktop.dictionary.formats.find import find_dictionaries, read_found
from sae_desktop.errors import UserError
from sae_desktop.exchange import delphi, neuronpedia, saedashboard
from sae_desktop.exchange.config import ImportPackageConfig, PackageCard
from sae_desktop.exchange.delphi_explanations import read_explanations
from sae_desktop.exchange.labels import read_rows
from sae_desktop.exchange.package import import_package
from sae_desktop.exchange.record_index import Origin, RecordIndex
from sae_desktop.exchange.records import records_of
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.network import empty_model, load_config
from sae_desktop.pictures.reading import read_picture
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.steering.presets import decode_preset, read_preset
from sae_desktop.storage.archives import unpack
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_log import RunLogWriter
from sae_desktop.words.inventory import take_inventory

D, F = 4, 6
ORIGIN = Origin("d", "m", "blocks.1.hook_resid_post", "c", "{}")


def _tensors(*names: str) -> dict[str, torch.Tensor]:
    shapes = {"W_enc": (D, F), "W_dec": (F, D), "b_enc": (F,), "b_dec": (D,), "threshold": (F,),
              "encoder.weight": (F, D), "encoder.bias": (F,), "decoder.weight": (D, F),
              "decoder.bias": (D,)}  # fmt: skip
    return {name: torch.rand(shapes[name]) for name in names}


def _pt(values: Any) -> bytes:
    out = io.BytesIO()
    torch.save(values, out)
    return out.getvalue()


def _npz(values: dict[str, torch.Tensor]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **{name: value.numpy() for name, value in values.items()})
    return out.getvalue()


def _zip(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return out.getvalue()


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"feature": [0, 1], "label": ["a", "b"], "score": [0.5, None]}), out)
    return out.getvalue()


OWN = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")
LINEAR = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")
SAELENS = {"architecture": "jumprelu", "d_in": D, "d_sae": F, "dtype": "float32",
           "normalize_activations": "none", "apply_b_dec_to_input": False,
           "metadata": {"sae_lens_version": "6.54.12", "model_name": "gpt2-small",
                        "hook_name": "blocks.8.hook_resid_pre"}}  # fmt: skip
OLD = {"d_in": D, "d_sae": F, "hook_point": "blocks.1.hook_resid_post", "model_name": "gpt2-small",
       "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}  # fmt: skip
LLAMA = {"d_model": D, "d_sae": F, "hook_point_in": "blocks.1.hook_resid_post",
         "dataset_average_activation_norm": {"in": 2.0, "out": 2.0},
         "jump_relu_threshold": 0.3}  # fmt: skip
FEATURE = {"modelId": "m", "layer": "1-res-x", "index": "1", "maxActApprox": 2.0,
           "pos_str": ["a", "b"], "pos_values": [1.0, 0.5], "neg_str": ["c"], "neg_values": [-1.0],
           "frac_nonzero": 0.01, "freq_hist_data_bar_heights": [3, 2, 1],
           "topkCosSimIndices": [0], "topkCosSimValues": [0.5]}  # fmt: skip
ACTIVATION = {"index": "1", "tokens": ["x", " y", "z"], "values": [0, 1.5, 0.0], "binMin": 0.5,
              "binMax": 2.0, "binContains": 0.1, "qualifyingTokenIndex": 1,
              "dataSource": "s", "dataIndex": "t"}  # fmt: skip
BOARD = {"model_id": "m", "layer": "1-res-x", "features": [
    {"feature_index": 2, "pos_str": ["a"], "pos_values": [1], "frac_nonzero": 0.1,
     "freq_hist_data_bar_values": [0.5, 1.5], "freq_hist_data_bar_heights": [2, 1],
     "activations": [{"bin_min": -1, "bin_max": -1, "bin_contains": -1, "tokens": ["x", "y"],
                      "values": [0.0, 2.0], "qualifying_token_index": 1}]}]}  # fmt: skip
LATENTS = {"locations": torch.tensor([[0, 1, 0], [0, 2, 1], [1, 0, 1]]),
           "activations": torch.tensor([1.0, 2.0, 0.5], dtype=torch.float16),
           "tokens": torch.zeros(2, 3, dtype=torch.int64)}  # fmt: skip
PRESET = {"schema_version": 1, "name": "x", "model": "m", "site": "s", "dictionary": "d",
          "prompt": "p", "variants": [{"name": "steered", "interventions": [{"feature": 1}]}],
          "sampling": {"max_new_tokens": 3}}  # fmt: skip


def _dictionary(folder: Path) -> None:
    for found in find_dictionaries(folder):
        read_found(found.read, found.path)
    with suppress(UserError):
        load(folder)


def _records(read: Callable[[Path], Any]) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        index = RecordIndex()
        for record in read(folder):
            index.add(record)
        index.write(folder / "made.h5", ORIGIN)

    return work


def _unpack(folder: Path) -> None:
    out = folder / "unpacked"
    out.mkdir(exist_ok=True)
    unpack(folder / "a.zip", out, SilentContext())
    outside = [p for p in folder.parent.iterdir() if p != folder]
    assert not outside, f"something was written outside: {outside}"


def json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def _package() -> dict[str, bytes]:
    """The files in a package; which of them is damaged is zipped with the others."""
    with tempfile.TemporaryDirectory() as folder:
        index = write_sample_index(Path(folder) / "i.h5", features=F, repeats=1)
        card = PackageCard(
            schema_version=1, name="d", index="i", model="m", site="blocks.8.hook_resid_pre",
            architecture="jumprelu", features=F, width=D,
        )  # fmt: skip
        return {
            "card.json": msgspec.json.encode(card),
            "labels.json": json_bytes([{"feature": 1, "label": "a", "score": 0.5}]),
            "lists.json": json_bytes([{"name": "l", "members": [{"feature": 2}]}]),
            "dictionary/cfg.json": json_bytes(SAELENS),
            "dictionary/sae_weights.safetensors": save_tensors(_tensors(*OWN)),
            "index.h5": index.read_bytes(),
        }


def _open_package(folder: Path) -> None:
    """Import a package, and read what a page of each feature shows."""
    packed = folder / "d.saepack"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in [p for p in folder.rglob("*") if p.is_file() and p != packed]:
            archive.write(path, path.relative_to(folder))
    project = Project.open_or_create(folder / "p.saeproj")
    import_package(
        ImportPackageConfig(project=str(project.path), file=str(packed)), SilentContext()
    )
    load(project.dictionary_path(project.dictionaries()[0]))
    for name in project.indexes():
        index = FeatureIndex(project.index_path(name))
        for _ in records_of(index, None, range(index.features)):
            pass


def _project() -> dict[str, bytes]:
    """The files of a project with one of each thing in it."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project.open_or_create(Path(folder) / "p.saeproj")
        import_rows(project, toy_rows(6))
        place = project.dictionary_path("d")
        place.mkdir(parents=True)
        (place / "cfg.json").write_bytes(json_bytes(SAELENS))
        (place / "sae_weights.safetensors").write_bytes(save_tensors(_tensors(*OWN)))
        config = TrainConfig(project="", name="d", activations="acts", features=F, tokens=10)
        (place / "train.json").write_bytes(msgspec.json.encode(config))
        log = RunLogWriter.create(place / "run.h5", msgspec.json.encode(config).decode(),
                                  points=2, snapshots=1)  # fmt: skip
        log.append({"step": 1, "rows": 5})
        log.append_snapshot(1, np.ones(F))
        log.close()
        (project.path / "features").mkdir()
        write_sample_index(project.index_path("i"), features=F, repeats=1)
        (project.path / "features" / "activations.npy").unlink()
        project.preset_path("x").parent.mkdir()
        project.preset_path("x").write_bytes(json_bytes(PRESET))
        notes = Notes(project.notes_path)
        notes.save("d", FeatureNote(feature=1, label="a", note="b", score=0.5))
        notes.close()
        return {
            str(path.relative_to(project.path)): path.read_bytes()
            for path in project.path.rglob("*")
            if path.is_file() and not path.name.startswith(".lock")
        }


def _open_project(folder: Path) -> None:
    """Read all of a project; whatever is damaged in it, the rest is listed."""
    project = Project.open(folder)
    found = take_inventory(project)
    listed = len(found.stores) + len(found.dictionaries) + len(found.indexes)
    assert listed + len(found.broken) == 3, found
    assert len(found.broken) <= 1, found.broken
    if found.dictionaries:
        load(project.dictionary_path("d"))
    if found.indexes:
        index = FeatureIndex(project.index_path("i"))
        for _ in records_of(index, None, range(index.features)):
            pass
    read_preset(project, "x")
    notes = Notes(project.notes_path)
    try:
        notes.all("d")
        notes.search("d", "a")
        notes.by_label("d")
    finally:
        notes.close()


def _model() -> dict[str, bytes]:
    """The files of a model's folder, its tokenizer left out: it is read by a library alone."""
    with tempfile.TemporaryDirectory() as folder:
        save_toy_model(Path(folder), "qwen3_moe", num_hidden_layers=2)
        return {
            name: (Path(folder) / name).read_bytes()
            for name in ("config.json", "model.safetensors")
        }


def _gguf() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return {"a.gguf": save_toy_gguf(Path(folder) / "a.gguf").read_bytes()}


def _open_model(folder: Path) -> None:
    """Build a model without memory for its weights, as whoever describes or loads one does."""
    single = folder / "a.gguf"
    files = find_model(str(single if single.exists() else folder))
    model = empty_model(files, load_config(files))
    assert sum(parameter.numel() for parameter in model.parameters()) < 10**8


def _drawn(kind: str) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, kind)
    return out.getvalue()


def _picture(folder: Path) -> None:
    read_picture(next(folder.iterdir()))


def _mixed(folder: Path) -> None:
    """Every picture of a source; one that cannot be read is named, and the next one read."""
    for item in read_source(next(folder.iterdir())):
        for part in item.parts if isinstance(item, MixedDocument) else ():
            if isinstance(part, FoundPicture):
                with suppress(UserError):
                    read_picture(part.held, part.name)


def _tar(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in names.items():
            told = tarfile.TarInfo(name)
            told.size = len(data)
            archive.addfile(told, io.BytesIO(data))
    return out.getvalue()


def _picture_table() -> bytes:
    out = io.BytesIO()
    cells = [{"bytes": _drawn("PNG"), "path": "a.png"}] * 3
    pq.write_table(pa.table({"image": cells, "text": ["a", "b", "c"]}), out)
    return out.getvalue()


_PAGE = {"content": [{"type": "text", "text": "a"}, {"type": "image", "image": "a.png"}]}

KINDS: dict[str, tuple[dict[str, bytes], Callable[[Path], None]]] = {
    "png": ({"a.png": _drawn("PNG")}, _picture),
    "jpeg": ({"a.jpg": _drawn("JPEG")}, _picture),
    "webp": ({"a.webp": _drawn("WEBP")}, _picture),
    "gif": ({"a.gif": _drawn("GIF")}, _picture),
    "tiff": ({"a.tif": _drawn("TIFF")}, _picture),
    "zip of pictures": ({"a.zip": _zip({"a.png": _drawn("PNG"), "a.txt": b"words"})}, _mixed),
    "tar of pictures": ({"a.tar": _tar({"a.png": _drawn("PNG"), "a.txt": b"words"})}, _mixed),
    "table of pictures": ({"a.parquet": _picture_table()}, _mixed),
    "pages": ({"a.jsonl": json_bytes(_PAGE) + b"\n"}, _mixed),
    "safetensors": (
        {"cfg.json": json_bytes(SAELENS), "sae_weights.safetensors": save_tensors(_tensors(*OWN))},
        _dictionary,
    ),
    "saelens before 6": (
        {"cfg.json": json_bytes(OLD), "sae_weights.safetensors": save_tensors(_tensors(*OWN[:4]))},
        _dictionary,
    ),
    "sparsify": (
        {"cfg.json": json_bytes({"k": 2, "d_in": D}),
         "sae.safetensors": save_tensors(_tensors(*LINEAR))},
        _dictionary,
    ),
    "dictionary_learning": (
        {"config.json": json_bytes({"trainer": {"dict_class": "AutoEncoderNew", "layer": 1}}),
         "ae.pt": _pt(_tensors("encoder.weight", "encoder.bias", "decoder.weight",
                               "decoder.bias"))},
        _dictionary,
    ),
    "gemma scope": ({"params.npz": _npz(_tensors(*OWN))}, _dictionary),
    "llama scope": (
        {"hyperparams.json": json_bytes(LLAMA),
         "final.safetensors": save_tensors(_tensors("encoder.weight", "encoder.bias",
                                                    "decoder.weight", "decoder.bias"))},
        _dictionary,
    ),
    "circuit-tracer": (
        {"config.yaml": yaml.safe_dump({"model_name": "m", "feature_input_hook": "hook_resid_mid"})
         .encode(),
         "layer_0.safetensors": save_tensors({"W_enc": torch.rand(F, D), "W_dec": torch.rand(F, D),
                                              "b_enc": torch.rand(F), "b_dec": torch.rand(D)})},
        _dictionary,
    ),
    "zip": (
        {"a.zip": _zip({"cfg.json": json_bytes(SAELENS), "b/c.safetensors": b"x" * 300})},
        _unpack,
    ),
    "neuronpedia": (
        {"features/batch-0.jsonl.gz": gzip.compress(json_bytes(FEATURE) + b"\n"),
         "activations/batch-0.jsonl": json_bytes(ACTIVATION) + b"\n",
         "explanations/batch-0.jsonl": json_bytes({"index": "1", "description": "a"}) + b"\n"},
        _records(neuronpedia.read_batches),
    ),
    "saedashboard": ({"batch-0.json": json_bytes(BOARD)}, _records(saedashboard.read_batches)),
    "delphi": (
        {"0_1.safetensors": save_tensors(LATENTS)},
        _records(lambda folder: delphi.read_latents(folder, str)),
    ),
    "labels csv": ({"a.csv": b"feature,label,score\n0,a,0.5\n1,b,\n"},
                   lambda folder: list(read_rows(folder / "a.csv"))),
    "labels json": ({"a.json": json_bytes([{"feature": 0, "label": "a"}])},
                    lambda folder: list(read_rows(folder / "a.json"))),
    "labels parquet": ({"a.parquet": _parquet()},
                       lambda folder: list(read_rows(folder / "a.parquet"))),
    "delphi explanations": (
        {"m_latent0.txt": b'"Days of the week"', "m_latent12.txt": b"plain text"},
        lambda folder: list(read_explanations(folder)),
    ),
    "package": (_package(), _open_package),
    "project": (_project(), _open_project),
    "model": (_model(), _open_model),
    "gguf": (_gguf(), _open_model),
    "preset": ({"a.json": json_bytes(PRESET)},
               lambda folder: decode_preset((folder / "a.json").read_bytes(), "a")),
}  # fmt: skip
