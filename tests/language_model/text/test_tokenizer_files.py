"""Files of a tokenizer are read only where they can be a tokenizer's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.text.tokenizer import load_tokenizer
from sae_desktop.resources import resource_path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resource_path("models/builtin"), tmp_path / "model"))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("tokenizer.json", 129 << 20),
        ("tokenizer.model", 129 << 20),
        ("merges.txt", 129 << 20),
        ("added_tokens.json", 129 << 20),
        ("tokenizer_config.json", 17 << 20),
        ("chat_template.jinja", 17 << 20),
        ("additional_chat_templates/tool.jinja", 17 << 20),
    ],
)
def test_file_too_large_for_a_tokenizer__is_refused_by_name(
    model: Path, name: str, size: int
) -> None:
    path = model / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.truncate(path, size)  # takes no room on the disk
    with pytest.raises(UserError) as caught:
        load_tokenizer(find_model(str(model)))
    assert str(path) in caught.value.what
    assert f"{size:,} bytes" in caught.value.what


def test_files_as_large_as_the_largest_tokenizers__are_read(model: Path) -> None:
    path = model / "tokenizer.json"
    path.write_bytes(path.read_bytes() + b" " * (50 << 20))
    assert load_tokenizer(find_model(str(model))).encode("In the beginning")
