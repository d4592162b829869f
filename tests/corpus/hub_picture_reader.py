"""Looks at and reads pictures of datasets on the hub, and prints what came."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    assert "huggingface_hub" not in sys.modules, "it reads the hub's address when it is imported"
    import hasty  # noqa: F401  nothing waits between attempts

    from sae_desktop.corpus.config import CorpusSettings
    from sae_desktop.corpus.picture_documents import PictureCorpus, PictureReport
    from sae_desktop.errors import UserError
    from sae_desktop.jobs import SilentContext
    from sae_desktop.language_model.picture_config import PreviewPicturesConfig
    from sae_desktop.language_model.pictures.preview import preview_pictures

    asked = json.loads(sys.argv[1])
    found: dict[str, Any] = {"read": [], "refused": [], "first": 0, "error": "", "shown": []}
    try:
        report = PictureReport()
        corpus = PictureCorpus(asked["name"], CorpusSettings(**asked["settings"]), report)
        found["first"] = len(list(corpus.first()))
        for document in corpus.documents(asked.get("start", 0)):
            found["read"].append(
                [document.ordinal]
                + [part if isinstance(part, str) else part.digest for part in document.parts]
            )
        found["refused"] = report.refused
        shown = preview_pictures(
            PreviewPicturesConfig(pictures=asked["name"], preview=3), SilentContext()
        )
        found["shown"] = [[one.width, one.text] for one in shown.previews]
        found["complete"] = shown.complete
    except UserError as error:
        found["error"], found["next"] = error.what, error.next_step
    print(json.dumps(found))


if __name__ == "__main__":
    main()
