"""Damaged files of others' formats end in clear errors: a taste of `fuzz_readers.py`."""

from __future__ import annotations

import copy
import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import fuzz_readers
import psutil
import pytest
import torch
import yaml
from toy_models import save_toy_model

from sae_desktop.dictionary.formats.find import find_dictionaries, read_found
from sae_desktop.dictionary.formats.weights_file import look_into
from sae_desktop.errors import UserError
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.identity import identity_of


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, fuzz_readers._alarm)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", fuzz_readers.KINDS)
def test_undamaged_file__is_read(tmp_path: Path, name: str) -> None:
    files, read = fuzz_readers.KINDS[name]
    for inside, data in files.items():
        (tmp_path / "in" / inside).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / inside).write_bytes(data)
    read(tmp_path / "in")


@pytest.mark.parametrize("name", fuzz_readers.KINDS)
def test_fuzz(name: str) -> None:
    counts = fuzz_readers.fuzz(name, 60, seed=1)
    assert counts["faults"] == 0
    assert counts["refused"] > 0


DICTIONARIES = ("safetensors", "saelens before 6", "sparsify", "llama scope", "circuit-tracer")


def _integers(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        if isinstance(entry, dict | list):
            yield from _integers(entry, (*before, key))
        elif isinstance(entry, int) and not isinstance(entry, bool):
            yield (*before, key)


@pytest.mark.parametrize("kind", DICTIONARIES)
def test_dictionary_that_claims_a_trillion__takes_no_memory_for_it(
    kind: str, tmp_path: Path
) -> None:
    files, _ = fuzz_readers.KINDS[kind]
    named = next(n for n in files if n.endswith((".json", ".yaml")) and files[n] != b"{}")
    parse, write = (yaml.safe_load, yaml.safe_dump) if named.endswith(".yaml") else (
        json.loads, json.dumps
    )  # fmt: skip
    plain = parse(files[named])
    before = psutil.Process().memory_info().rss
    for number, place in enumerate([*_integers(plain), ("d_sae",), ("num_latents",)]):
        told = copy.deepcopy(plain)
        inside = told
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = 10**12
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(write(told).encode() if name == named else data)
        with suppress(UserError):
            for found in find_dictionaries(folder):
                dictionary = read_found(found.read, found.path)
                assert dictionary.features < 100
    assert psutil.Process().memory_info().rss - before < 200 << 20


@pytest.mark.parametrize("what", ["repeated", "sparse", "without numbers"])
def test_tensor_that_claims_more_than_its_file_holds__is_refused(tmp_path: Path, what: str) -> None:
    claimed = {
        "repeated": torch.zeros(1).expand(10**6, 10**6),
        "sparse": torch.sparse_coo_tensor(size=(10**6, 10**6)),
        "without numbers": torch.empty(10**6, 10**6, device="meta"),
    }[what]
    torch.save({"encoder.weight": claimed, "decoder.weight": claimed.T}, tmp_path / "ae.pt")
    assert (tmp_path / "ae.pt").stat().st_size < 10_000
    before = psutil.Process().memory_info().rss
    with pytest.raises(UserError, match="claims more numbers than the file holds"):
        look_into(tmp_path / "ae.pt").tensors()
    save_toy_model(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save({"lm_head.weight": claimed}, tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(UserError, match="is damaged or cut short"):
        identity_of(find_model(str(tmp_path / "model")))
    assert psutil.Process().memory_info().rss - before < 200 << 20
