"""A monitor under another name: everything in the project that speaks of it goes along."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.safety.change.config import WatchConfig, WatchedCheckpoint
from sae_desktop.safety.change.watch_file import WatchRecord, read_record
from sae_desktop.safety.monitors.config import Hit, MonitorRun, Promise
from sae_desktop.safety.monitors.file import (
    SCORES,
    Monitor,
    calibration_scores,
    read_monitor,
    save_monitor,
)
from sae_desktop.safety.monitors.hits_file import (
    RunRecord,
    last_run,
    read_hits,
    read_runs,
    run_file_name,
    save_run,
)
from sae_desktop.safety.monitors.rename import rename_monitor
from sae_desktop.steering.config import Intervention, Sampling, Variant
from sae_desktop.steering.gate_config import Gate, Readout
from sae_desktop.steering.presets import Preset, read_preset, save_preset
from sae_desktop.storage.atomic import write_bytes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open_or_create(tmp_path / "p")
    for name in ("alarm", "other"):
        promise = Promise(
            unit="message", rate=0.01, confidence=0.95, method="bound", blocks=400, units=400,
            firing=1.0, bound=0.0098, blocks_firing=1,
        )  # fmt: skip
        monitor = Monitor(
            readout=Readout(features=[3]), threshold=1.5, name=name, made="feature 3", places=[],
            promise=promise, corpus="builtin", corpus_digest="", context_size=64, bos=True,
            settings="", created="",
        )  # fmt: skip
        save_monitor(project, monitor, {SCORES: np.array([0.5, 1.0], np.float32)})
    return project


def make_run(project: Project, name: str, monitors: list[str], corpus: str) -> None:
    runs = [
        MonitorRun(
            monitor=monitor, unit="message", units=1, blocks=1, fired=1, blocks_fired=1, rate=1.0,
            rate_interval=None, promised=0.01, drift_p=None,
        )
        for monitor in monitors
    ]  # fmt: skip
    hits = [
        Hit(monitor=monitor, score=2.0, threshold=1.5, document=0, token=0, before="", text="alarm",
            after="")
        for monitor in monitors
    ]  # fmt: skip
    record = RunRecord(
        name=name, corpus=corpus, corpus_digest="", created="2026", runs=runs, kept=len(hits)
    )
    save_run(project, record, hits)


def test_rename__takes_hits_presets_and_watches_along(project: Project) -> None:
    make_run(project, run_file_name("alarm", "builtin"), ["alarm", "other"], "builtin")
    gated = Intervention(feature=1, when=Gate(monitor="alarm"))
    variants = [
        Variant(name="steered", interventions=[gated], stop=[Gate(monitor="other")]),
    ]
    preset = Preset(name="alarm", model="m", site="s", dictionary="d", prompt="alarm",
                    variants=variants, sampling=Sampling())  # fmt: skip
    save_preset(project, preset)
    config = WatchConfig(project=str(project.path), name="w", folder="f", monitors=("alarm",))
    record = WatchRecord(
        folder="f", settings=msgspec.json.encode({"seed": 0, "monitors": ("alarm",)}).decode(),
        watched=[WatchedCheckpoint(name="c", scores={"monitor alarm": 1.0, "alarm": 2.0})],
        config=msgspec.json.encode(config).decode(),
    )  # fmt: skip
    (project.path / "changes").mkdir()
    write_bytes(project.watch_path("w"), msgspec.json.encode(record))

    rename_monitor(project, "alarm", "siren")

    assert project.monitors() == ["other", "siren"]
    assert len(list(project.path.glob("monitors/*"))) == 4  # nothing of the old name is left
    monitor = read_monitor(project, "siren")
    assert (monitor.name, monitor.threshold) == ("siren", 1.5)
    assert calibration_scores(project, monitor).tolist() == [0.5, 1.0]
    found = last_run(read_runs(project), "siren")
    assert found is not None
    assert found[0].name == run_file_name("siren", "builtin")
    hits = read_hits(project.hits_path(found[0].name))
    assert [(hit.monitor, hit.text) for hit in hits] == [("siren", "alarm"), ("other", "alarm")]
    kept = read_preset(project, "alarm")
    assert kept == msgspec.structs.replace(
        preset,
        variants=[msgspec.structs.replace(
            variants[0],
            interventions=[msgspec.structs.replace(gated, when=Gate(monitor="siren"))],
        )],
    )  # fmt: skip
    watched = read_record(project.watch_path("w"))
    assert watched.watched[0].scores == {"monitor siren": 1.0, "alarm": 2.0}
    assert watched.settings == '{"seed":0,"monitors":["siren"]}'
    assert msgspec.json.decode(watched.config, type=WatchConfig).monitors == ("siren",)
    assert not list(project.path.glob(".work/*"))


def test_rename__leaves_hits_of_another_in_place(project: Project) -> None:
    make_run(project, "alarm", ["alarm"], "a.txt")
    make_run(project, "siren", ["gone"], "b.txt")
    rename_monitor(project, "alarm", "siren")
    assert [hit.monitor for hit in read_hits(project.hits_path("alarm"))] == ["siren"]
    assert [hit.monitor for hit in read_hits(project.hits_path("siren"))] == ["gone"]


@pytest.mark.parametrize(
    ("name", "new", "said"),
    [("alarm", "other", "already a monitor “other”"), ("alarm", "a/b", "not a valid name"),
     ("none", "new", "no monitor “none”")],
)  # fmt: skip
def test_rename__is_refused_with_nothing_changed(
    project: Project, name: str, new: str, said: str
) -> None:
    before = {path: path.read_bytes() for path in project.path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=said):
        rename_monitor(project, name, new)
    assert before == {p: p.read_bytes() for p in project.path.rglob("*") if p.is_file()}
