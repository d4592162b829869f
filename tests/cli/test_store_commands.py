"""Stores from the command line: extended, listed, shown, verified, deleted."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from cli_process import sae_desktop

from sae_desktop.activations.store import ActivationStore
from sae_desktop.project import Project

SITE = "blocks.1.hook_resid_post"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Path:
    """A project with a store of 600 rows."""
    folder = tmp_path_factory.mktemp("stores") / "p.saeproj"
    done = sae_desktop(
        "harvest", folder, "--model", toy_model_folder, "--site", SITE, "--name", "a", "--tokens",
        "600", "--context-size", "32", "--device", "cpu", "--dtype", "int8", "--json",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    return folder


def test_more__extends_a_store_as_it_was_made(project: Path) -> None:
    done = sae_desktop("harvest", project, "--name", "a", "--more", "150", "--json")
    assert done.status == 0, done.stderr
    assert done.result["rows"] == 750
    store = ActivationStore.open(project / "activations" / "a")
    assert (store.rows, store.segments, store.info.dtype) == (750, 2, "int8")
    assert store.info.context_size == 32


def test_more__needs_a_store_that_is_there(project: Path) -> None:
    done = sae_desktop("harvest", project, "--name", "none", "--more", "150")
    assert done.status == 2
    assert "no store “none”" in done.stderr


def test_list_and_show__say_what_a_store_holds(project: Path) -> None:
    rows = ActivationStore.open(project / "activations" / "a").rows
    listed = sae_desktop("stores", "list", project, "--json").result["stores"]
    assert [(s["name"], s["rows"], s["dtype"], s["sites"]) for s in listed] == [
        ("a", rows, "int8", [SITE])
    ]
    assert f"{rows:,}" in sae_desktop("stores", "list", project).stdout
    shown = sae_desktop("stores", "show", project, "a", "--json").result
    assert shown["rows"] == rows
    assert sum(shown["sites"][0]["norm_counts"]) == rows
    assert "Each window begins with <|bos|>." in shown["policy"]
    text = sae_desktop("stores", "show", project, "a").stdout
    for words in ("median norm", "rounding to int8 costs an FVU of", "different tokens", "█"):
        assert words in text
    missing = sae_desktop("stores", "show", project, "b", "--json")
    assert missing.status == 1
    assert "Available: a." in missing.error["next_step"]


def test_verify__fails_for_a_store_with_a_wrong_byte(project: Path) -> None:
    good = sae_desktop("stores", "verify", project, "a", "--json")
    assert (good.status, good.result["damaged"]) == (0, [])
    path = project / "activations" / "a" / "000.h5"
    with h5py.File(path) as file:
        place = file["tokens"].id.get_offset()
    before = path.read_bytes()
    try:
        with path.open("r+b") as raw:
            raw.seek(place)
            raw.write(bytes([before[place] ^ 1]))
        bad = sae_desktop("stores", "verify", project, "a", "--json")
        assert bad.status == 1
        assert bad.result["damaged"] == ["000.h5: tokens, rows 0 to 599"]
        assert "1 are damaged" in sae_desktop("stores", "verify", project, "a").stdout
    finally:
        path.write_bytes(before)


def test_delete__says_the_space_and_needs_a_yes(project: Path) -> None:
    done = sae_desktop("stores", "delete", project, "a")
    assert done.status != 0
    assert "kB on disk" in done.stderr
    assert "Add --yes" in done.stderr
    assert Project.open(project).stores() == ["a"]
    with Project.open(project).lock():
        locked = sae_desktop("stores", "delete", project, "a", "--yes", "--json")
        assert "already open" in locked.error["what"]
    done = sae_desktop("stores", "delete", project, "a", "--yes", "--json")
    assert done.status == 0
    assert done.result["trash_bytes"] > 20_000
    assert Project.open(project).stores() == []


def test_trash__gives_back_what_was_deleted_or_its_space(project: Path) -> None:
    listed = sae_desktop("trash", "list", project, "--json").result
    assert [(i["kind"], i["name"]) for i in listed["items"]] == [("store", "a")]
    wrong = sae_desktop("trash", "restore", project, "index", "a", "--json")
    assert "no index “a” in the trash" in wrong.error["what"]
    assert sae_desktop("trash", "restore", project, "store", "a", "--json").status == 0
    assert Project.open(project).stores() == ["a"]
    assert "The trash is empty" in sae_desktop("trash", "list", project).stdout
    assert sae_desktop("delete", project, "store", "a", "--yes", "--json").status == 0
    freed = sae_desktop("trash", "empty", project, "--yes", "--json").result
    assert freed["freed_bytes"] == listed["bytes"]
    assert not (project / ".trash").exists()
