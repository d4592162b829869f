"""Feature data go to other programs' files and come back: the same contexts, logits and labels."""

from __future__ import annotations

import gzip
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import pytest
from job_contexts import RecordingContext
from safetensors.numpy import load_file
from sample_index import write_sample_index
from toy_index import make_toy_index

from sae_desktop.errors import UserError
from sae_desktop.exchange.config import (
    ExportFeaturesConfig,
    ImportFeaturesConfig,
    ImportLabelsConfig,
)
from sae_desktop.exchange.features import export_features, import_features
from sae_desktop.exchange.labels import import_labels
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with the sample index “main” and some labels."""
    project = Project.open_or_create(tmp_path / "p.saeproj")
    (project.path / "features").mkdir()
    path = write_sample_index(project.index_path("main"))
    with h5py.File(path, "r+") as file:  # the chosen place is kept more precisely than its text
        for name in ("contexts/activation", "contexts/edges", "columns/max_activation"):
            file[name][...] *= np.float32(1.0003)
        around = file["contexts/values"]
        around[...] = (around[...].astype(np.float32) * 1.0003).astype(np.float16)
    index = FeatureIndex(path)
    with closing(Notes(project.notes_path)) as notes:
        for note in (
            FeatureNote(feature=0, label="Lord", score=0.8, note="of the Bible"),
            FeatureNote(feature=2, label="def =in= Python", starred=True),
            FeatureNote(feature=3, label=EVIL),
        ):
            notes.save(index.info.dictionary, note)
        content = FeatureList(name="two", members=[ListMember(feature=f) for f in (3, 1)])
        FeatureLists(notes).write(index.info.dictionary, "two", content)
    return project


def write(project: Project, path: Path, form: Any, **settings: Any) -> Any:
    config = ExportFeaturesConfig(
        project=str(project.path), index="main", path=str(path), format=form, **settings
    )
    return export_features(config, RecordingContext())


def bring(tmp_path: Path, source: Path, **settings: Any) -> tuple[Any, FeatureIndex, Project]:
    other = Project.open_or_create(tmp_path / "empty.saeproj")
    config = ImportFeaturesConfig(
        project=str(other.path), name="theirs", source=str(source), **settings
    )
    result = import_features(config, RecordingContext())
    return result, FeatureIndex(other.index_path("theirs")), other


def index_of(project: Project) -> FeatureIndex:
    return FeatureIndex(project.index_path("main"))


def contexts_of(index: FeatureIndex, feature: int) -> list[Any]:
    """What a page shows of each context, in its order within a bucket of equal activations."""
    found = [
        (c.bucket, round(c.activation, 3), tuple(c.tokens), c.peak, c.source,
         tuple(np.round(c.activations, 3).tolist()))
        for c in index.contexts(feature, None, None)
    ]  # fmt: skip
    return sorted(found)


def assert_pairs(found: list[tuple[Any, float]], expected: list[tuple[Any, float]]) -> None:
    """The same names in the same order, and their numbers as 32 bits keep them."""
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [value for _, value in found] == pytest.approx([v for _, v in expected], rel=1e-5)


@pytest.mark.parametrize("form", ["neuronpedia", "saedashboard"])
def test_feature_data__come_back_as_the_explorer_shows_them(
    project: Project, tmp_path: Path, form: str
) -> None:
    write(project, tmp_path / "out", form)
    given = {} if form == "neuronpedia" else {"site": "blocks.3.hook_resid_post"}
    result, theirs, other = bring(tmp_path, tmp_path / "out", dictionary="d", **given)
    ours = index_of(project)
    assert (result.features, theirs.features) == (ours.features, ours.features)
    assert (theirs.info.model, theirs.info.site) == (ours.info.model, ours.info.site)
    assert theirs.info.dictionary == "d"
    for name in ("density", "max_activation"):
        np.testing.assert_allclose(theirs.columns[name], ours.columns[name], rtol=1e-5)
    sourced = form == "neuronpedia"  # SAEDashboard has one name for a feature's whole text
    for feature in range(ours.features):
        mine, back = contexts_of(ours, feature), contexts_of(theirs, feature)
        if not sourced:
            mine, back = ([(*c[:4], *c[5:]) for c in found] for found in (mine, back))
        assert [c for c in back if c[0] == 0] == [c for c in mine if c[0] == 0]
        assert len(back) == len(mine)
        # Buckets without a context are not told; the others keep their places.
        assert sorted(c[1:] for c in back) == sorted(c[1:] for c in mine)
        assert_pairs(theirs.top_logits(feature), ours.top_logits(feature))
        assert_pairs(theirs.bottom_logits(feature), ours.bottom_logits(feature))
        np.testing.assert_allclose(theirs.histogram(feature)[1], ours.histogram(feature)[1])
        if form == "neuronpedia":
            assert_pairs(theirs.neighbours(feature), ours.neighbours(feature))
    with closing(Notes(other.notes_path)) as notes:
        labels = {f: note.label for f, note in notes.all("d").items()}
    expected = {0: "Lord", 2: "def =in= Python", 3: EVIL} if form == "neuronpedia" else {}
    assert labels == expected


def test_neuronpedia__has_the_fields_its_batches_have(project: Project, tmp_path: Path) -> None:
    result = write(project, tmp_path / "out", "neuronpedia", features=[0, 2])
    assert result.files == 3
    lines = {}
    for kind in ("features", "activations", "explanations"):
        with gzip.open(tmp_path / "out" / kind / "batch-0.jsonl.gz", "rt") as file:
            lines[kind] = [json.loads(line) for line in file]
    first = lines["features"][0]
    assert (first["index"], first["hookName"]) == ("0", "blocks.3.hook_resid_post")
    assert first["layer"].startswith("3-res-")
    assert set(first) >= {
        "modelId", "maxActApprox", "pos_str", "neg_values", "frac_nonzero",
        "freq_hist_data_bar_heights", "topkCosSimIndices", "correlated_neurons_pearson",
    }  # fmt: skip
    top = [a for a in lines["activations"] if a["index"] == "0" and a["binMin"] == -1]
    assert top[0]["binContains"] == -1
    assert top[0]["values"][top[0]["maxValueTokenIndex"]] == top[0]["maxValue"]
    buckets = [a for a in lines["activations"] if a["index"] == "0" and a["binMin"] >= 0]
    assert all(a["binMin"] < a["binMax"] and 0 <= a["binContains"] <= 1 for a in buckets)
    assert [e["description"] for e in lines["explanations"]] == ["Lord", "def =in= Python"]


def test_delphi__holds_every_firing_and_comes_back(tmp_path: Path, toy_model_folder: Path) -> None:
    project = make_toy_index(tmp_path, toy_model_folder)
    ours = FeatureIndex(project.index_path("i"))
    firings = ours.firings()
    assert firings is not None
    out = tmp_path / "latents"
    config = ExportFeaturesConfig(
        project=str(project.path), index="i", path=str(out), format="delphi"
    )
    label = "a quote “in” two\nlines"
    with closing(Notes(project.notes_path)) as notes:
        notes.save(ours.info.dictionary, FeatureNote(feature=2, label=label))
    export_features(config, RecordingContext())
    written = next((out / ours.info.site).glob("*.safetensors"))
    tokens, locations = (load_file(written)[name] for name in ("tokens", "locations"))
    padding = load_model(str(toy_model_folder)).tokenizer.pad_token_id
    filled = np.count_nonzero(tokens == padding)
    assert tokens.size - filled == ours.info.rows  # nothing else stands in for a text
    assert not (tokens[locations[:, 0], locations[:, 1]] == padding).any()
    (explanation,) = (out / "explanations").iterdir()
    assert explanation.name == f"{ours.info.site}_latent2.txt"
    assert json.loads(explanation.read_text(encoding="utf-8")) == label
    result, theirs, other = bring(tmp_path, out, model=str(toy_model_folder), site=ours.info.site)
    assert (result.format, result.labels) == ("Delphi", 1)
    with closing(Notes(other.notes_path)) as notes:
        assert notes.note("theirs", 2).label == " ".join(label.split())
    assert result.site == ours.info.site
    counts = firings.counts()
    assert result.with_contexts == int((counts > 0).sum())
    loudest = int(counts.argmax())
    np.testing.assert_allclose(
        theirs.columns["max_activation"][: ours.features],
        ours.columns["max_activation"][: theirs.features], rtol=1e-3,
    )  # fmt: skip
    assert theirs.histogram(loudest)[1].sum() == counts[loudest]
    np.testing.assert_allclose(
        theirs.columns["density"][loudest], ours.columns["density"][loudest], rtol=1e-6
    )
    best, same = theirs.contexts(loudest)[0], ours.contexts(loudest)[0]
    assert best.tokens[best.peak] == same.tokens[same.peak]
    assert best.activation == pytest.approx(same.activation, rel=1e-3)


def test_delphi_explanations__are_taken_as_labels(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "explanations"
    folder.mkdir()
    (folder / "layers.3.mlp_latent1.txt").write_text('"Days of the week"')
    (folder / "layers.3.mlp_latent12.txt").write_text("plain text, as people save it")
    (folder / "notes.txt").write_text("not an explanation")
    config = ImportLabelsConfig(project=str(project.path), index="main", file=str(folder))
    assert import_labels(config, RecordingContext()).labels == 2
    with closing(Notes(project.notes_path)) as notes:
        dictionary = index_of(project).info.dictionary
        assert notes.note(dictionary, 1).label == "Days of the week"
        assert notes.note(dictionary, 12).label == "plain text, as people save it"
        (folder / "layers.4.mlp_latent1.txt").write_text('"Another module"')
        with pytest.raises(UserError, match=r"several modules: layers\.3\.mlp, layers\.4\.mlp"):
            import_labels(config, RecordingContext())
        (folder / "layers.4.mlp_latent1.txt").unlink()
        (folder / "layers.3.mlp_latent2.txt").write_bytes(b'"cut')
        with pytest.raises(UserError, match=r"latent2\.txt” cannot be read"):
            import_labels(config, RecordingContext())
        assert notes.note(dictionary, 2).label == "def =in= Python"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="holds no explanations"):
        import_labels(msgspec.structs.replace(config, file=str(empty)), RecordingContext())


# ---------------------------------------------------------------- the page
def test_report__is_one_page_without_a_way_out(project: Project, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    write(project, page, "html", member_of="two")
    text = page.read_text(encoding="utf-8")
    assert EVIL not in text  # what others wrote is never markup
    assert text.count("<script") == 2
    assert re.search(r"(?:src|href)=\"(?!data:)", text) is None
    assert "default-src 'none'" in text
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert [f["number"] for f in data["features"]] == [3, 1]
    assert data["features"][0]["label"] == EVIL
    context = data["features"][1]["contexts"][0]
    index = index_of(project)
    best = index.contexts(1)[0]
    assert context["tokens"][context["peak"]] == best.tokens[best.peak]
    assert dict(context["firings"])[context["peak"]] == pytest.approx(best.activation, rel=1e-3)
    with pytest.raises(UserError, match="not a page name"):
        write(project, tmp_path / "r.pdf", "html")


# ---------------------------------------------------------------- labels
@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_labels__come_back_from_every_kind_of_file(
    project: Project, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"labels{suffix}"
    write(project, file, "labels")
    dictionary = index_of(project).info.dictionary
    with closing(Notes(project.notes_path)) as notes:
        before = notes.all(dictionary)
        for feature in before:
            notes.save(dictionary, FeatureNote(feature=feature))
    config = ImportLabelsConfig(
        project=str(project.path), index="main", file=str(file), make_list="from a file"
    )
    result = import_labels(config, RecordingContext())
    assert (result.labels, result.scores, result.stars, result.notes) == (3, 1, 1, 1)
    with closing(Notes(project.notes_path)) as notes:
        after = notes.all(dictionary)
        made = FeatureLists(notes).read(dictionary, "from a file")
    assert {f: (n.label, n.starred, n.note) for f, n in after.items()} == {
        f: (n.label, n.starred, n.note) for f, n in before.items()
    }
    assert after[0].score == pytest.approx(0.8)
    assert made is not None
    assert made.features == [0, 2, 3]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("feature,label\n0,a\n999,b\n", "Row 2: There is no feature 999"),
        ("label\na\n", "Row 1: “None” is not a feature"),
        ("feature,label,score\n0,a,7\n", "Row 1: “7” is not a score"),
        ('feature,label\n0,"a\n', "cannot be read"),
    ],
)
def test_labels__that_do_not_fit_change_nothing(
    project: Project, tmp_path: Path, content: str, error: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(content)
    config = ImportLabelsConfig(project=str(project.path), index="main", file=str(file))
    dictionary = index_of(project).info.dictionary
    with closing(Notes(project.notes_path)) as notes:
        before = notes.all(dictionary)
    with pytest.raises(UserError, match=error):
        import_labels(config, RecordingContext())
    with closing(Notes(project.notes_path)) as notes:
        assert notes.all(dictionary) == before


# ---------------------------------------------------------------- what is wrong
def test_export__refuses_what_stands_in_the_way(project: Project, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        write(project, tmp_path / "out", "neuronpedia")
    with pytest.raises(UserError, match="no list “three”"):
        write(project, tmp_path / "new", "neuronpedia", member_of="three")
    with pytest.raises(UserError, match="did not keep its firings"):
        write(project, tmp_path / "new", "delphi")
    assert not (tmp_path / "new").exists()


def test_import__says_what_is_missing(project: Project, tmp_path: Path) -> None:
    write(project, tmp_path / "out", "saedashboard", features=[1])
    with pytest.raises(UserError, match="do not name their site"):
        bring(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="no feature data in a known format"):
        bring(tmp_path, project.path)
    bring(tmp_path, tmp_path / "out", site="blocks.3.hook_resid_post")
    with pytest.raises(UserError, match="already an index “theirs”"):
        bring(tmp_path, tmp_path / "out", site="blocks.3.hook_resid_post")


def _batch(folder: Path, *lines: Any) -> Path:
    (folder / "features").mkdir(parents=True)
    with gzip.open(folder / "features" / "batch-0.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return folder


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"label": 3}, "not one of Neuronpedia's features: 'index'"),
        ({"index": "x"}, "not one of Neuronpedia's features"),
        ({"index": -1}, "There cannot be a feature -1"),
        ({"index": 10**12}, "There cannot be a feature"),
        ({"index": 1, "pos_str": "abc", "pos_values": [1]}, "not a list of texts"),
        ([1, 2], "line 1 is not a JSON object"),
        ({"index": 1}, "no text that they fire on"),
    ],
)
def test_neuronpedia__that_is_wrong_is_named(tmp_path: Path, line: Any, error: str) -> None:
    source = _batch(tmp_path / "bad", line)
    with pytest.raises(UserError, match=error):
        bring(tmp_path, source, model="m", site="blocks.1.hook_resid_post")


def test_neuronpedia__bomb_and_broken_archive_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bomb" / "features"
    folder.mkdir(parents=True)
    with gzip.open(folder / "batch-0.jsonl.gz", "wb") as file:
        for _ in range(200):
            file.write(b" " * 2**20)
    settings = {"model": "m", "site": "blocks.1.hook_resid_post"}
    with pytest.raises(UserError, match="far more than its own size"):
        bring(tmp_path, tmp_path / "bomb", **settings)
    (folder / "batch-0.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no archive")
    with pytest.raises(UserError, match="is damaged"):
        bring(tmp_path, tmp_path / "bomb", **settings)
