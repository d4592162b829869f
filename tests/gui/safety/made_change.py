"""A comparison of four checkpoints and a watch, made by hand: it is known what they say."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from sae_desktop.project import Project
from sae_desktop.safety.change.alerts import Calibration
from sae_desktop.safety.change.change_file import (
    KINDS,
    Answer,
    Change,
    ChangeInfo,
    FeatureContext,
    SteeredTexts,
    TokenScore,
    TraitFigures,
    write_change,
)
from sae_desktop.safety.change.config import (
    Alert,
    CheckpointFigures,
    CompareCheckpointsConfig,
    MonitorOnCheckpoint,
    WatchConfig,
    WatchedCheckpoint,
)
from sae_desktop.safety.change.watch_file import WatchRecord

TITLES = ("builtin", "step-1", "step-2", "step-3")
FEATURES, MOVED, ONSET = 12, 7, 2
_KL = (0.0, 0.02, 0.3, 0.03)
_TURN = (0.0, 2.0, 14.0, 3.0)


def made_info(name: str = "made", **changes: Any) -> ChangeInfo:
    """What moves at the second checkpoint: predictions, feature 7 and the trait “tone”."""
    figures = [
        CheckpointFigures(
            name=f"/runs/{title}", title=title, identity=title, loss=3.0 - 0.1 * n, kl=_KL[n],
            difference=(0.0, 0.01, 0.2, 0.21)[n], difference_p=(1.0, 0.4, 0.005, 0.005)[n],
            difference_agreement=0.9, fvu=0.2 + 0.01 * n, random_fvu=0.8, spliced_loss=3.2,
            changed_features=(0, 0, 1, 1)[n], changed_random=0,
            scores={} if not n else {
                "outputs": _KL[n], "first tokens": (0.0, 0.01, 0.2, 0.02)[n],
                "features": (0.0, 0.1, 0.2, 0.3)[n], "turn tone": _TURN[n],
                "trait tone": 0.01 * n, "probe tone": 5.0,
            },
        )
        for n, title in enumerate(TITLES)
    ]  # fmt: skip
    traits = [
        [
            TraitFigures(
                trait="tone", angle=(0.0, 2.0, 14.0, 15.0)[n], angle_by_chance=5.0,
                projection=0.01 * n, projection_p=0.5, projection_random=0.1, auroc_first=0.9,
                auroc_own=0.95, probe_angle=20.0 * bool(n), probe_auroc_first=0.8,
                probe_auroc_own=0.9,
            )
        ]
        for n in range(len(TITLES))
    ]  # fmt: skip
    tokens = [[TokenScore(" le", 0.5 * n), TokenScore("\n", 0.1 * n)] for n in range(4)]
    told = {
        "name": name, "site": "blocks.3.hook_resid_post", "dictionary": "d", "traits": traits,
        "checkpoints": figures, "lens_tokens": tokens, "shift_tokens": tokens,
        "contexts": [
            FeatureContext(feature=MOVED, checkpoint=n, tokens=["The", " sea"],
                           activations=[0.0, 1.0 + n])
            for n in (0, 3)
        ],
        "steered": SteeredTexts(
            prompts=["In the"], plain=["morning"], steered=["matin"], random=["mmm"]
        ),
        "prompts": ["In the"],
        "answers": [
            [Answer(next_tokens=[TokenScore(" sea", 0.5)], written=f" sea {title}")]
            for title in TITLES
        ],
        "texts": 8, "context_size": 16,
        "config": msgspec.json.encode(
            CompareCheckpointsConfig(project="", name=name, checkpoints=TITLES, texts=9)
        ).decode(),
    }  # fmt: skip
    return ChangeInfo(**(told | changes))


def made_arrays() -> dict[str, np.ndarray[Any, Any]]:
    size = np.zeros((4, FEATURES), np.float32)
    size[2:, MOVED] = 3.0
    size[1:, 1] = -0.5
    q = np.ones((4, FEATURES), np.float32)
    q[2:, MOVED] = 0.001
    zeros = np.zeros((4, FEATURES), np.float32)
    kinds = [KINDS.index(kind) for kind in ("shared", "exclusive", "rotated")]
    return {
        "features/size": size, "features/q": q, "features/mean": zeros + 0.1,
        "features/density": zeros + 0.01, "features/effect": zeros, "features/cosine": zeros,
        "tokens/lens": np.zeros((4, 5), np.float32), "tokens/shift": np.zeros((4, 5), np.float32),
        "crosscoder/norm": np.ones((3, 4), np.float32),
        "crosscoder/scaling": np.ones((3, 4), np.float32),
        "crosscoder/depends": np.ones((3, 4), np.float32),
        "crosscoder/cosine": np.ones(3, np.float32), "crosscoder/density": np.ones(3, np.float32),
        "crosscoder/stable": np.ones(3, np.float32), "crosscoder/kind": np.array(kinds),
        "crosscoder/birth": np.array([0, 2, 0]), "crosscoder/death": np.array([3, 3, 3]),
    }  # fmt: skip


def made_change(**changes: Any) -> Change:
    return Change(made_info(**changes), made_arrays())


def save_made(project: Project, name: str = "made", **changes: Any) -> None:
    """Write the comparison into a project."""
    (project.path / "changes").mkdir(exist_ok=True)
    write_change(project.change_path(name), made_info(name, **changes), made_arrays())


def made_calibration() -> Calibration:
    return Calibration(
        rate=0.1, units={"outputs": 0.02}, heights=[0.8, 0.9, 1.0], threshold=1.5, checkpoints=2,
        unit_runs=["h0"], runs=["h1", "h2", "h3"],
    )  # fmt: skip


def save_watch(project: Project, name: str = "w", calibration: str = "") -> WatchRecord:
    """Write a watch of three checkpoints, of which the second raised an alert."""
    alert = Alert(
        checkpoint="step-2", since="step-1", measure="outputs", ratio=15.0, threshold=1.5, p=0.25,
        promised=0.1,
    )  # fmt: skip
    monitor = MonitorOnCheckpoint(
        monitor="m", units="message", rate=0.2, rate_interval=(0.1, 0.3), rate_before=0.05,
        promised=0.1, moved=2.0, drift_p=0.001, drifted=True,
    )  # fmt: skip
    watched = [
        WatchedCheckpoint(name="step-1", scores={"outputs": 0.02}),
        WatchedCheckpoint(name="step-2", scores={"outputs": 0.3}, alert=alert),
        WatchedCheckpoint(name="step-3", scores={"outputs": 0.03}, monitors=[monitor]),
    ]
    config = WatchConfig(
        project="", name=name, folder="/runs", base="builtin", calibration=calibration
    )
    record = WatchRecord(
        folder="/runs", settings="{}", watched=watched, skipped={"step-0": "It is another model."},
        config=msgspec.json.encode(config).decode(),
    )  # fmt: skip
    (project.path / "changes").mkdir(exist_ok=True)
    project.watch_path(name).write_bytes(msgspec.json.encode(record))
    if calibration:
        path = project.calibration_path(calibration)
        path.write_bytes(msgspec.json.encode(made_calibration()))
    return record
