"""No dataset of a file from elsewhere is mapped unless it is what its reader takes.

Every dataset of every kind of file that is mapped is spoilt in every way, one at a time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from imported_rows import STORE, import_rows, toy_rows
from made_kinds import write_made_kinds
from made_scores import write_made_scores
from sample_index import write_sample_index

from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import SegmentWriter
from sae_desktop.comparison.match_file import Match, MatchedDictionary, MatchInfo, write_match
from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import judged_path, kinds_path
from sae_desktop.features.reading.effect_file import (
    EffectInfo,
    no_strengths,
    put_strength,
    read_effects,
    write_effects,
)
from sae_desktop.features.reading.effect_path import effect_path
from sae_desktop.features.reading.firing_files import Entries, FiringGroup, GroupInfo, write_group
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.judged_file import read_judged, write_judged
from sae_desktop.features.reading.judgement import Judge, JudgedLabel, Judgement, Part
from sae_desktop.features.reading.kinds_file import read_kinds
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.features.reading.layout import (
    DOCUMENT_DTYPE,
    PASSAGE_DTYPE,
    TextSource,
    write_index,
)
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.scores_file import read_scores
from sae_desktop.project import Project
from sae_desktop.training.run_log import FeatureSample, RunChange, RunLogWriter, read_run

FEATURES = 6
Opener = Callable[[Path], Any]


def _index(folder: Path) -> tuple[Path, Opener]:
    return write_sample_index(folder / "i.h5", features=FEATURES, repeats=1), FeatureIndex


def _effects(folder: Path) -> tuple[Path, Opener]:
    index = folder / "i.h5"
    info = EffectInfo(dictionary_hash="h", strength=1.0, prompts=[])
    known = KnownStrength(verdict="works", suggested=2.0, turn=0.3, low=-1.0, high=3.0)
    strengths = no_strengths(FEATURES)
    for feature in range(FEATURES):
        put_strength(strengths, feature, known)
    write_effects(index, info, np.ones(FEATURES), strengths)

    def read(_: Path) -> None:
        if read_effects(index, FEATURES, "h") is None:
            raise UserError("no effects")

    return effect_path(index), read


def _judged(folder: Path) -> tuple[Path, Opener]:
    part = Part(interval=1, value=0.5, low=0.2, high=0.8, items=3)
    judgement = Judgement(
        value=0.5, low=0.2, high=0.8, chance=0.5, asked=6, answered=6, as_wrong=0.5, as_right=0.5,
        parts=(part, part),
    )  # fmt: skip
    one = JudgedLabel(
        feature=1, label="a label", method="model", scorer="detection", judge=Judge(model="m"),
        judgement=judgement,
    )  # fmt: skip
    write_judged(folder / "i.h5", "h", FEATURES, [one] * 3)

    def read(_: Path) -> None:
        if read_judged(folder / "i.h5", FEATURES, "h") is None:
            raise UserError("nothing judged")

    return judged_path(folder / "i.h5"), read


def _scores(folder: Path) -> tuple[Path, Opener]:
    index = write_sample_index(folder / "s.h5", features=8, repeats=2)
    info = read_info(index)

    def read(_: Path) -> None:
        if read_scores(index, info) is None:
            raise UserError("no scores")

    return write_made_scores(index), read


def _kinds(folder: Path) -> tuple[Path, Opener]:
    index = folder / "i.h5"
    write_made_kinds(index, "h", FEATURES)

    def read(_: Path) -> None:
        if read_kinds(index, FEATURES, "h") is None:
            raise UserError("no concepts")

    return kinds_path(index), read


def _match(folder: Path) -> tuple[Path, Opener]:
    sides = [
        MatchedDictionary(name=n, hash="", features=f, site="s") for n, f in (("a", 3), ("b", 4))
    ]
    info = MatchInfo(smaller=sides[0], larger=sides[1], nearest=2)
    arrays = {
        f"{side}/{what}": np.zeros((count, 2), dtype)
        for side, count in (("larger", 3), ("smaller", 4))
        for what, dtype in (("ids", np.int32), ("cosines", np.float32))
    }
    write_match(folder / "m.h5", info, arrays)
    return folder / "m.h5", Match


def _firings(folder: Path) -> tuple[Path, Opener]:
    text = TextSource(activations="a", corpus="c", first_row=0, rows=5)
    info = GroupInfo(dictionary_hash="h", features=FEATURES, text=text, massive_rows=0)
    entries = Entries(np.arange(3), np.arange(3), np.ones(3))
    tables = {
        "tokens": np.arange(5, dtype=np.int32), "windows": np.zeros(1, np.int64),
        "passages": np.zeros(1, PASSAGE_DTYPE), "documents": np.zeros(1, DOCUMENT_DTYPE),
    }  # fmt: skip
    write_group(folder / "000.h5", info, entries, tables)
    return folder / "000.h5", FiringGroup


def _run(folder: Path) -> tuple[Path, Opener]:
    path = folder / "run.h5"
    log = RunLogWriter.create(path, "{}", points=3, snapshots=2)
    log.append({"step": 1, "rows": 8})
    sample = FeatureSample(feature=1, density=0.1, contexts=[])
    log.append_snapshot(1, np.ones(4), [sample], norms=np.ones(4), cosines=np.ones(4))
    log.append_change(RunChange(step=1, rows=8, lr=0.1))
    log.close()
    return path, read_run


def _store(folder: Path) -> tuple[Path, Opener]:
    project = Project.open_or_create(folder / "p.saeproj")
    import_rows(project, toy_rows(6))
    path = project.store_path(STORE) / "000.h5"
    return path, lambda p: ActivationStore.open(p.parent).read(0, 6)


def _written_store(folder: Path) -> tuple[Path, Opener]:
    return _store(folder)[0], lambda path: SegmentWriter(path).close()


KINDS = {
    "index": _index, "effects": _effects, "judged": _judged, "match": _match, "scores": _scores,
    "kinds": _kinds,
    "firings": _firings, "run": _run,
    "store": _store, "store written on": _written_store,
}  # fmt: skip


def _texts(file: h5py.File, name: str, data: Any) -> None:
    text = np.full(data.shape, "x" * 40, dtype=object)
    file.create_dataset(name, data=text, dtype=h5py.string_dtype())


def _lists(file: h5py.File, name: str, data: Any) -> None:
    made = file.create_dataset(name, data.shape, h5py.vlen_dtype(np.int64))
    made[(0,) * data.ndim] = np.arange(3)


def _references(file: h5py.File, name: str, data: Any) -> None:
    made = file.create_dataset(name, data.shape, h5py.ref_dtype)
    made[(0,) * data.ndim] = file.ref


def _record_of_text(file: h5py.File, name: str, data: Any) -> None:
    dtype = np.dtype([("a", "<i8"), ("b", h5py.string_dtype())])
    made = file.create_dataset(name, data.shape, dtype)
    made[(0,) * data.ndim] = (1, "x")


def _record(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset(name, data=np.zeros(data.shape, [("other", "<i8"), ("more", "<f4")]))


def _other_order(file: h5py.File, name: str, data: Any) -> None:
    if data.dtype.kind == "S" or data.dtype.itemsize == 1:
        _record(file, name, data)
    else:
        file.create_dataset(name, data=data.astype(data.dtype.newbyteorder(">")))


def _complex(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset(name, data=np.zeros(data.shape, np.complex64))


def _deeper(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset(name, data=data[..., None])


def _scalar(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset(name, data=data.reshape(-1)[0])


def _empty(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset(name, data=h5py.Empty(data.dtype))


def _chunks(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset(name, data=data, chunks=True)


def _elsewhere(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset(name, data.shape, data.dtype, external=[("/dev/zero", 0, data.nbytes)])


def _link(file: h5py.File, name: str, data: Any) -> None:
    file.create_dataset("aside", data=data)
    file[name] = h5py.SoftLink("/aside")


def _other_file(file: h5py.File, name: str, data: Any) -> None:
    file[name] = h5py.ExternalLink("other.h5", "/aside")


def _group(file: h5py.File, name: str, data: Any) -> None:
    file.create_group(name)


ATTACKS = [
    _texts, _lists, _references, _record_of_text, _record, _other_order, _complex, _deeper,
    _scalar, _empty, _chunks, _elsewhere, _link, _other_file, _group,
]  # fmt: skip
ADDRESSES = (2**63, 2**64 - 2, 2**40, -1)
"""Where a dataset is said to lie; −1: so that its last byte is beyond the end of the file."""


def _datasets(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return {name: data for name, data in found.items() if data.size}


def _spoilt(path: Path) -> Iterator[str]:
    """Leave the file spoilt in one way after another; say how."""
    whole = path.read_bytes()
    for number, (name, data) in enumerate(_datasets(path).items()):
        # What holds addresses is tried on each; of the rest each is tried on some of each file.
        rest = [ATTACKS[(number + step) % len(ATTACKS)] for step in range(0, len(ATTACKS), 4)]
        for attack in dict.fromkeys([_texts, _record_of_text, *rest]):
            path.write_bytes(whole)
            with h5py.File(path, "r+") as file:
                del file[name]
                attack(file, name, data)
            yield f"{name} {attack.__name__}"
        path.write_bytes(whole)
        with h5py.File(path) as file:
            offset = file[name].id.get_offset()
        place = struct.pack("<QQ", offset, data.nbytes)
        assert whole.count(place) == 1
        for address in ADDRESSES:
            at = address if address > 0 else len(whole) - data.nbytes + 1
            path.write_bytes(whole.replace(place, struct.pack("<QQ", at, data.nbytes)))
            yield f"{name} lies at {at}"
    path.write_bytes(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_dataset__that_is_not_what_its_reader_takes_is_not_mapped(
    tmp_path: Path, kind: str
) -> None:
    path, read = KINDS[kind](tmp_path)
    read(path)
    taken = []
    for how in _spoilt(path):
        try:
            read(path)
        except UserError:
            continue
        taken.append(how)
    assert taken == []
    read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_header__of_another_type_is_refused(tmp_path: Path, kind: str) -> None:
    path, read = KINDS[kind](tmp_path)
    whole = path.read_bytes()
    names = ["kind", "schema_version", "columns" if kind == "run" else "info"]
    for name in names:
        for value in (np.arange(3), 10**6, b"{", "[" * 5000, -1, np.array([b"a"]), h5py.Empty("i")):
            path.write_bytes(whole)
            with h5py.File(path, "r+") as file:
                file.attrs[name] = value
            with pytest.raises(UserError):
                read(path)


def test_shapes__that_contradict_one_another_are_refused(tmp_path: Path) -> None:
    path, read = _index(tmp_path)
    whole = path.read_bytes()
    for name in ("columns/density", "contexts/offsets", "contexts/edges", "neighbours/cosines"):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            data = file[name][()]
            del file[name]
            file[name] = data[..., :-1]
        with pytest.raises(UserError, match=r"instead of|are expected"):
            read(path)


def test_index__writes_nothing_that_its_reader_does_not_take(tmp_path: Path) -> None:
    path, _ = _index(tmp_path)
    with pytest.raises(KeyError, match="not one of the arrays"):
        write_index(path, read_info(path), {"unheard/of": np.zeros(3)})


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be cut short elsewhere")
@pytest.mark.parametrize("kind", ["index", "store", "match"])
def test_file_cut_short_while_open__is_an_error_in_words(tmp_path: Path, kind: str) -> None:
    path, _ = KINDS[kind](tmp_path)
    read: Callable[[], Any]
    if kind == "index":
        index = FeatureIndex(path)
        read = lambda: index.contexts(0)  # noqa: E731
    elif kind == "match":
        match = Match(path)
        read = lambda: match.nearest("a", 0)  # noqa: E731
    else:
        store = ActivationStore.open(path.parent)
        read = lambda: store.read(0, 6)  # noqa: E731
    read()
    os.truncate(path, 100)
    with pytest.raises(UserError, match="cut short while it was open"):
        read()
