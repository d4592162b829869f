"""What the person reads of an engine that ended unasked."""

from __future__ import annotations

import signal

import pytest

from sae_desktop.client.engine_exit import describe_exit


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="this system has no SIGBUS")
def test_lost_file__is_told_as_cut_short_or_out_of_reach() -> None:
    exit_ = describe_exit(signal.SIGBUS, crashed=True, stderr_tail="", running_jobs=["Train “a”"])
    assert exit_.signal_name == "SIGBUS"
    assert "cut short by another program" in exit_.reason
    assert "drive is full or disconnected" in exit_.reason
    assert exit_.running_jobs == ["Train “a”"]
