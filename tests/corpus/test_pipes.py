"""A pipe or a device has no end, so it is no corpus."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, corpus_bytes, corpus_path
from sae_desktop.corpus.unpacking import open_bytes
from sae_desktop.errors import UserError

pytestmark = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="this system has no pipes with a name"
)


def test_pipe__is_refused_as_a_corpus(tmp_path: Path) -> None:
    pipe = tmp_path / "c.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="a pipe or a device") as refused:
        corpus_path(str(pipe))
    assert "Save its output to a file" in refused.value.next_step


def test_device__is_refused_as_a_corpus_and_is_not_opened() -> None:
    with pytest.raises(UserError, match="a pipe or a device"):
        corpus_path(os.devnull)
    with pytest.raises(UserError, match="a pipe or a device"):
        open_bytes(Path(os.devnull))


def test_pipe_in_a_folder__is_left_out_and_counted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    os.symlink(os.devnull, tmp_path / "b.txt")
    os.symlink(tmp_path / "nowhere.txt", tmp_path / "c.txt")
    (tmp_path / "d.txt").write_text("words")
    corpus = Corpus(CorpusSettings(corpus=str(tmp_path)))
    assert [document.text for document in corpus] == ["words"]
    assert corpus.report.notes() == ["Left out: 2 pipes and devices."]
    assert corpus_bytes(str(tmp_path)) == 5
