"""A monitor on each checkpoint of a watch: its rate by hand, and a drift where one was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_toys import ordinary, save_base, save_checkpoint, save_text
from toy_models import WIDTH

from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.project import Project
from sae_desktop.safety.change.config import WatchConfig
from sae_desktop.safety.change.watched_monitors import WatchedMonitors, scores_of
from sae_desktop.safety.monitors.config import Promise
from sae_desktop.safety.monitors.file import Monitor, save_monitor
from sae_desktop.steering.gate_config import Readout
from sae_desktop.steering.ready_gates import DIRECTION
from sae_desktop.words.change_words import monitor_sentence

SITE = "blocks.1.hook_resid_post"
MOVED = 3


@pytest.fixture
def place(tmp_path: Path) -> Path:
    project = Project.open_or_create(tmp_path / "p")
    lm = load_model(str(save_base(tmp_path / "base")), "cpu")
    direction = np.zeros(WIDTH, np.float32)
    direction[MOVED] = 1.0
    promise = Promise(
        unit="message", rate=0.1, confidence=0.9, method="bound", blocks=40, units=40, firing=2.0,
        bound=0.1, blocks_firing=2,
    )  # fmt: skip
    monitor = Monitor(
        name="m", readout=Readout(site=SITE, pool="max"), threshold=1.0, model=lm.name,
        revision=lm.revision, tokenizer=lm.tokenizer_hash, made="direction", places=[SITE],
        promise=promise, corpus="", corpus_digest="", context_size=64, bos=True, settings="",
        created="",
    )  # fmt: skip
    save_monitor(project, monitor, {DIRECTION: direction})
    save_text(tmp_path / "text.jsonl")
    return tmp_path


def _highest(checkpoint: Path) -> list[float]:
    """Return of each text the largest value along the direction, read by hand."""
    lm = load_model(str(checkpoint), "cpu")
    prefix, _ = lm.window_tokens
    found = []
    for text in ordinary():
        ids = [*prefix, *lm.encode(text)]
        x = capture_sites(lm, torch.tensor([ids]), None, [parse_site(SITE)])[parse_site(SITE)]
        found.append(float(x[0, len(prefix) :, MOVED].max()))
    return found


def test_monitor__has_the_rate_found_by_hand_and_drifts_where_the_model_moved(place: Path) -> None:
    save_checkpoint(place / "quiet", noise=0.001)
    save_checkpoint(place / "moved", noise=0.001, moved=3.0)
    config = WatchConfig(
        project=str(place / "p"), name="w", folder=str(place), monitors=("m",), texts=40,
        corpus=str(place / "text.jsonl"), device="cpu",
    )  # fmt: skip
    watched = WatchedMonitors(Project.open(place / "p"), config, SilentContext())
    base = np.array(_highest(place / "base"))
    for name, drifted in (("quiet", False), ("moved", True)):
        (found,) = watched.on(str(place / name), SilentContext())
        own = np.array(_highest(place / name))
        assert found.rate == pytest.approx((own > 1.0).mean())
        assert found.rate_before == pytest.approx((base > 1.0).mean())
        assert found.drifted is drifted
        assert ("calibrate it again" in monitor_sentence(found, name)) is drifted
    quiet = np.array(_highest(place / "quiet"))
    assert found.moved == pytest.approx(abs((own - quiet).mean()) / base.std(), rel=1e-3)
    assert scores_of([found]) == {"monitor m": found.moved}


def test_monitor__that_is_not_there_is_refused_before_anything_is_watched(place: Path) -> None:
    config = WatchConfig(project=str(place / "p"), name="w", folder=str(place), monitors=("n",))
    with pytest.raises(UserError, match="“n”"):
        WatchedMonitors(Project.open(place / "p"), config, SilentContext())
