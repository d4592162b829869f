"""The page of the manual with the licences of the program, its packages and all that ships with it.

Made from what is installed, so that it tells of this very installation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageMetadata, PackageNotFoundError, distribution
from pathlib import Path

from sae_desktop.resources import resource_path

_PROGRAM = "sae-desktop"
_NOTICE = "NOTICE"
_NAME = re.compile(r"[\w.-]+")
_CLASSIFIER = "License"
_LONGEST = 60
"""Characters of a licence's name; more is the licence itself."""
_UNTOLD = "not told by the package"
_TITLES = {
    ".": "texts and model",
    "drawings": "two drawings",
    "instances/drawings": "drawings that concepts are tried on",
    "models/builtin-pictures": "drawings behind the model of pictures",
}
"""By folder of the resources, what its notice is about."""


def licences_page() -> str:
    """Return the page as Markdown."""
    parts = [
        "# Licences",
        "",
        "SAE Desktop is free software under the MIT licence. What it is made with and what ships "
        "with it stays under the licences of those who made it.",
        "",
        "## The program",
        "",
        *_block(_own_licence()),
        "## Packages",
        "",
        "Installed here, each under its own licence, whose text lies in the package:",
        "",
        "| Package | Version | Licence |",
        "|---|---|---|",
        *(
            f"| {_cell(one.name)} | {_cell(one.version)} | {_cell(licence(one.metadata))} |"
            for one in packages()
        ),
        "",
    ]
    for folder, notice in notices().items():
        parts += [f"## Shipped: {_TITLES.get(folder, folder)}", ""]
        parts += _block(notice.read_text(encoding="utf-8"))
    return "\n".join(parts)


def notices() -> dict[str, Path]:
    """Return by folder of the resources the files that tell what ships under which licence."""
    root = resource_path("")
    found = {path.parent.relative_to(root).as_posix(): path for path in root.rglob(_NOTICE)}
    return {folder: found[folder] for folder in sorted(found)}


def packages() -> list[Distribution]:
    """Return the installed packages that the program needs, and those that these need, by name."""
    found: dict[str, Distribution] = {}
    asked = [_PROGRAM]
    while asked:
        name = asked.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:
            continue  # of another system or Python
        asked += _needs(found[key])
    found.pop(_PROGRAM, None)
    return [found[key] for key in sorted(found)]


def _needs(one: Distribution) -> Iterator[str]:
    for line in one.requires or []:
        told = _NAME.match(line)
        if told and "extra ==" not in line:
            yield told.group()


def licence(told: PackageMetadata) -> str:
    """Return what a package says its licence is."""
    if "License-Expression" in told:
        return told["License-Expression"]
    named = told["License"].strip() if "License" in told else ""
    if named and len(named) <= _LONGEST and "\n" not in named:
        return named
    classified = [
        str(line).rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or []
        if str(line).partition(" :: ")[0] == _CLASSIFIER
    ]
    return ", ".join(classified) or named.partition("\n")[0][:_LONGEST] or _UNTOLD


def _own_licence() -> str:
    for file in distribution(_PROGRAM).files or []:
        if file.name == "LICENSE" and "dist-info" in str(file):
            return file.read_text(encoding="utf-8")
    return "MIT"


def _block(text: str) -> list[str]:
    return ["```text", *text.strip("\n").splitlines(), "```", ""]


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
