"""Which plug-ins are found, and which of two of one name is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from plugin_packages import install_module

from sae_desktop.corpus.names import builtin_endings, endings, is_known, reader_of
from sae_desktop.dictionary.architectures import ARCHITECTURES, builtin_names
from sae_desktop.errors import UserError
from sae_desktop.plugins import kept
from sae_desktop.plugins.installed import WITHOUT, installed, read_again, refusal, usable
from sae_desktop.plugins.kinds import KINDS, called_by

READER = """
class Reader:
    plugin_api = 1
    title = "chat"

    def read(self, file, name):
        return iter(())
"""


def _chat(target: Path, package: str, name: str = "chatlog") -> None:
    reference = f"{package.replace('-', '_')}:Reader"
    install_module(target, package, READER, {"sae_desktop.corpus_readers": {name: reference}})


@pytest.mark.usefixtures("example")
def test_example__is_listed_with_what_it_adds() -> None:
    found = [(p.kind, p.name, p.package, p.version) for p in installed()]
    assert found == [
        ("architectures", "log_penalty", "sae-plugin-example", "1.2.0"),
        ("corpus_readers", "mbox", "sae-plugin-example", "1.2.0"),
        ("formats", "tied", "sae-plugin-example", "1.2.0"),
        ("panels", "tokens", "sae-plugin-example", "1.2.0"),
    ]
    assert installed()[0].called == "“log_penalty” of sae-plugin-example 1.2.0"


@pytest.mark.usefixtures("example")
def test_names__are_known_without_an_import() -> None:
    assert is_known("letters.mbox")
    assert is_known("letters.mbox.gz")
    assert ".mbox" in endings()
    assert reader_of("letters.txt") is None
    assert "sae_plugin_example" not in sys.modules
    assert "log_penalty" in ARCHITECTURES
    assert "sae_plugin_example.log_penalty" in sys.modules


@pytest.mark.usefixtures("example")
def test_without__leaves_all_of_them_out() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(WITHOUT, "1")
        read_again()
        assert installed() == ()
        assert not is_known("letters.mbox")
        assert set(ARCHITECTURES) == builtin_names()


@pytest.mark.usefixtures("example")
def test_switched_off__is_left_out_until_it_is_switched_on() -> None:
    key = "sae-plugin-example/architectures/log_penalty"
    kept.switch(key, on=False)
    read_again()
    assert "log_penalty" not in ARCHITECTURES
    assert is_known("letters.mbox")
    kept.switch(key, on=True)
    read_again()
    assert "log_penalty" in ARCHITECTURES


@pytest.mark.usefixtures("found")
def test_same_name_twice__the_first_package_is_used(target: Path) -> None:
    _chat(target, "b-chats")
    _chat(target, "a-chats")
    first, second = installed()
    assert usable("corpus_readers", builtin_endings()) == {"chatlog": first}
    told = refusal(second, (), {"chatlog": first})
    assert str(told).startswith("a-chats adds a reader of texts of the same name, “chatlog”")
    kept.switch(first.key, on=False)
    read_again()
    assert usable("corpus_readers", builtin_endings()) == {"chatlog": second}


@pytest.mark.parametrize(
    ("name", "why"),
    [("txt", "built-in reader of texts “txt”"), ("py", "built-in"), ("gguf", "built-in"),
     ("png", "built-in"), ("Chat Log", "not one that a plug-in may have")],
)  # fmt: skip
@pytest.mark.usefixtures("found")
def test_name__that_is_taken_or_odd_is_refused(target: Path, name: str, why: str) -> None:
    _chat(target, "chats", name)
    assert usable("corpus_readers", builtin_endings()) == {}
    assert why in str(refusal(installed()[0], builtin_endings(), {}))


@pytest.mark.usefixtures("example")
def test_damaged_metadata_of_one_package__hides_no_other(target: Path) -> None:
    folder = target / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("sae_desktop.\nno section = here\n")
    read_again()
    assert [plugin.name for plugin in installed()] == ["log_penalty", "mbox", "tied", "tokens"]


def test_every_kind__refers_to_what_there_is() -> None:
    for id_, kind in KINDS.items():
        if id_ != "panels":  # these need Qt: tests/gui/explore
            assert called_by(kind.taken)()
            assert called_by(kind.problem)(object())
            assert not kind.trial or callable(called_by(kind.trial))


def test_starting__looks_for_no_plugin() -> None:
    """The window's modules are imported without a look at what is installed."""
    code = (
        "import sae_desktop.gui.frame.main_window, sae_desktop.gui.harvest.harvest\n"
        "import sae_desktop.gui.project.project\n"
        "from sae_desktop.plugins.installed import installed\n"
        "print(installed.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_switch__that_cannot_be_kept_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with pytest.raises(UserError):
        kept.switch("a/architectures/b", on=False)
