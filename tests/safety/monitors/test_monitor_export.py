"""An exported monitor gives the same scores in a process that has no SAE Desktop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job_contexts import RecordingContext

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.safety.monitors.calibrate import calibrate_monitor
from sae_desktop.safety.monitors.config import CalibrateMonitorConfig, ExportMonitorConfig
from sae_desktop.safety.monitors.export import export_monitor
from sae_desktop.safety.monitors.scoring import Scorer, unit_scores
from sae_desktop.safety.monitors.texts import ReadText, Watched
from sae_desktop.steering.ready_gates import monitor_reader

TEXTS = ["In the beginning God created", "def add(first, second):\n    return first " * 4]
_BLOCKED = """
import importlib.abc, runpy, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "sae_desktop":
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_exported_monitor__gives_the_same_scores_elsewhere(
    watched: Project, opened: OpenedIndex, feature: int, ordinary: Path, toy_model_folder: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Features that compete, a direction, and both ways of pooling, in one process."""
    made: list[dict[str, Any]] = [
        {"features": [feature, (feature + 3) % 48], "weights": [1.0, -0.5], "unit": "message"},
        {"made": "difference", "on": TEXTS * 2, "off": ["Κάθε άτομο", "🌉 人人"], "pool": "mean"},
        {"features": [feature], "unit": "token"},
    ]
    wanted: list[list[float]] = []
    for number, settings in enumerate(made):
        config = CalibrateMonitorConfig(
            project=str(watched.path), name=f"x{number}", index="i", corpus=str(ordinary),
            rate=0.1, confidence=0.8, positives=["a"], negatives=["b"], replace=True, **settings,
        )  # fmt: skip
        calibrate_monitor(config, SilentContext())
        folder = tmp_path / f"x{number}"
        asked = ExportMonitorConfig(
            project=str(watched.path), monitor=f"x{number}", path=str(folder)
        )
        export_monitor(asked, RecordingContext())
        _, reader = monitor_reader(str(watched.path), f"x{number}", opened.lm, lambda *_: opened)
        scorer = Scorer([reader], opened.bos, opened.eos, 64)
        texts = [ReadText(opened.lm.encode(text)) for text in TEXTS]
        unit: Any = settings.get("unit", "message")
        found = scorer.components(texts, SilentContext())
        wanted.append(
            [
                float(unit_scores(reader, of_text[0], text, Watched(unit)).scores.max())
                for of_text, text in zip(found, texts, strict=True)
            ]
        )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    told = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import importlib.util as u\n"
        "for f in sys.argv[3:]:\n"
        "    s = u.spec_from_file_location('monitor', f + '/monitor.py')\n"
        "    m = u.module_from_spec(s)\n"
        "    s.loader.exec_module(m); x = m.Monitor(f, sys.argv[2])\n"
        f"    print(json.dumps([x.score(t) for t in {TEXTS!r}]))\n"
        "assert 'sae_desktop' not in sys.modules\n"
    )
    script = tmp_path / "several.py"
    script.write_text(told)
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED, str(script), str(tmp_path), str(toy_model_folder),
         *(str(tmp_path / f"x{number}") for number in range(len(made)))],
        capture_output=True, text=True, env=environment, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for line, scores in zip(done.stdout.splitlines(), wanted, strict=True):
        found_there = [one["score"] for one in json.loads(line)]
        np.testing.assert_allclose(found_there, scores, rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="already holds something"):
        export_monitor(asked, RecordingContext())
