"""The public Python API: what it gives is what the files hold, and what it takes is checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_process import sae_desktop as command
from small_project import FEATURES, LABEL, LABELLED

import sae_desktop.api as api
from sae_desktop.api import html
from sae_desktop.api.index import Index
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.upkeep import writing


@pytest.fixture
def index(small_project: Path) -> Index:
    return api.open_project(small_project).index("idx")


def test_api__needs_neither_qt_nor_torch() -> None:
    code = (
        "import sys, sae_desktop.api; "
        "print([m for m in ('torch', 'transformers', 'PySide6', 'pyqtgraph') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names__are_all_there_and_none_beside() -> None:
    for name in api.__all__:
        assert getattr(api, name) is not None
    assert len(set(api.__all__)) == len(api.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = api.Nothing


def test_kinds__are_those_of_the_table_by_their_tags() -> None:
    kinds = api.job_kinds()
    assert {kind.config for kind in kinds.values()} == set(JOB_KINDS)
    assert kinds["train"].config is api.TrainConfig
    assert (kinds["train"].writes, kinds["probe"].writes) == (True, False)
    assert kinds["train"].settings["k"].title == "k"


def test_feature__says_what_the_command_says(index: Index, small_project: Path) -> None:
    number = int(np.argmax(index.columns["density"]))
    shown = command("show", small_project, "--index", "idx", "--feature", str(number), "--json")
    told = shown.result
    feature = index[number]
    assert feature.density == pytest.approx(told["density"])
    assert [token for token, _ in feature.raises] == [one["token"] for one in told["top_logits"]]
    assert [one.tokens for one in feature.contexts()] == [one["tokens"] for one in told["contexts"]]
    assert [near.number for near, _ in feature.neighbours] == [
        one["id"] for one in told["neighbours"]
    ]
    assert feature.to_dict()["histogram"] == told["histogram"]
    assert feature.top_contexts[0].activation == pytest.approx(feature.max_activation, rel=1e-3)
    assert index[LABELLED].label == index[LABELLED].name == LABEL
    assert [label.text for label in index[LABELLED].labels] == [LABEL]
    assert index[number].name == told.get("words", index[number].words.line())


def test_search__finds_and_sorts(index: Index) -> None:
    density = np.asarray(index.columns["density"])
    found = index.search(where=["density>0", "density<0.05"], sort="density")
    expected = [i for i in np.argsort(-density, kind="stable") if 0 < density[i] < 0.05]
    assert sorted(found.numbers) == sorted(expected)
    assert list(density[found.numbers]) == sorted(density[found.numbers], reverse=True)
    assert [one.number for one in index.search(LABEL, labelled_only=True)] == [LABELLED]
    assert list(index.search(sort="number").numbers) == list(range(FEATURES))
    assert index.search(sort="number", falling=True)[0].number == FEATURES - 1
    with pytest.raises(UserError, match="no condition “colour”"):
        index.search(colour="red")
    with pytest.raises(UserError, match=r"density<0\.01"):
        index.search(where="density~1")
    with pytest.raises(UserError, match="numbered 0 to"):
        _ = index[FEATURES]


def test_arrays__are_views_of_the_files(index: Index, small_project: Path) -> None:
    column = index.columns["density"]
    assert not column.flags.owndata
    assert not column.flags.writeable
    with h5py.File(index.path) as file:
        np.testing.assert_array_equal(column, file["columns/density"][:])
    assert not index.tokens.flags.owndata

    weights = index.project.dictionary("dict").weights
    assert not weights["W_dec"].flags.owndata
    assert not weights["W_dec"].flags.writeable
    loaded = index.project.dictionary("dict").load()
    np.testing.assert_allclose(weights["W_dec"], loaded.W_dec.numpy(), rtol=1e-6)
    assert weights["W_dec"].shape == (FEATURES, loaded.out_width)

    rows = index.project.store("acts").read(3, 9)
    assert not rows.flags.owndata
    with h5py.File(small_project / "activations" / "acts" / "000.h5") as file:
        [kept] = file["activations"].values()
        np.testing.assert_array_equal(rows, kept[3:9])


def test_weights__that_are_cut_short_are_named(index: Index) -> None:
    path = index.project.dictionary("dict").path / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"sae_weights\.safetensors"):
        _ = index.project.dictionary("dict").weights


# ---------------------------------------------------------------- jobs
def test_run__gives_the_result_and_tells_of_it(small_project: Path) -> None:
    project = api.open_project(small_project)
    config = project.config(
        api.TrainConfig, name="more", activations="acts", features=np.int64(32), k=4, tokens=2000,
        batch=200, device="cpu",
    )  # fmt: skip
    told: list[float] = []
    points: list[int] = []
    result = project.run(
        config,
        progress=lambda one: told.append(one.done / one.total),
        metrics=lambda some: points.extend(some.steps),
    )
    assert result.features == 32
    assert told[-1] == 1.0
    assert points == sorted(points) != []
    assert "more" in project.dictionaries
    with writing(Project.open(small_project)):  # the lock was given back
        pass


def test_probe__is_the_job(index: Index) -> None:
    read = index.probe("In the beginning", device="cpu")
    assert "".join(read.tokens).endswith("In the beginning")
    best, activation = read.at(-1)[0]
    assert read.activations(best)[-1] == activation > 0
    assert best.number in read.strongest().numbers


def test_job__that_is_cancelled_says_so(small_project: Path) -> None:
    project = api.open_project(small_project)
    config = project.config(
        api.TrainConfig, name="long", activations="acts", features=32, k=4, tokens=10**9,
        batch=200, device="cpu",
    )  # fmt: skip
    job = project.start(config)
    with pytest.raises(JobCancelledError):
        job.wait(progress=lambda _: job.cancel())
    assert job.state == "cancelled"

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    job = project.start(config)
    with pytest.raises(KeyboardInterrupt):
        job.wait(progress=interrupt)
    assert job.state == "cancelled"


def test_config__that_is_wrong_is_refused_by_name(small_project: Path, tmp_path: Path) -> None:
    project = api.open_project(small_project)
    with pytest.raises(UserError, match="no field “kk”"):
        project.config(api.TrainConfig, name="d", kk=3)
    with pytest.raises(UserError, match="got `str` - at `k`"):
        project.config(api.TrainConfig, name="d", k="three")
    with pytest.raises(UserError, match="The setting k = 0 is out of range"):
        project.run(project.config(api.TrainConfig, name="d", activations="acts", k=0))
    with pytest.raises(UserError, match="no kind of job “paint”"):
        api.config_from({"type": "paint"})
    with pytest.raises(UserError, match="not of"):
        project.run(api.ProbeConfig(project=str(tmp_path), index="idx", text="a"))
    with pytest.raises(UserError, match="Available: idx"):
        project.index("gone")
    told = {"type": "probe", "project": str(small_project), "index": "idx", "text": "a"}
    assert api.config_from(told) == project.config(api.ProbeConfig, index="idx", text="a")


# ---------------------------------------------------------------- notebooks
def test_html__takes_no_text_for_markup(index: Index) -> None:
    evil = '<img src=x onerror="alert(1)">&\u202e'
    notes = Notes(index.project.folder.notes_path)
    notes.save("dict", FeatureNote(feature=3, label=evil))
    notes.close()
    shown = index[3]._repr_html_() + index.search("img")._repr_html_()
    assert "<img" not in shown
    assert shown.count("&lt;img src=x") == 2
    lit = html.lit_text(["<b>", " x", "\n"], [0.0, 2.0, 0.0], 2.0, peak=1)
    assert "<b>" not in lit
    assert "&lt;b&gt;" in lit
    assert 'title="activation 2"' in lit
    assert lit.count("underline") == 1


def test_lit_tokens__are_darker_the_stronger_over_two_decades() -> None:
    assert html.opacity(0.0, 5.0) == html.opacity(1.0, 0.0) == 0.0
    assert html.opacity(5.0, 5.0) == html.MOST_OPAQUE
    middle = (html.opacity(5.0, 5.0) + html.opacity(0.05, 5.0)) / 2
    assert html.opacity(0.5, 5.0) == pytest.approx(middle)
    assert html.opacity(1e-9, 5.0) == html.opacity(0.05, 5.0) > 0


@pytest.mark.parametrize(
    ("text", "ground"),
    [((0, 0, 0), (255, 255, 255)), ((222, 222, 222), (17, 17, 17)), ((204, 204, 204), (31,) * 3)],
)
def test_lit_tokens__are_legible_in_light_and_dark(
    text: tuple[int, int, int], ground: tuple[int, int, int]
) -> None:
    share = html.MOST_OPAQUE
    lit = [share * a + (1 - share) * b for a, b in zip(html.ACCENT, ground, strict=True)]

    def luminance(colour: list[float]) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (value / 255 for value in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(list(map(float, text))), luminance(lit)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
