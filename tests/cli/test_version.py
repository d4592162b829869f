"""`--version`, and all that a report of a fault has to say."""

from __future__ import annotations

import pytest

from sae_desktop import __version__
from sae_desktop.__main__ import main


def test_version__is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sae-desktop {__version__}\n"


def test_version__says_verbosely_what_it_runs_on_and_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--version", "--verbose"]) == 0
    said = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert said["SAE Desktop"].strip() == __version__
    assert "cpu" in said["Devices"]
    assert not [name for name, value in said.items() if "not installed" in value]


def test_version__verbose_alone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--verbose"]) == 2
    assert "--version" in capsys.readouterr().err
