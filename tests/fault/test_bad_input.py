"""Bad input: a clear message that names the thing, exit status 1, and nothing lost."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_process import Done, sae_desktop
from small_project import SITE
from toy_models import save_toy_model

from sae_desktop.project import Project

pytest.importorskip("resource", reason="permissions, limits and mounts of POSIX")


def content(project: Path) -> dict[str, str]:
    """Return file → hash of its bytes, but for the lock, which comes and goes."""
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(project.rglob("*"))
        if path.is_file() and not path.name.startswith(".lock")
    }


def refused(done: Done, *names: str | Path) -> dict[str, str]:
    """Check that a command failed with an explanation that names these things."""
    assert done.status == 1, done.stderr
    assert done.stdout == ""
    error = done.error
    for name in names:
        assert str(name) in error["what"] + error["next_step"]
    assert "Traceback" not in error["what"] + error["kept"] + error["next_step"]
    assert "bug in the program" not in error["what"]
    return error


def harvest(project: Path, *options: str | Path, limit: int = 0) -> Done:
    return sae_desktop(
        "harvest", project, "--site", SITE, "--tokens", "500", "--context-size", "64",
        "--name", "new", "--device", "cpu", "--json", *options,
        file_size=limit,
    )  # fmt: skip


# ---------------------------------------------------------------- models
def test_harvest__refuses_a_folder_that_is_no_model(small_project: Path, tmp_path: Path) -> None:
    before = content(small_project)
    folder = tmp_path / "holiday pictures"
    folder.mkdir()
    (folder / "beach.jpg").write_bytes(b"\xff\xd8")
    error = refused(harvest(small_project, "--model", folder), folder)
    assert error["what"] == "“holiday pictures” is a folder of pictures."
    assert "--pictures" in error["next_step"]
    assert content(small_project) == before


def test_harvest__refuses_truncated_weights(
    small_project: Path, tmp_path: Path, toy_model_folder: Path
) -> None:
    before = content(small_project)
    folder = Path(shutil.copytree(toy_model_folder, tmp_path / "model"))
    weights = folder / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    error = refused(harvest(small_project, "--model", folder), weights)
    assert "damaged or cut short" in error["what"]
    assert content(small_project) == before


@pytest.mark.parametrize("site", ["blocks.9.hook_resid_post", "blocks.0.hook_coffee"])
def test_harvest__refuses_a_site_that_does_not_exist(
    small_project: Path, toy_model_folder: Path, site: str
) -> None:
    before = content(small_project)
    refused(harvest(small_project, "--model", toy_model_folder, "--site", site), site)
    assert content(small_project) == before


# ---------------------------------------------------------------- texts
@pytest.mark.parametrize("text", ["", "  \n\n"], ids=["no bytes", "only blanks"])
def test_harvest__refuses_an_empty_corpus(
    small_project: Path, toy_model_folder: Path, tmp_path: Path, text: str
) -> None:
    before = content(small_project)
    corpus = tmp_path / "empty.txt"
    corpus.write_text(text)
    done = harvest(small_project, "--model", toy_model_folder, "--corpus", corpus)
    refused(done, "empty.txt")
    assert content(small_project) == before


def test_harvest__names_the_place_of_invalid_utf8(
    small_project: Path, toy_model_folder: Path, tmp_path: Path
) -> None:
    before = content(small_project)
    corpus = tmp_path / "latin.txt"
    corpus.write_bytes(b"Anfang der Geschichte. " * 200 + "Größe".encode("latin-1"))
    error = refused(
        harvest(small_project, "--model", toy_model_folder, "--corpus", corpus), "latin.txt"
    )
    assert "UTF-8" in error["what"]
    left = content(small_project)
    assert {name: left[name] for name in before} == before


# ---------------------------------------------------------------- places
def test_harvest__refuses_a_read_only_project(small_project: Path, toy_model_folder: Path) -> None:
    before = content(small_project)
    small_project.chmod(0o555)
    try:
        error = refused(harvest(small_project, "--model", toy_model_folder), small_project)
    finally:
        small_project.chmod(0o755)
    assert "read-only" in error["what"]
    assert content(small_project) == before


def test_harvest__refuses_a_project_that_is_open_elsewhere(
    small_project: Path, toy_model_folder: Path
) -> None:
    before = content(small_project)
    with Project.open(small_project).lock():
        error = refused(harvest(small_project, "--model", toy_model_folder), small_project.name)
    assert "already open" in error["what"]
    assert content(small_project) == before


def test_harvest__leaves_nothing_behind_when_a_file_may_not_grow(
    small_project: Path, toy_model_folder: Path
) -> None:
    before = content(small_project)
    error = refused(harvest(small_project, "--model", toy_model_folder, limit=20_000), "000.h5")
    assert "file-size limit" in error["what"]
    assert content(small_project) == before


def test_train__keeps_what_there_is_when_a_file_may_not_grow(small_project: Path) -> None:
    before = content(small_project)
    done = sae_desktop(
        "train", small_project, "--activations", "acts", "--name", "new", "--features", "512",
        "--k", "8", "--tokens", "4000", "--batch", "256", "--device", "cpu", "--json",
        file_size=100_000,
    )  # fmt: skip
    error = refused(done)
    assert "file-size limit" in error["what"]
    left = content(small_project)
    assert {name: left[name] for name in before} == before
    assert Project.open(small_project).dictionaries() == ["dict"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_harvest__says_that_the_disk_is_full_and_goes_on_when_it_is_not(
    small_disk: Path, toy_model_folder: Path
) -> None:
    project = small_disk / "p.saeproj"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 1_000_000)
    error = refused(harvest(project, "--model", toy_model_folder, "--tokens", "5000"))
    assert "free" in error["what"]
    assert Project.open(project).stores() == []
    assert not list(project.rglob("*.part"))
    ballast.unlink()
    done = harvest(project, "--model", toy_model_folder, "--tokens", "5000")
    assert done.status == 0, done.stderr
    assert done.result["rows"] == 5000


# ---------------------------------------------------------------- things that do not fit
@pytest.mark.parametrize("command", ["evaluate", "index"])
def test_dictionary__is_not_used_on_another_models_store(
    small_project: Path, tmp_path: Path, command: str
) -> None:
    other = save_toy_model(tmp_path / "other-model", "gpt2")
    assert harvest(small_project, "--model", other).status == 0
    before = content(small_project)
    name = ("--name", "i2") if command == "index" else ()
    done = sae_desktop(
        command, small_project, "--dictionary", "dict", "--activations", "new", *name, "--json"
    )
    error = refused(done, "dict", "new")
    assert "model" in error["what"]
    assert content(small_project) == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evaluate", "--dictionary", "nobody"], "nobody"),
        (["train", "--activations", "nothing", "--name", "x"], "nothing"),
        (["index", "--dictionary", "nobody", "--name", "x"], "nobody"),
        (["probe", "--index", "nowhere", "--text", "x"], "nowhere"),
        (["steer", "--index", "idx", "--feature", "999", "--clamp", "1", "--prompt", "x"], "999"),
        (["features", "--index", "nowhere"], "nowhere"),
        (["show", "--index", "idx", "--feature", "999"], "999"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_command__names_what_is_not_there(
    small_project: Path, arguments: list[str], named: str
) -> None:
    before = content(small_project)
    refused(sae_desktop(arguments[0], small_project, *arguments[1:], "--json"), named)
    assert content(small_project) == before


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("activations/acts/000.h5", ["train", "--activations", "acts", "--name", "x"]),
        ("dictionaries/dict/sae_weights.safetensors", ["evaluate", "--dictionary", "dict"]),
        ("dictionaries/dict/cfg.json", ["evaluate", "--dictionary", "dict"]),
        ("features/idx.h5", ["show", "--index", "idx", "--feature", "0"]),
    ],
    ids=["store", "weights", "cfg", "index"],
)
def test_command__names_the_file_that_is_damaged(
    small_project: Path, file: str, arguments: list[str]
) -> None:
    os.truncate(small_project / file, 100)
    done = sae_desktop(arguments[0], small_project, *arguments[1:], "--json")
    refused(done)
    assert Path(file).name in done.error["what"] or Path(file).parent.name in done.error["what"]
