"""The table of what is kept: each row is where the program really writes, and clearing is safe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from job_contexts import RecordingContext

from sae_desktop.caches.clearing import clear, question, refuse_in_use
from sae_desktop.caches.sizes import Size, measured
from sae_desktop.caches.table import Kept, kept_things
from sae_desktop.client.engine_log import EngineLog
from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.errors import UserError
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.files.packed import unpacked_model
from sae_desktop.language_model.identity import identity_of, places_of
from sae_desktop.reports.crash_reports import CrashReports
from sae_desktop.sizing.config import Rates
from sae_desktop.sizing.kept import VERSION, keep_rates, kept_rates
from sae_desktop.storage import in_use, own_folders
from sae_desktop.storage.own_folders import COMPILED, cache_folder, compiled_folder

SOURCE = Path(own_folders.__file__).parents[1]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, temporary folder and all."""
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.delenv(COMPILED, raising=False)
    return tmp_path


def row(name: str) -> Kept:
    return next(kept for kept in kept_things() if kept.id == name)


def size(name: str) -> Size:
    found = measured(row(name).parts)
    assert found is not None
    return found


def written(path: Path, count: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * count)
    return path


# ---------------------------------------------------------------- where
def test_folders__are_asked_of_the_system_in_one_place() -> None:
    asking = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if re.search("import platformdirs|from platformdirs", path.read_text())
    ]
    assert asking == ["storage/own_folders.py"], "a new place needs a row in caches/table.py"


def test_temporary_folders__have_the_name_by_which_they_are_found() -> None:
    makes = re.compile(r"tempfile\.(?:mkdtemp|mkstemp|TemporaryDirectory)\(([^)]*)")
    for path in SOURCE.rglob("*.py"):
        for arguments in makes.findall(path.read_text()):
            assert re.search(r"dir=|TEMPORARY_PREFIX", arguments), (path, arguments)


def test_rows__say_what_they_are_and_either_come_back_or_stay() -> None:
    for kept in kept_things():
        assert kept.what.endswith((".", "?")), kept.id
        assert bool(kept.back) != bool(kept.stays), kept.id
        assert kept.sentence.endswith((".", "?"))


def test_a_fetched_model__is_found_cleared_and_fetched_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sae_desktop.language_model.files import get
    from sae_desktop.language_model.names import SMOLLM2, Origin

    def deliver(known: object, part: Path, context: object) -> Origin:
        written(part / "config.json", 2)
        written(part / "model.safetensors", 5000)
        return Origin("hub: test", "0")

    monkeypatch.setattr(get, "_from_hub", deliver)
    monkeypatch.setattr(get, "_result", lambda name, folder: folder)
    config = get.GetModelConfig(name=SMOLLM2)
    folder = get.get_model(config, RecordingContext())
    assert size("models").bytes > 5000
    assert size("unpacked").files == size("encoder").files == 0
    freed = clear(row("models"))
    assert freed.bytes > 5000
    assert not folder.exists()  # type: ignore[attr-defined]
    assert size("models").files == 0
    get.get_model(config, RecordingContext())
    assert size("models").bytes > 5000


def test_the_encoder__has_a_row_of_its_own(home: Path) -> None:
    written(cache_folder() / "models" / "minilm" / "model.safetensors", 70)
    written(cache_folder() / "models" / "smollm2" / "model.safetensors", 30)
    assert (size("encoder").bytes, size("models").bytes) == (70, 30)
    clear(row("encoder"))
    assert (size("encoder").bytes, size("models").bytes) == (0, 30)


def test_an_unpacked_model__is_cleared_and_unpacked_again(toy_packed: Path) -> None:
    whole = unpacked_model(toy_packed)
    assert size("unpacked").bytes > 0
    assert size("models").files == 0, "it was not fetched"
    clear(row("unpacked"))
    assert not whole.exists()
    assert unpacked_model(toy_packed) == whole
    assert size("unpacked").bytes > 0


@pytest.fixture
def toy_packed(home: Path) -> Path:
    import numpy as np

    from sae_desktop.language_model.files.packed import pack

    folder = home / "builtin-pictures"
    folder.mkdir()
    pack({"w": np.ones((3, 4), np.float32)}, folder)
    return folder


def test_digests__are_cleared_and_read_again() -> None:
    files = find_model("builtin")
    identity = identity_of(files).text
    assert size("digests").bytes > 0
    assert places_of(identity)
    clear(row("digests"))
    assert size("digests").files == 0
    assert identity_of(files).text == identity
    assert size("digests").bytes > 0


def test_rates__are_cleared_and_kept_again() -> None:
    rates = Rates(
        name="test", float32=1, low=1, bandwidth=1, disk_write=1, disk_read=1, entries=1,
        stream=1, step=1, version=VERSION,
    )  # fmt: skip
    keep_rates(rates)
    assert size("rates").files == 1
    clear(row("rates"))
    assert kept_rates() is None
    keep_rates(rates)
    assert size("rates").files == 1


def test_compiled_code__is_where_numba_writes_it_and_comes_back(home: Path) -> None:
    program = (
        "from sae_desktop.engine.environment import prepare_environment\n"
        "prepare_environment()\n"
        "import numpy as np\n"
        "from sae_desktop.features.building.loops import power_sums\n"
        "power_sums(np.array([0, 1]), np.ones(1, np.float32), np.ones(1), np.zeros((3, 1)))\n"
    )

    def compile_it() -> None:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
        subprocess.run([sys.executable, "-c", program], check=True, env=environment)

    compile_it()
    assert size("compiled").files >= 2
    clear(row("compiled"))
    assert list(compiled_folder().iterdir()) == []
    compile_it()
    assert size("compiled").files >= 2


def test_compiled_code__that_a_person_has_moved_is_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(COMPILED, str(home / "theirs"))
    written(home / "theirs" / "of others.nbi")
    assert size("compiled").files == 1
    with pytest.raises(UserError, match="not cleared") as refused:
        refuse_in_use(row("compiled"))
    assert COMPILED in refused.value.next_step


def test_logs_and_reports__are_told_apart() -> None:
    log = EngineLog()
    log.feed(b"the engine says something\n")
    log.close()
    reports = CrashReports(keeping=True)
    reports.add("It failed.", "a trace")
    assert size("logs").files == 1
    assert size("crashes").files == 1
    clear(row("logs"))
    assert size("logs").files == 0
    assert size("crashes").files == 1


def test_the_demonstration__is_listed_and_never_cleared(home: Path) -> None:
    copy = demonstration_copy()
    assert size("demonstration").bytes > 1000
    with pytest.raises(UserError, match="not cleared"):
        refuse_in_use(row("demonstration"))
    assert (copy / "project.toml").is_file()


def test_the_hub__is_listed_and_never_cleared(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_XET_CACHE", str(home / "xet"))
    for name in ("HF_DATASETS_CACHE", "HF_MODULES_CACHE"):
        monkeypatch.delenv(name, raising=False)
    blob = written(home / "hub" / "models--a--b" / "blobs" / "1", 100)
    link = home / "hub" / "models--a--b" / "snapshots" / "model.safetensors"
    link.parent.mkdir()
    link.symlink_to(blob)
    written(home / "datasets" / "c", 10)
    assert size("hub").bytes == 110, "what a link leads to is counted once"
    with pytest.raises(UserError, match="not cleared") as refused:
        refuse_in_use(row("hub"))
    assert "hf cache rm" in refused.value.next_step


def test_temporary_files__of_now_stay_and_left_ones_go(home: Path) -> None:
    left = home / "tmp" / "sae-desktop-left"
    written(left / "a")
    os.utime(left, (1, 1))
    written(home / "tmp" / "sae-desktop-now" / "b")
    written(home / "tmp" / "of others" / "c")
    clear(row("temporary"))
    there = sorted(path.name for path in (home / "tmp").iterdir())
    assert there == ["of others", "sae-desktop-now"]


# ---------------------------------------------------------------- links
def test_clearing__deletes_a_link_and_never_what_it_leads_to(home: Path) -> None:
    models = cache_folder() / "models"
    outside = written(home / "outside" / "precious")
    written(models / "mine" / "a")
    (models / "mine" / "link").symlink_to(outside.parent)
    (models / "whole").symlink_to(outside.parent)
    (models / "broken").symlink_to(home / "nowhere")
    assert size("models").bytes == 10, "what a link leads to is not counted"
    clear(row("models"))
    assert list(models.iterdir()) == []
    assert outside.is_file()


def test_clearing__works_where_the_folder_itself_was_moved_to_another_disk(home: Path) -> None:
    other = home / "other disk"
    written(other / "smollm2" / "a", 30)
    cache_folder().mkdir(parents=True)
    (cache_folder() / "models").symlink_to(other)
    assert size("models").bytes == 30
    assert clear(row("models")).bytes == 30
    assert other.is_dir()
    assert list(other.iterdir()) == []


def test_shared_bytes__are_told_and_not_promised(home: Path) -> None:
    first = written(home / "elsewhere", 40)
    models = cache_folder() / "models" / "smollm2"
    models.mkdir(parents=True)
    os.link(first, models / "model.safetensors")
    written(models / "config.json", 5)
    found = size("models")
    assert (found.bytes, found.shared) == (45, 40)
    assert "40 B are in another folder too" in question(row("models"), found)
    assert clear(row("models")).bytes == 5
    assert first.is_file()


# ---------------------------------------------------------------- in use
def test_clearing__is_refused_while_a_model_is_loaded_or_a_job_runs() -> None:
    with pytest.raises(UserError, match="model “smollm2” loaded") as loaded:
        refuse_in_use(row("models"), model="smollm2")
    assert "Restart the engine" in loaded.value.next_step
    with pytest.raises(UserError, match="job that is running: Harvest"):
        refuse_in_use(row("compiled"), jobs=["Harvest"])
    refuse_in_use(row("logs"), model="smollm2", jobs=["Harvest"])
    refuse_in_use(row("models"))


def test_clearing__is_refused_while_another_process_may_read(home: Path) -> None:
    program = (
        "import sys\n"
        "from sae_desktop.engine.environment import prepare_environment\n"
        "prepare_environment(); print(flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(UserError, match=f"process {process.pid}"):
            refuse_in_use(row("models"))
        refuse_in_use(row("models"), engine=process.pid)
    finally:
        process.kill()
        process.communicate()
    assert in_use.others_running() == []
    refuse_in_use(row("models"))
    assert list(in_use.marks_folder().iterdir()) == [], "what a killed process left is forgotten"


# ---------------------------------------------------------------- not readable
def test_a_folder_that_may_not_be_read__is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(cache_folder() / "models" / "a" / "readable", 7)
    shut = cache_folder() / "models" / "b"
    shut.mkdir()
    scan = os.scandir

    def refusing(path: str) -> object:
        if path == str(shut):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("sae_desktop.caches.sizes.os.scandir", refusing)
    found = size("models")
    assert found.bytes == 7
    assert found.text == "7 B and more"
    assert str(shut) in found.details


def test_what_may_not_be_deleted__is_told_and_the_rest_is_gone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(cache_folder() / "models" / "a" / "x")
    stuck = written(cache_folder() / "models" / "b" / "x").parent
    rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self == stuck:
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(UserError, match="could not be deleted: Permission denied") as refused:
        clear(row("models"))
    assert "permissions" in refused.value.next_step
    assert sorted(path.name for path in stuck.parent.iterdir()) == ["b"]


def test_counting__can_be_given_up_among_many_files(home: Path) -> None:
    folder = cache_folder() / "models" / "many"
    folder.mkdir(parents=True)
    for number in range(700):
        (folder / str(number)).touch()
    asked: list[int] = []

    def enough() -> bool:
        asked.append(1)
        return True

    assert measured(row("models").parts, enough) is None
    assert asked == [1]
    assert measured(row("models").parts) == Size(0, 700)
