"""Every kind of job run on a pretended card: harvest, training, index, steering, tracing …"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asked_jobs import questions
from kill_jobs import SCENARIOS, Place, copy_place, make_place
from pretended_device import KINDS, pretended

from sae_desktop.engine.run import run_job
from sae_desktop.features.building import collect
from sae_desktop.features.reading import firing_files
from sae_desktop.jobs import SilentContext

NO_DEVICE = {
    "check server", "explain features", "find servers", "get model", "preview",
    "preview judging", "trust model",
}  # fmt: skip
"""Jobs that ask a server or read no more than files, which take another process or the hub."""
SLOW = {"measure", "output effect", "strength of one", "watch checkpoints"}
"""Left to the night: ten seconds and more."""
EVERY_DAY = {
    "attribute", "evaluate", "harvest", "index", "intervene", "probe", "steer", "trace", "train",
}  # fmt: skip
"""Of Metal; the others at night, since they differ by little from CUDA."""
NOWHERE = Place(Path("p"), Path("m"))
WRITING = {name for name, made in SCENARIOS.items() if isinstance(made(NOWHERE), msgspec.Struct)}
JOBS = sorted((WRITING | set(questions(NOWHERE))) - NO_DEVICE)


def on(config: Any, device: str) -> Any:
    """Return a config with every device in it replaced, those of its parts included."""
    if not isinstance(config, msgspec.Struct):
        return config
    changed = {
        name: device if name == "device" else on(getattr(config, name), device)
        for name in config.__struct_fields__
    }
    return msgspec.structs.replace(config, **changed)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patched:
        # `make_place` makes them small for good; here they are put back.
        patched.setattr(collect, "_GROUP_ROWS", collect._GROUP_ROWS)
        patched.setattr(firing_files, "ENTRIES", firing_files.ENTRIES)
        yield make_place(tmp_path_factory.mktemp("card") / "base")


def _cases() -> Iterator[Any]:
    for job in JOBS:
        for device in KINDS:
            daily = job not in SLOW and (device.startswith("cuda") or job in EVERY_DAY)
            yield pytest.param(job, device, marks=[] if daily else [pytest.mark.nightly])


@pytest.mark.parametrize(("job", "device"), list(_cases()))
def test_job__runs_on_a_card(job: str, device: str, base: Place, tmp_path: Path) -> None:
    place = copy_place(base, tmp_path / "trial")
    config = SCENARIOS[job](place) if job in WRITING else questions(place)[job]
    with pretended(device):
        run_job(on(config, device), SilentContext())
