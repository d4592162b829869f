"""The plug-in that the README shows works as it stands there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from plugin_packages import install_module

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus
from sae_desktop.plugins.checking import checked
from sae_desktop.plugins.kinds import KINDS, group

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("## Plug-ins\n")[2].partition("\n## ")[0]


@pytest.mark.usefixtures("found")
def test_readme__shows_a_plugin_that_works(target: Path, tmp_path: Path) -> None:
    stated, module = re.findall(r"```(?:toml|python)\n(.*?)```", SECTION, re.DOTALL)
    project = tomllib.loads(stated)["project"]
    install_module(target, project["name"], module, project["entry-points"], project["version"])
    file = tmp_path / "day.chatlog"
    file.write_text("Ada: Good morning.\nBob: And to you.\n")
    documents = list(Corpus(CorpusSettings(corpus=str(file), order="files")))
    assert [(d.title, d.text) for d in documents] == [
        ("Ada", "Good morning."),
        ("Bob", "And to you."),
    ]
    assert [(r.name, r.state) for r in checked()] == [("chatlog", "works")]


def test_readme__lists_every_kind() -> None:
    listed = re.findall(r"^\| `(sae_desktop\.\w+)`", SECTION, re.MULTILINE)
    assert listed == [group(kind) for kind in KINDS]
