"""A plug-in that fails, in whatever way, is left out and told of; everything else works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from plugin_packages import install_module
from safetensors.torch import save_file

from sae_desktop import launch
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus
from sae_desktop.corpus.records import UnreadableError
from sae_desktop.dictionary.formats.find import find_dictionaries
from sae_desktop.engine.explain import explain
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.plugins import checking, kept
from sae_desktop.plugins.checking import PluginReport, checked
from sae_desktop.plugins.installed import installed
from sae_desktop.plugins.loading import load, loaded, plugin_of

pytestmark = pytest.mark.usefixtures("found")

GOOD = """
class Reader:
    plugin_api = 1
    title = "log of a chat"

    def read(self, file, name):
        from sae_desktop.corpus.records import Record
        for line in file:
            yield Record(line.decode().strip())
"""
BROKEN = {
    "import": ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
    "syntax": ("class Reader(", "SyntaxError"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "nothing": ("Other = 1", "AttributeError"),
    "version": (GOOD.replace("= 1", "= 7"), "version 7 of the plug-in API"),
    "unstated": (GOOD.replace("plugin_api = 1", ""), "does not say which version"),
    "shape": (GOOD.replace("def read", "def reed"), "has no method “read”"),
    "title": (GOOD.replace('"log of a chat"', "3"), "has no “title”"),
    "looked_at": (
        "class Odd(type):\n    @property\n    def read(cls):\n        raise ValueError('odd')\n"
        + GOOD.replace("class Reader:", "class Reader(metaclass=Odd):").replace(
            "def read", "def x"
        ),
        "cannot be looked at: ValueError: odd",
    ),
}


def _install(target: Path, ending: str, text: str) -> None:
    package = f"chat-{ending.replace('_', '-')}"
    reference = f"{package.replace('-', '_')}:Reader"
    install_module(target, package, text, {"sae_desktop.corpus_readers": {ending: reference}})


def _by_name(reports: list[PluginReport]) -> dict[str, PluginReport]:
    return {report.name: report for report in reports}


@pytest.mark.parametrize("how", BROKEN)
def test_broken__is_left_out_with_its_reason(target: Path, how: str) -> None:
    text, why = BROKEN[how]
    _install(target, how, text)
    _install(target, "fine", GOOD)
    broken = next(plugin for plugin in installed() if plugin.name == how)
    for _ in range(2):  # the same reason whenever it is asked for
        with pytest.raises(UserError, match=r".") as told:
            load(broken)
        assert why in told.value.what
        assert told.value.next_step
    assert list(loaded("corpus_readers", frozenset())) == ["fine"]


def test_check__names_those_that_kill_or_hang_and_continues(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "SECONDS", 30.0)
    _install(target, "aborts", "import os\nos.kill(os.getpid(), 9)")
    _install(target, "fine", "print('a plug-in may print')\n" + GOOD)
    _install(target, "leaves", "import os\nos._exit(4)")
    _install(target, "shape", GOOD.replace("def read", "def reed"))
    found = _by_name(checked())
    assert {name: report.state for name, report in found.items()} == {
        "aborts": "broken", "fine": "works", "leaves": "broken", "shape": "broken",
    }  # fmt: skip
    assert found["aborts"].why == "It ended the process that loaded it (signal 9)."
    assert found["leaves"].why == "It ended the process that loaded it (exit status 4)."
    assert "--off aborts" in found["aborts"].next_step
    # From now on no process loads it, the window's and the engine's least of all.
    aborting = next(plugin for plugin in installed() if plugin.name == "aborts")
    with pytest.raises(UserError, match="ended while it was loading it"):
        load(aborting)
    kept.switch(aborting.key, on=True)
    assert not kept.ended_a_process(aborting.key, aborting.version)


def test_check__ends_what_does_not_come_back(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SECONDS", 15.0)
    _install(target, "hangs", "while True: pass")
    assert checked()[0].why == "It was not loaded within 15 seconds."


def test_reader_that_fails_in_use__is_named_and_remembered(target: Path, tmp_path: Path) -> None:
    _install(target, "chat", GOOD.replace("line.decode()", "line.decode('ascii')"))
    file = tmp_path / "log.chat"
    file.write_bytes("plain\nünlike\n".encode())
    with pytest.raises(UnreadableError, match=r"“chat” of chat-chat 1\.0 failed: UnicodeDecodeE"):
        list(Corpus(CorpusSettings(corpus=str(file), order="files")))
    report = checked()[0]
    assert report.state == "failed"
    assert "UnicodeDecodeError" in report.why
    assert "chat_chat.py" in report.details
    kept.switch(report.key, on=True)
    assert checked()[0].state == "works"


def test_reader_that_fails__costs_a_folder_that_file_alone(target: Path, tmp_path: Path) -> None:
    _install(target, "chat", GOOD.replace("Record(line.decode().strip())", "line"))
    (tmp_path / "texts").mkdir()
    for number in range(12):
        (tmp_path / "texts" / f"{number}.txt").write_text(f"text {number}")
    (tmp_path / "texts" / "log.chat").write_text("hello")
    corpus = Corpus(CorpusSettings(corpus=str(tmp_path / "texts"), skip_limit=0.5))
    assert len(list(corpus)) == 12
    assert corpus.report.bad == 1
    assert "it gave a bytes instead of a Record" in str(corpus.report.first_bad)


def test_reader_that_cannot_be_used__is_told_where_a_file_asks_for_it(
    target: Path, tmp_path: Path
) -> None:
    _install(target, "chat", "import no_such_library")
    (tmp_path / "log.chat").write_text("hello")
    with pytest.raises(UnreadableError, match=r"the plug-in “chat” of chat-chat 1\.0, which"):
        list(Corpus(CorpusSettings(corpus=str(tmp_path / "log.chat"))))


def test_format_that_fails__is_left_out_and_remembered(target: Path, tmp_path: Path) -> None:
    finds = "class F:\n    plugin_api = 1\n    title = 'f'\n    def find(self, view):\n        "
    for name, does in (
        ("bad", "raise KeyError('shape')"),
        ("odd", "return [view]"),
        ("reads", "from sae_desktop.dictionary.formats.folder_view import Found\n"
                  "        return [Found('f', view.path, 'relu', 2, 3, lambda: 3)]"),
    ):  # fmt: skip
        install_module(
            target, f"f-{name}", finds + does, {"sae_desktop.formats": {name: f"f_{name}:F"}}
        )
    save_file({"other": torch.zeros(2)}, tmp_path / "weights.safetensors")
    (found,) = find_dictionaries(tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match="it gave a int instead of a Dictionary"):
        found.read()
    why = {report.name: report.why.partition("): ")[2] for report in checked()}
    assert why == {
        "bad": "KeyError: 'shape'",
        "odd": "TypeError: it gave a FolderView instead of a Found",
        "reads": "TypeError: it gave a int instead of a Dictionary",
    }


def test_cancelling__is_no_fault_of_the_reader(target: Path, tmp_path: Path) -> None:
    text = GOOD.replace(
        "for line in file:",
        "from sae_desktop.errors import JobCancelledError\n        raise JobCancelledError\n"
        "        for line in file:",
    )
    _install(target, "chat", text)
    (tmp_path / "log.chat").write_text("hello")
    with pytest.raises(JobCancelledError):
        list(Corpus(CorpusSettings(corpus=str(tmp_path / "log.chat"))))
    assert checked()[0].state == "works"


def test_exception__is_told_as_the_plugins_where_its_code_raised_it(target: Path) -> None:
    _install(target, "chat", GOOD)
    (plugin,) = installed()
    reader = load(plugin)()
    with pytest.raises(AttributeError) as raised:
        next(reader.read([3], "log"))
    assert plugin_of(raised.value) == plugin
    told = explain(raised.value)
    assert told.what.startswith("The plug-in “chat” of chat-chat 1.0 failed: AttributeError")
    assert "Edit › Plug-ins" in told.next_step
    with pytest.raises(ZeroDivisionError) as ours:
        1 / 0  # noqa: B018
    assert plugin_of(ours.value) is None


def test_fault_of_another_version__is_forgotten(target: Path) -> None:
    kept.keep_fault("chat-chat/corpus_readers/chat", "0.9", "ValueError", "")
    _install(target, "chat", GOOD)
    assert checked()[0].state == "works"


def test_command__lists_and_switches(target: Path, tmp_path: Path) -> None:
    _install(target, "chat", GOOD)
    run = launch.command("sae_desktop", "plugins")

    def said(*arguments: str) -> str:
        done = subprocess.run([*run, *arguments], capture_output=True, text=True, cwd=tmp_path)
        return done.stdout + done.stderr

    assert "chat: works\n  reader of texts of chat-chat 1.0\n" in said()
    assert "chat: switched off" in said("--off", "chat")
    assert '"state": "off"' in said("--json").replace('":"', '": "')
    assert "chat: works" in said("--on", "chat-chat/corpus_readers/chat")
    assert "No plug-in is called “other”" in said("--off", "other")
