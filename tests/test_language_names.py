"""Languages in words."""

from __future__ import annotations

import pytest

from sae_desktop.language_names import language_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("en", "English"), ("CS", "Czech"), ("nb", "Norwegian Bokmål"),
        ("pt-BR", "Portuguese (BR)"), ("zh_Hans", "Chinese (Hans)"),
        ("python", "Python"), ("go", "Go"), ("", ""), ("xx", "xx"),
    ],
)  # fmt: skip
def test_language__is_named_in_english(code: str, name: str) -> None:
    assert language_name(code) == name
