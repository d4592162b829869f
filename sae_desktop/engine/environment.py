"""Settings of libraries that must stand in the environment before they are loaded."""

from __future__ import annotations

import os

from sae_desktop.storage.in_use import say_running
from sae_desktop.storage.own_folders import COMPILED, compiled_folder

LIBRARY_ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Threads that wait for work by spinning take the cores from the window and from other
    # programs: a training step beside one other busy process took six times as long.
    "OMP_WAIT_POLICY": "PASSIVE",
}


def prepare_environment() -> None:
    """Set what the person has not set, and say that this process uses what the program keeps.

    Call before torch is imported.
    """
    for name, value in LIBRARY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault(COMPILED, str(compiled_folder()))
    say_running()
