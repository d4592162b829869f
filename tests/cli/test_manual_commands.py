"""Every command that the manual shows is one: parsed by the program's own parser, or run.

And the pages that are made from the program say what the program says.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from cli_process import sae_desktop

from sae_desktop.cli.app import app, run
from sae_desktop.cli.commands_page import commands_page
from sae_desktop.cli.manual_command import page_of
from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.errors import UserError
from sae_desktop.words.manual.contents import MADE, Manual, page_ids

ROOT = Path(__file__).parents[2]
WRITTEN = [page for page in page_ids() if page not in (*MADE, "glossary")]
_RUN = {
    "architectures",
    "glossary FVU",
    "gallery",
    "gallery gemma --fits",
    "run kinds",
    "settings train",
    "size --model builtin --tokens 1000000000 --features 131072 --card 'RTX 4090'",
    "features my.saeproj --index i --sort density --export features.csv",
    "export my.saeproj feature.html --index i --format html --feature 7",
    "jobs my.saeproj",
    "show my.saeproj --index i --feature 7",
}
"""Those that take seconds and need nothing but the demonstration."""


def _lines(page: str) -> Iterator[str]:
    """Yield the commands of a page, in its blocks and where it names one in a sentence."""
    for block in Manual().page(page).code("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip():
                yield line.strip()


def _words(line: str) -> list[str]:
    program, *words = shlex.split(line, comments=True)
    assert program == "sae-desktop", line
    return words


COMMANDS = [(page, line) for page in WRITTEN for line in _lines(page)]


@pytest.fixture(scope="module")
def parser() -> Any:
    return typer.main.get_command(app)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands name: a project, files, folders."""
    folder = tmp_path_factory.mktemp("manual")
    (folder / "my.saeproj").mkdir()
    for name in ("notes", "photos", "out", "batches", "path/to/model"):
        (folder / name).mkdir(parents=True)
    for name in ("horse.png", "chats.jsonl", "reviews.csv", "labels.csv"):
        (folder / name).write_bytes(b"")
    return folder


def needs_one(group: Any) -> bool:
    """Whether a group of commands does nothing by itself."""
    return not group.invoke_without_command


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_command__is_taken_by_the_parser(
    page: str, line: str, parser: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del page
    monkeypatch.chdir(folder)
    (folder / "my.saeproj" / "project.toml").touch()
    words, command = _words(line), parser
    context = None
    while getattr(command, "commands", None) is not None and (words or needs_one(command)):
        name, *words = words
        command = command.commands[name]
    context = command.make_context(line, list(words))
    assert context.params


def test_sentences__name_commands_that_are_there(parser: Any) -> None:
    for page in WRITTEN:
        for named in re.findall(r"`sae-desktop ([a-z][a-z -]*)", Manual().page(page).text):
            command, rest = parser, named.split()
            while rest and getattr(command, "commands", None) is not None:
                if rest[0] not in command.commands and command is not parser:
                    break
                command = command.commands[rest.pop(0)]


def test_commands__that_are_run_stand_in_the_manual() -> None:
    assert {shlex.join(_words(line)) for _, line in COMMANDS} >= _RUN - {"glossary FVU"}


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demonstration as “my.saeproj”, its index as “i”."""
    folder = tmp_path_factory.mktemp("run")
    project = demonstration_copy(folder).rename(folder / "my.saeproj")
    for path in sorted((project / "features").glob("builtin-L3.*")):
        path.rename(path.with_name(path.name.replace("builtin-L3", "i", 1)))
    return folder


@pytest.mark.parametrize("line", sorted(_RUN))
def test_command__does_what_the_manual_says(
    line: str, demonstration: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.chdir(demonstration)
    status, told = run(shlex.split(line)), capfd.readouterr()
    assert status == 0, told.err
    assert (told.out + told.err).strip()


@pytest.mark.parametrize("page", WRITTEN)
def test_python__compiles_and_what_is_marked_runs(
    page: str, demonstration: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(demonstration)
    text = Manual().page(page).text
    for mark, block in re.findall(r"```python( run)?\n(.*?)```", text, re.DOTALL):
        code = compile(block, page, "exec")
        if mark:
            exec(code, {})
            assert capsys.readouterr().out


# ---------------------------------------------------------------------- pages that are made
def _every(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if words:
        yield " ".join(words), command
    for name, one in getattr(command, "commands", {}).items():
        yield from _every(one, (*words, name))


def test_commands_page__has_every_command_with_every_option(parser: Any) -> None:
    parts = re.split(r"^## ", commands_page(app), flags=re.MULTILINE)
    told = {part.partition("\n")[0]: part for part in parts[1:]}
    found = dict(_every(parser))
    assert set(told) == set(found)
    for name, command in found.items():
        for param in command.params:
            if getattr(param, "hidden", False) or getattr(command, "commands", None) is not None:
                continue
            for option in param.opts if param.param_type_name == "option" else ():
                if option != "--help":
                    assert option in told[name], f"{name} {option}"


def test_made_pages__are_those_of_packaging() -> None:
    for page, file in (("settings", "SETTINGS.md"), ("formats", "FORMATS.md")):
        assert page_of(page, app).text == (ROOT / "packaging" / file).read_text(encoding="utf-8")


def test_manual_command__prints_contents_pages_and_what_is_found(capfd: Any) -> None:
    assert run(["manual"]) == 0
    assert "Start here" in capfd.readouterr().out
    assert sae_desktop("manual", "train", "--json").result["title"] == "Train"
    assert "explore" in sae_desktop("manual", "--search", "neighbours").stdout
    assert run(["manual", "nothing"]) == 1
    with pytest.raises(UserError, match="no page"):
        page_of("nothing", app)


def test_manual_command__shows_terms_letter_for_letter(capfd: Any) -> None:
    assert run(["manual", "start"]) == 0
    assert capfd.readouterr().out.startswith("# Start here" + os.linesep)
