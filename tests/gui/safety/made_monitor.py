"""A monitor as calibration would have written it, without a model."""

from __future__ import annotations

import numpy as np

from sae_desktop.project import Project
from sae_desktop.safety.monitors.config import Hit, MonitorRun, Power, Promise
from sae_desktop.safety.monitors.file import NEGATIVES, POSITIVES, SCORES, Monitor, save_monitor
from sae_desktop.safety.monitors.hits_file import RunRecord, save_run
from sae_desktop.steering.gate_config import Readout

PROMISE = Promise(
    unit="message", rate=0.01, confidence=0.95, method="bound", blocks=400, units=400,
    firing=1.0, bound=0.0098, blocks_firing=1,
)  # fmt: skip


def power(what: str, caught: int, of: int = 20) -> Power:
    share = caught / of
    return Power(
        what=what, threshold=1.5, caught=caught, of=of, wilson=(share - 0.1, share + 0.1),
        exact=(share - 0.1, share + 0.1), near_misses=1, near_of=20, auroc=0.9,
    )  # fmt: skip


def make_monitor(
    project: Project, name: str = "alarm", *, index: str = "", digest: str = "", settings: str = ""
) -> Monitor:
    """Write a monitor on features 3 and 5 that loses to the difference of means."""
    monitor = Monitor(
        readout=Readout(index=index, features=[3, 5]), threshold=1.5, dictionary_hash=digest,
        model="builtin", name=name, made="features 3, 5", dictionary="d",
        places=["blocks.3.hook_resid_post"], promise=PROMISE,
        power=[power("features 3, 5", 12), power("Difference of means", 18),
               power("Raw probe", 16), power("Random direction", 1)],
        corpus="builtin", corpus_digest="ab", context_size=64, bos=True, settings=settings,
        created="2026-11-29T10:00:00+00:00",
    )  # fmt: skip
    chance = np.random.default_rng(0)
    scores = {
        SCORES: np.append(chance.gamma(2.0, 0.12, 399), 1.6),
        POSITIVES: chance.normal(1.7, 0.5, 20), NEGATIVES: chance.normal(0.7, 0.3, 20),
    }  # fmt: skip
    save_monitor(project, monitor, {n: s.astype(np.float32) for n, s in scores.items()})
    return monitor


def make_run(project: Project, monitor: str = "alarm", *, drift: str = "") -> RunRecord:
    """Write a run of it over a file, with two hits."""
    hits = [
        Hit(
            monitor=monitor, score=2.5 - n, threshold=1.0, document=n, title=f"Text {n}",
            token=1, before="a ", text="bad", after=" word", tokens=["a ", "bad", " word"],
            scores=[0.1, 2.5 - n, 0.3],
        )
        for n in range(2)
    ]  # fmt: skip
    run = MonitorRun(
        monitor=monitor, unit="message", units=50, blocks=50, fired=2, blocks_fired=2, rate=0.04,
        rate_interval=(0.005, 0.14), promised=0.01, drift_p=0.001 if drift else 0.5, drift=drift,
    )  # fmt: skip
    record = RunRecord(
        name=f"{monitor} chats", corpus="/somewhere/chats.jsonl", corpus_digest="cd", kept=2,
        created="2026-11-29T11:00:00+00:00", runs=[run],
    )  # fmt: skip
    save_run(project, record, hits)
    return record
