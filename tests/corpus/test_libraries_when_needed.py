"""The libraries of tables and of the hub come only where a corpus needs them."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import sae_desktop.engine.registry
import sae_desktop.corpus.documents
import sae_desktop.corpus.windows
from sae_desktop.corpus.config import CorpusSettings
next(sae_desktop.corpus.documents.read_documents(CorpusSettings()))
late = ("datasets", "pyarrow", "pandas", "zstandard", "torch")
print([name for name in late if name in sys.modules])
"""


def test_built_in_corpus__is_read_without_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
