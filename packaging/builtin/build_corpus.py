"""Turn the fetched sources into the shipped corpus: shuffled JSON lines, compressed."""

from __future__ import annotations

import argparse
import json
import lzma
import os
import random
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from sources import READERS, Document, fetch, fraction

SHUFFLE_SEED = 20240607
VALIDATION_SHARE = 0.04


def is_validation(document: Document) -> bool:
    """Held out from training. All languages of an article are held out together."""
    return fraction(f"validation {document.group or document.id}") < VALIDATION_SHARE


def build(cache: Path, output: Path) -> None:
    tree = fetch(cache)
    documents = [document for reader in READERS for document in reader(tree)]
    documents.sort(key=lambda document: document.id)
    assert len({document.id for document in documents}) == len(documents)
    random.Random(SHUFFLE_SEED).shuffle(documents)
    write(documents, output)
    sizes: Counter[tuple[str, str]] = Counter()
    for document in documents:
        sizes[document.source, document.language] += len(document.text.encode())
    for (source, language), size in sorted(sizes.items()):
        print(f"{source:10} {language:8} {size:>10,} bytes")
    print(f"{len(documents):,} documents, {sum(sizes.values()):,} bytes of text")
    print(f"{output.name}: {output.stat().st_size:,} bytes")


def write(documents: list[Document], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(asdict(document), ensure_ascii=False) + "\n" for document in documents)
    beside = output.with_suffix(".partial")
    with lzma.open(beside, "wt", encoding="utf-8", preset=9 | lzma.PRESET_EXTREME) as file:
        file.writelines(lines)
    os.replace(beside, output)


def read(path: Path) -> list[Document]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [Document(**json.loads(line)) for line in file]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    build(arguments.cache, arguments.output)
