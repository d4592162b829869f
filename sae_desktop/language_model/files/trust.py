"""Program code that models bring: what it is, where it is, and whether it may be run.

A model whose architecture transformers does not know names Python files of its own in
`auto_map`. They are read here, never run; running them waits for the person's word, which holds
for their content as it was then.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import platformdirs
from filelock import FileLock

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import TrustModelConfig, TrustModelResult
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

WARNING = (
    "Such code runs with all your permissions: it can read, change and delete your files, and "
    "send them elsewhere."
)
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


class _Trusted(msgspec.Struct, frozen=True, kw_only=True):
    digest: str
    model: str
    files: list[str]
    when: str


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    trusted: list[_Trusted] = []


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


def is_trusted(code: ModelCode) -> bool:
    """Whether the person agreed to exactly this code, so that it may be run."""
    return code.needed and any(entry.digest == code.digest for entry in _record().trusted)


def check_code(name: str, code: ModelCode) -> None:
    """Return if the model needs no code, or trusted code. Raises UserError otherwise."""
    if not code.needed:
        return
    check_whole(name, code)
    if not is_trusted(code):
        raise UserError(
            f"“{name}” comes with its own program code, which is not run without "
            f"your consent. {WARNING} The code is {', '.join(code.files)} in {code.folder}.",
            next_step="Read it first. If you trust its authors, allow it in Harvest › "
            f"Model, or with: sae-desktop models trust {shlex.quote(name)}.",
        )


def check_whole(name: str, code: ModelCode) -> None:
    """Return if all of a model's code is among its own files. Raises UserError."""
    if code.foreign:
        raise UserError(
            f"“{name}” wants program code that is not among its own files: "
            f"{', '.join(code.foreign)}. Code from elsewhere can change at any time without any "
            "change to the model, so it is never run.",
            next_step="Choose a model that comes with its code, or one with an architecture that "
            "transformers knows.",
        )


def trust_model(config: TrustModelConfig, context: JobContext) -> TrustModelResult:
    """Record that the model's code, with the digest given, may be run.

    Raises UserError when the code is no longer the one that was agreed to, when the model needs
    none, and when it wants code from elsewhere.
    """
    from sae_desktop.language_model.files.find import find_model

    context.progress(0, 1, "models", "Reading the code")
    files = find_model(config.model)
    code = code_of(files.folder) if files.gguf is None else ModelCode(files.folder)
    if not code.needed:
        raise UserError(
            f"“{config.model}” needs no program code.", next_step="Use it like any other model."
        )
    check_whole(config.model, code)
    if code.digest != config.digest:
        raise UserError(
            f"The program code of “{config.model}” has changed since it was agreed to.",
            kept="Nothing was allowed.",
            next_step=f"Look at the files in {code.folder} again, then decide again.",
        )
    path = record_path()
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            _add(path, files.name, code)
    context.progress(1, 1, "models", "Reading the code")
    return TrustModelResult(model=files.name, code_files=list(code.files))


def record_path() -> Path:
    """Return the file that holds what was trusted."""
    return Path(platformdirs.user_config_dir("sae-desktop")) / "trusted-code.json"


def _add(path: Path, name: str, code: ModelCode) -> None:
    kept = [entry for entry in _record().trusted if entry.digest != code.digest]
    entry = _Trusted(
        digest=code.digest,
        model=name,
        files=list(code.files),
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    write_bytes(path, msgspec.json.format(msgspec.json.encode(_Record(trusted=[*kept, entry]))))


def _record() -> _Record:
    """Return what was trusted; a file that cannot be read trusts nothing."""
    try:
        return msgspec.json.decode(record_path().read_bytes(), type=_Record)
    except (OSError, ValueError, RecursionError):
        return _Record()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
