"""The scan and the monitors of the demonstration, for the Safety workspace to have something.

The scan looks for three of the shipped concept sets in the smaller dictionary; of the monitors one
reads features, the other a raw direction. Both promise 5% per message on the built-in corpus.
"""

from __future__ import annotations

from pathlib import Path

from sae_desktop.jobs import JobContext
from sae_desktop.project import Project
from sae_desktop.safety.monitors.calibrate import calibrate_monitor
from sae_desktop.safety.monitors.config import CalibrateMonitorConfig, Made
from sae_desktop.safety.scan.config import ScanConfig
from sae_desktop.safety.scan.job import scan

SCAN = "three concepts"
SETS = ("prompt_leak", "language_switch", "unsafe_code")
MONITORS: tuple[tuple[str, str, Made, bool], ...] = (
    ("unsafe code", "unsafe_code", "classifier", False),
    ("prompt leak raw", "prompt_leak", "difference", True),
)
"""Name, concept set, what it is made of, and whether the smaller dictionary’s index is read."""
RATE, DOCUMENTS = 0.05, 200


def write_safety(out: Path, index: str, larger: str, context: JobContext) -> None:
    """Scan with an index, and calibrate the monitors, in the project at `out`.

    A scan that is there is replaced, and so are the monitors.
    """
    project, path = Project.open(out), str(out)
    with project.lock():
        project.scan_path(SCAN).unlink(missing_ok=True)
        scan(ScanConfig(project=path, name=SCAN, indexes=(index,), sets=SETS), context)
        for name, concept, made, small in MONITORS:
            config = CalibrateMonitorConfig(
                project=path, name=name, index=index if small else larger, made=made,
                set=concept, rate=RATE, documents=DOCUMENTS, corpus="builtin", replace=True,
            )  # fmt: skip
            result = calibrate_monitor(config, context)
            print(name, result.promise, *result.power, *result.notes, sep="\n")
