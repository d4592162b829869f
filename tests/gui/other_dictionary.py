"""A second dictionary beside the sample index, matched with it."""

from __future__ import annotations

import json

import numpy as np
from sample_index import write_sample_index

from sae_desktop.comparison.match_file import MatchedDictionary, MatchInfo, write_match
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project

LARGER = 96


def add_dictionaries(project: Project) -> None:
    """Write `dict` (64 features) and `large` (96) as far as cards need them."""
    for name, features in (("dict", 64), ("large", LARGER)):
        folder = project.dictionary_path(name)
        folder.mkdir(parents=True, exist_ok=True)
        metadata = {"model_name": "builtin", "hook_name": "blocks.3.hook_resid_post"}
        cfg = {"d_in": 8, "d_sae": features, "architecture": "standard", "metadata": metadata}
        (folder / "cfg.json").write_text(json.dumps(cfg))
        (folder / "sae_weights.safetensors").write_bytes(b"")
    write_sample_index(
        project.index_path("large-index"), features=LARGER, dictionary="large", seed=1
    )


def add_match(project: Project, hash_: str = "") -> None:
    """Match them: feature i of `large` is a part of feature i mod 64 with cosine 0.9 − i/200."""
    sides = [
        MatchedDictionary(name=name, hash=hash_, features=features, site="")
        for name, features in (("dict", 64), ("large", LARGER))
    ]
    larger = np.arange(LARGER)
    cosines = (0.9 - larger / 200).astype(np.float32)
    second = np.where(np.arange(64) + 64 < LARGER, np.arange(64) + 64, -1)
    write_match(
        project.match_path("dict", "large"),
        MatchInfo(smaller=sides[0], larger=sides[1], nearest=2),
        {
            "larger/ids": np.stack([np.arange(64), second], axis=1).astype(np.int32),
            "larger/cosines": np.stack(
                [cosines[:64], np.where(second >= 0, cosines[second], 0)], axis=1
            ),
            "smaller/ids": np.stack([larger % 64, np.full(LARGER, -1)], axis=1).astype(np.int32),
            "smaller/cosines": np.stack([cosines, np.zeros(LARGER, np.float32)], axis=1),
        },
    )


def look_again(session: Session) -> None:
    """Let the session see what was written."""
    session.look_again()
