"""Program code that models bring: what it is and where it lies. Nothing of it is run.

A model whose architecture transformers does not know names Python files of its own in
`auto_map`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TOKENIZER = "AutoTokenizer"
_CLASSES = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", _TOKENIZER)
_LOCAL_CLASS = re.compile(r"\w+(/\w+)*\.\w+")


@dataclass(frozen=True)
class ModelCode:
    """The program files of a model that cannot be opened without them; none for any other."""

    folder: Path
    files: tuple[str, ...] = ()
    """Every .py file in the folder and below, with /, in order."""
    digest: str = ""
    """SHA-256 over their names and contents; empty where no code is needed."""
    foreign: tuple[str, ...] = ()
    """References to code that is not in the folder."""
    causal: bool = False
    """Whether the code has a class that predicts the next token."""

    @property
    def needed(self) -> bool:
        return bool(self.digest)


def code_of(folder: Path) -> ModelCode:
    """Return the code a model folder needs. Nothing of it is run."""
    references = _references(
        _read_json(folder / "config.json"), _read_json(folder / "tokenizer_config.json")
    )
    if not references:
        return ModelCode(folder)
    files = tuple(
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*.py"))
        if path.is_file()
    )
    digest = hashlib.sha256()
    for name in files:
        content = (folder / name).read_bytes()
        digest.update(f"{len(name.encode())} {name} {len(content)}\n".encode() + content)
    foreign = {
        reference
        for named in references.values()
        for reference in named
        if not _LOCAL_CLASS.fullmatch(reference)
        or reference.rpartition(".")[0] + ".py" not in files
    }
    return ModelCode(
        folder,
        files,
        digest.hexdigest(),
        tuple(sorted(foreign)),
        causal="AutoModelForCausalLM" in references,
    )


def _references(config: dict[str, Any], tokenizer: dict[str, Any]) -> dict[str, list[str]]:
    """Return the classes of the model's own code, by what they stand in for; {}: none needed.

    Every one that transformers might follow, wherever it is written: once code may be run, all
    of it may.
    """
    found = {name: named for name, named in _auto_map(config).items() if name in _CLASSES}
    also = _auto_map(tokenizer).get(_TOKENIZER, [])
    if also:
        found[_TOKENIZER] = [*found.get(_TOKENIZER, []), *also]
    known_tokenizer = _TOKENIZER not in found or _knows_tokenizer(config, tokenizer)
    known_model = set(found) <= {_TOKENIZER} or _knows_model(config)
    return {} if known_model and known_tokenizer else found


def _auto_map(settings: dict[str, Any]) -> dict[str, list[str]]:
    found = settings.get("auto_map")
    if isinstance(found, list | tuple):  # an older way to write a tokenizer's
        found = {_TOKENIZER: found}
    if not isinstance(found, dict):
        return {}
    # A tokenizer names its slow and its fast class.
    listed = {
        str(name): value if isinstance(value, list | tuple) else [value]
        for name, value in found.items()
    }
    named = {name: [str(value) for value in values if value] for name, values in listed.items()}
    return {name: values for name, values in named.items() if values}


def _knows_model(config: dict[str, Any]) -> bool:
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    named = config.get("architectures") or []
    return config.get("model_type") in CONFIG_MAPPING_NAMES and all(
        hasattr(transformers, str(name)) for name in named[:1]
    )


def _knows_tokenizer(config: dict[str, Any], tokenizer: dict[str, Any]) -> bool:
    import transformers
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    name = str(tokenizer.get("tokenizer_class") or config.get("tokenizer_class") or "")
    if name and (hasattr(transformers, name) or hasattr(transformers, name + "Fast")):
        return True
    return config.get("model_type") in TOKENIZER_MAPPING_NAMES


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
