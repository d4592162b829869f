"""The kinds of plug-in, as data."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal, NamedTuple

PLUGIN_API = 1
"""What a plug-in states as its `plugin_api`. It rises when a plug-in must be written differently:
what is only added to the program leaves it alone."""

KindId = Literal["architectures", "corpus_readers", "formats", "panels"]


class PluginKind(NamedTuple):
    """A kind of thing that packages may add."""

    called: str
    """Such as “architecture”."""
    adds: str
    """What one does for a person, as a sentence in which {} stands for its name."""
    taken: str
    """`module:function` that returns the names of the built-in ones."""
    problem: str
    """`module:function` that says what is wrong with the object of an entry point; "": nothing."""
    trial: str = ""
    """`module:function` that tries the object as `sae-desktop plugins` does; raises what is wrong.
    """


KINDS: dict[KindId, PluginKind] = {
    "architectures": PluginKind(
        "architecture",
        "Train offers the architecture “{}”.",
        "sae_desktop.dictionary.architectures:builtin_names",
        "sae_desktop.dictionary.architectures._plugged:problem_of",
        "sae_desktop.dictionary.architectures._plugged:trial",
    ),
    "corpus_readers": PluginKind(
        "reader of texts",
        "Files that end in .{} are read as texts.",
        "sae_desktop.corpus.names:builtin_endings",
        "sae_desktop.corpus.plugged:problem_of",
    ),
    "formats": PluginKind(
        "format of dictionaries",
        "Dictionaries of the format “{}” can be imported.",
        "sae_desktop.dictionary.formats.plugged:builtin_names",
        "sae_desktop.dictionary.formats.plugged:problem_of",
    ),
    "panels": PluginKind(
        "panel",
        "The window has the panel “{}”.",
        "sae_desktop.gui.parts.plugged_panel:builtin_names",
        "sae_desktop.gui.parts.plugged_panel:problem_of",
    ),
}


def group(kind: KindId) -> str:
    """Return the group of entry points of a kind."""
    return f"sae_desktop.{kind}"


def called_by(reference: str) -> Any:
    """Return what `module:name` refers to; the module is imported."""
    module, name = reference.split(":")
    return getattr(import_module(module), name)
