import subprocess
import sys
from pathlib import Path

import pytest

from sae_desktop.errors import UserError
from sae_desktop.project import Project, checked_name
from sae_desktop.project_notes import FeatureNote, Notes


def test_project__opens_again_after_it_was_made(tmp_path: Path) -> None:
    made = Project.open_or_create(tmp_path / "a.saeproj")
    again = Project.open(tmp_path / "a.saeproj")
    assert again.title == made.title == "a"
    assert again.stores() == again.dictionaries() == again.indexes() == []


def test_project__is_not_made_in_a_folder_with_other_things(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="contains other files"):
        Project.open_or_create(tmp_path)


def test_project__of_a_newer_program_is_refused(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "a")
    toml = project.path / "project.toml"
    toml.write_text(toml.read_text().replace("schema_version = 1", "schema_version = 99"))
    with pytest.raises(UserError, match="newer SAE Desktop"):
        Project.open(project.path)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a" * 81, "dot.", "ü\n"])
def test_names__that_could_leave_the_project_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="is not a valid name"):
        checked_name(name)


def test_lock__is_refused_while_another_process_holds_it_and_free_when_it_dies(
    project: Project,
) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from sae_desktop.project import Project;"
            "lock = Project.open(sys.argv[1]).lock(); lock.acquire();"
            "print('held', flush=True); time.sleep(60)",
            str(project.path),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(UserError, match=f"already open .*process {holder.pid}"):
        project.lock().acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with project.lock():
        pass


def test_lock__of_a_read_only_project_is_refused(project: Project) -> None:
    project.path.chmod(0o555)
    try:
        with pytest.raises(UserError, match="read-only"):
            project.lock().acquire()
    finally:
        project.path.chmod(0o755)


def test_notes__keep_labels_and_find_them_by_words(project: Project) -> None:
    notes = Notes(project.notes_path)
    notes.save("d", FeatureNote(feature=7, label="Golden Gate Bridge"))
    notes.save("d", FeatureNote(feature=7, label="San Francisco, its bridge", starred=True))
    notes.save("other", FeatureNote(feature=1, label="a bridge"))
    notes.close()
    again = Notes(project.notes_path)
    assert again.all("d")[7].starred
    assert again.search("d", "bri fran").tolist() == [7]
    assert again.search("d", "golden").tolist() == []
    again.close()


def test_notes__that_are_no_database_are_left_alone(project: Project) -> None:
    project.notes_path.write_bytes(b"shopping list, not a database at all" * 100)
    with pytest.raises(UserError, match="cannot be opened"):
        Notes(project.notes_path)
    assert project.notes_path.read_bytes().startswith(b"shopping")


def test_project__keeps_what_is_said_of_it_and_reads_files_that_say_nothing(
    tmp_path: Path,
) -> None:
    made = Project.open_or_create(tmp_path / "p", title="Title", about="What it holds.")
    assert Project.open(made.path).about == "What it holds."
    toml = made.path / "project.toml"
    lines = [line for line in toml.read_text().splitlines() if not line.startswith("about")]
    toml.write_text("\n".join(lines))
    assert (Project.open(made.path).title, Project.open(made.path).about) == ("Title", "")
