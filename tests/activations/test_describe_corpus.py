"""A corpus is described by what is in it, in the model's own tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from job_contexts import RecordingContext

from sae_desktop.activations import describe_corpus as module
from sae_desktop.activations.config import CorpusDescription, DescribeCorpusConfig
from sae_desktop.activations.describe_corpus import describe_corpus
from sae_desktop.errors import UserError


def described(corpus: Path, model: Path | str, **rest: int) -> CorpusDescription:
    config = DescribeCorpusConfig(corpus=str(corpus), model=str(model), **rest)
    return describe_corpus(config, RecordingContext())


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "c.jsonl"
    lines = [
        f'{{"text": "text {n} é", "source": "s{n % 2}", "language": "l{n % 3}"}}' for n in range(9)
    ]
    path.write_text("\n".join(lines))
    return path


def test_description__counts_and_lists_the_kinds(corpus: Path, toy_model_folder: Path) -> None:
    said = described(corpus, toy_model_folder, preview=2)
    assert (said.documents, said.bytes) == (9, corpus.stat().st_size)
    assert (said.sources, said.languages) == (["s0", "s1"], ["l0", "l1", "l2"])
    assert len(said.preview) == 2
    assert "".join(said.preview[1].tokens).startswith("text 1 ")
    assert len(said.preview[1].tokens) > 3


def test_description__does_without_a_model(corpus: Path, tmp_path: Path) -> None:
    said = described(corpus, tmp_path / "none")
    assert said.preview[0].tokens == ["text", " 0", " é"]


def test_what_takes_long__is_not_counted(
    tmp_path: Path, toy_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.0)
    path = tmp_path / "long.jsonl"
    path.write_text('{"text": "a"}\n' * 600)
    said = described(path, toy_model_folder)
    assert said.documents == -1
    assert said.preview


def test_empty_corpus__is_refused(tmp_path: Path, toy_model_folder: Path) -> None:
    (tmp_path / "e.txt").write_text("\n\n")
    with pytest.raises(UserError, match="is empty"):
        described(tmp_path / "e.txt", toy_model_folder)
