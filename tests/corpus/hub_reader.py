"""Reads datasets of the hub with each of the settings it is given, and prints what came."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    assert "huggingface_hub" not in sys.modules, "it reads the hub's address when it is imported"
    import hasty  # noqa: F401  nothing waits between attempts

    from sae_desktop.corpus.config import CorpusSettings
    from sae_desktop.corpus.documents import read_documents
    from sae_desktop.errors import UserError

    found = []
    for settings in json.loads(sys.argv[1]):
        texts: list[Any] = []
        error: dict[str, str] = {}
        try:
            for d in read_documents(CorpusSettings(**settings)):
                texts.append([d.text, d.source, d.language, dict(d.metadata)])
        except UserError as fault:
            error = {"what": fault.what, "next": fault.next_step}
        found.append([texts, error])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
