"""What is sent of contexts can be read: whole characters, marked where the feature fires."""

from __future__ import annotations

import pytest

from sae_desktop.labels.explaining.evidence import whole_characters
from sae_desktop.labels.models.choice import ModelChoice

MARKS = ("<<", ">>")


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("plain <<text>> here", "plain <<text>> here"),
        ("⟨0xEC⟩⟨0x9D⟩⟨0x80⟩ a", "은 a"),
        ("a <<⟨0xEC⟩>>⟨0x9D⟩⟨0x80⟩ b", "a <<은>> b"),
        ("a ⟨0xEC⟩<<⟨0x9D⟩>>⟨0x80⟩ b", "a <<은>> b"),
        ("<<⟨0xEC⟩⟨0x9D⟩⟨0x80⟩ and>> b", "<<은 and>> b"),
        ("a <<so ⟨0xEC⟩⟨0x9D⟩⟨0x80⟩>> b", "a <<so 은>> b"),
        ("⟨0x9E⟩ <<x>>", "� <<x>>"),
    ],
)
def test_characters__that_tokens_cut_are_put_together(line: str, read: str) -> None:
    assert whole_characters(line, MARKS) == read


@pytest.mark.parametrize(
    ("choice", "title"),
    [
        (ModelChoice(server="localhost", model="/models/smol.gguf"), "smol.gguf at localhost"),
        (ModelChoice(server="https://a.org", model="Qwen/Qwen3-4B"), "Qwen/Qwen3-4B at a.org"),
        (ModelChoice(model="/models/smol"), "smol"),
        (ModelChoice(server="localhost", model="C:\\m\\smol.gguf"), "smol.gguf at localhost"),
    ],
)  # fmt: skip
def test_author__of_a_label_has_no_path_of_this_machine(choice: ModelChoice, title: str) -> None:
    assert choice.title == title
