"""The example package's architecture trains and its reader feeds a harvest, as built-in ones do."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from engine_driver import EngineDriver
from imported_rows import import_rows, run_config, toy_rows
from job_contexts import RecordingContext
from safetensors.torch import save_file

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus
from sae_desktop.dictionary import load
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup, StepState
from sae_desktop.dictionary.formats.find import find_dictionaries
from sae_desktop.engine.protocol import JobFinished
from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import what_is
from sae_desktop.plugins.checking import checked
from sae_desktop.project import Project
from sae_desktop.training.architecture_info import DescribeArchitecturesConfig
from sae_desktop.training.job import train
from sae_desktop.training.planning.describe import describe_architectures

pytestmark = pytest.mark.usefixtures("example")

MAIL = b"""From ada@example.org Mon Nov 30 10:00:00 2026
From: ada@example.org
Subject: The engine
Content-Type: text/plain; charset=utf-8

The engine weaves algebraic patterns.

From bob@example.org Mon Nov 30 11:00:00 2026
Subject: =?utf-8?q?Caf=C3=A9?=
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

At the caf=C3=A9, at noon.
"""


def test_architecture__trains_through_the_same_job(project: Project) -> None:
    import_rows(project, toy_rows(4096))
    config = run_config(project, architecture="log_penalty", k=2, tokens=400 * 256)
    result = train(config, RecordingContext())
    first = run_config(project, name="first", architecture="log_penalty", tokens=256)
    begun = train(first, RecordingContext())
    assert result.fvu < 0.5 * begun.fvu
    found = load(project.dictionary_path("d"))
    assert (found.width, found.features) == (16, 48)
    # The finished dictionary is a plain one: it is read without the package.
    rows = torch.from_numpy(toy_rows(512, seed=1))
    left = (found.apply(rows) - rows).square().sum() / (rows - rows.mean(0)).square().sum()
    assert float(left) == pytest.approx(result.fvu, rel=0.25)


def test_architecture__is_offered_after_the_built_in_ones() -> None:
    described = describe_architectures(DescribeArchitecturesConfig(), RecordingContext())
    found = {info.name: info for info in described.architectures}
    assert described.architectures[0].name == "matryoshka"
    assert found["log_penalty"].title == "Logarithmic penalty"
    assert found["log_penalty"].settings == ["sparsity"]


def test_architecture__computes_its_formula() -> None:
    made = ARCHITECTURES["log_penalty"](Setup(2, 1, steps=1), torch.Generator().manual_seed(0))
    made.parameters["W_enc"] = torch.tensor([[1.0, 0.0]], requires_grad=True)
    made.parameters["W_dec"] = torch.tensor([[0.0, 2.0]], requires_grad=True)
    batch = Batch.of(torch.tensor([[3.0, 1.0], [-1.0, 0.0]]))
    loss = made.loss(batch, StepState(0.5, torch.zeros(1, dtype=torch.bool)))
    # f = 3 and 0; x̂ = (0, 6) and 0: errors 9 + 25 and 1; log(1 + 3·2) once, over two rows.
    assert loss.terms["reconstruction"].item() == pytest.approx(17.5)
    assert loss.terms["sparsity"].item() == pytest.approx(0.5 * np.log(7) / 2)
    assert loss.fired_F.tolist() == [1]


@pytest.mark.parametrize("packed", [False, True])
def test_reader__gives_the_documents_of_a_corpus(tmp_path: Path, packed: bool) -> None:
    file = tmp_path / ("letters.mbox.gz" if packed else "letters.mbox")
    file.write_bytes(gzip.compress(MAIL) if packed else MAIL)
    corpus = Corpus(CorpusSettings(corpus=str(file), order="files"))
    assert [(d.title, d.text, d.source) for d in corpus] == [
        ("The engine", "The engine weaves algebraic patterns.", file.name),
        ("Café", "At the café, at noon.", file.name),
    ]
    assert corpus.report.format == "mail"
    assert what_is(file).kind == "corpus"


def test_reader__feeds_a_harvest_beside_other_files(
    project: Project, toy_model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "letters.mbox").write_bytes(MAIL * 40)
    (folder / "note.txt").write_text("A note beside the letters.")
    config = HarvestConfig(
        project=str(project.path), name="acts", model=str(toy_model_folder), corpus=str(folder),
        site="blocks.1.hook_resid_post", tokens=200, context_size=32, deduplicate=False,
        device="cpu",
    )  # fmt: skip
    result = harvest(config, RecordingContext())
    assert result.rows == 200
    store = ActivationStore.open(project.store_path("acts"))
    assert b"The engine" in store.documents["title"].tolist()


def test_format__is_found_and_read_as_a_dictionary(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(12, 5, generator=generator), torch.randn(12, generator=generator)
    folder = tmp_path / "theirs"
    folder.mkdir()
    save_file({"tied.weight": weight, "tied.bias": bias}, folder / "weights.safetensors")
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.width, found.features) == ("tied weights", 5, 12)
    x = torch.randn(7, 5, generator=generator)
    unit = weight / weight.norm(dim=1, keepdim=True)
    expected = torch.relu(x @ unit.T + bias)
    read = found.read()
    assert torch.allclose(read.encode(x), expected, atol=1e-5)
    assert torch.allclose(read.apply(x), expected @ unit, atol=1e-5)


def test_folder_of_no_format__names_those_of_plugins_too(tmp_path: Path) -> None:
    save_file({"other": torch.zeros(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match="Qwen-Scope, tied weights"):
        find_dictionaries(tmp_path)


def test_check__finds_that_all_of_it_works() -> None:
    reports = [report for report in checked() if report.kind != "panels"]  # Qt may lack
    assert [(r.name, r.state, r.why) for r in reports] == [
        ("log_penalty", "works", ""),
        ("mbox", "works", ""),
        ("tied", "works", ""),
    ]
    assert reports[1].adds == "Files that end in .mbox are read as texts."
    assert "sae_plugin_example" not in sys.modules


def test_engine__trains_what_a_plugin_adds(project: Project) -> None:
    """The engine is a process of its own, and finds the same packages."""
    import_rows(project, toy_rows(1024))
    with EngineDriver() as engine:
        engine.open_project(project.path)
        engine.start("a", run_config(project, architecture="log_penalty", tokens=512))
        assert isinstance(engine.wait_end("a"), JobFinished)


def test_architecture_that_is_gone__is_named_with_those_there_are(project: Project) -> None:
    import_rows(project, toy_rows(256))
    with pytest.raises(UserError, match="log_penalty"):
        train(run_config(project, architecture="gone"), RecordingContext())


def test_report__can_be_sent_as_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(checked()[0]))["kind"] == "architectures"
