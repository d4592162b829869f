"""Prompts are files that can be read and changed; one that lacks a field is refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sae_desktop.errors import UserError
from sae_desktop.labels.explaining.prompts import (
    FIELDS,
    KNOWN,
    copy_prompt,
    explain_prompt,
    prompt_names,
)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_shipped_prompt__has_its_fields_and_no_others(name: str, tmp_path: Path) -> None:
    prompt = explain_prompt(tmp_path, name)
    assert FIELDS[name] <= prompt.fields <= KNOWN
    filled = prompt.messages(**dict.fromkeys(KNOWN, "⁂"))
    assert [m.role for m in filled] == ["system", "user"]
    assert '{"label": ' in filled[0].content
    assert not prompt.fields & {m.content for m in filled}


def test_project__has_its_own_prompt_before_the_shipped_one(tmp_path: Path) -> None:
    shipped = explain_prompt(tmp_path, "contexts")
    path = copy_prompt(tmp_path, "contexts")
    assert explain_prompt(tmp_path, "contexts").digest == shipped.digest
    path.write_text(path.read_text().replace("15 words", "7 words"))
    changed = explain_prompt(tmp_path, "contexts")
    assert "7 words" in changed.system
    assert changed.digest != shipped.digest
    assert copy_prompt(tmp_path, "contexts") == path
    assert "7 words" in path.read_text()


def test_project__may_have_prompts_of_other_names(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/explain_haiku.toml").write_text(
        'system = "As a haiku."\nuser = "{first}{last}{contexts}"\n'
    )
    assert prompt_names(tmp_path) == [*FIELDS, "haiku"]
    assert explain_prompt(tmp_path, "haiku").system == "As a haiku."
    with pytest.raises(UserError, match="contexts, outputs, both, contrast, haiku"):
        explain_prompt(tmp_path, "sonnet")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("contexts", 'system = "{first}{last}"\nuser = "a"', r"the field \{contexts\} is missing"),
        ("contrast", 'system = "{first}{last}"\nuser = "{contexts}"', r"\{contrast\} is missing"),
        ("own", 'system = ""\nuser = "a"', r"neither \{contexts\} nor \{promoted\}"),
        ("own", 'system = ""\nuser = "{contexts}"', r"does not say what \{first\} and \{last\}"),
        ("contexts", 'user = "{contexts}"', "system"),
        ("contexts", "system = 3\nuser = 4", "str"),
        ("contexts", "system = ", "Invalid"),
        ("contexts", "x" * (2 << 20), "larger than a prompt"),
    ],
)
def test_prompt__that_is_damaged_is_refused_with_the_reason(
    name: str, text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / f"prompts/explain_{name}.toml").write_text(text)
    with pytest.raises(UserError, match=why) as caught:
        explain_prompt(tmp_path, name)
    assert caught.value.kept == "Nothing was asked."


def test_name__that_would_leave_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a valid name"):
        explain_prompt(tmp_path, "../../secret")


def test_fields__in_a_text_are_left_as_they_stand(tmp_path: Path) -> None:
    prompt = explain_prompt(tmp_path, "outputs")
    found = prompt.messages(promoted="{lowered} {count}", lowered="x")
    assert "More likely: {lowered} {count}" in found[1].content
