"""Reads a corpus in a process of its own, and tells how much memory that took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

READ = """
import json, sys
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import read_documents
from sae_desktop.errors import UserError
path, small, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
def peak():
    # getrusage would count the memory of the process that started this one.
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
def read(path):
    count = characters = longest = 0
    for document in read_documents(CorpusSettings(order="files", corpus=path, deduplicate=False)):
        count += 1
        characters += len(document.text)
        longest = max(longest, len(document.text))
        if count == most:
            break
    return count, characters, longest
read(small)
before = peak()
error = ""
try:
    figures = read(path)
except UserError as fault:
    figures, error = (), str(fault)
print(json.dumps({"figures": figures, "error": error, "grown": peak() - before}))
"""


def read_in_child(path: Path, small: Path, most: int = -1) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(small), str(most)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
