"""What a file is, is told in one place, and whoever is given another kind says what takes it."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_process import sae_desktop
from job_contexts import RecordingContext
from made_graphs import made_graph
from safetensors.torch import save_file
from toy_gguf import save_toy_gguf

from sae_desktop.activations.config import EstimateHarvestConfig, HarvestConfig
from sae_desktop.circuits.asking_config import EdgeHeadsConfig
from sae_desktop.circuits.reading.pruning import Pruned
from sae_desktop.circuits.reading.tracer_json import tracer_json
from sae_desktop.cli import runner
from sae_desktop.cli.app import run
from sae_desktop.cli.reporter import TextReporter
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import (
    DictionaryFormat,
    ExportDictionaryConfig,
    ExportFeaturesConfig,
    ExportPackageConfig,
    FeaturesFormat,
    ImportLabelsConfig,
)
from sae_desktop.exchange.dictionaries import export_dictionary
from sae_desktop.exchange.features import export_features
from sae_desktop.exchange.package import export_package
from sae_desktop.exchange.recognise import (
    dialog_filter,
    refuse_other_kinds,
    require_kind,
    what_is,
)
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.file_kinds import FILE_KINDS, FileKind, taken_by
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.steering.config import Sampling, Variant
from sae_desktop.steering.presets import preset_of, save_preset

TEXTS = [{"text": "A text.", "source": "here"}, {"text": "Another.", "source": "there"}]


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, _finished_project: Path, toy_model_folder: Path
) -> dict[Path, tuple[FileKind, ...]]:
    """One of everything, made by what really makes it, and what it is."""
    place = tmp_path_factory.mktemp("made")
    project = Project.open(shutil.copytree(_finished_project, place / "small.saeproj"))
    info = read_info(project.index_path("idx"))
    save_preset(project, preset_of("loud", info, "It", [Variant(name="a")], Sampling(), chat=False))
    with closing(Notes(project.notes_path)) as notes:
        notes.save("dict", FeatureNote(feature=2, label="a label", starred=True))
    found: dict[Path, tuple[FileKind, ...]] = {
        project.path: ("project",),
        toy_model_folder: ("model",),
        save_toy_gguf(place / "toy.gguf"): ("model",),
        project.path / "presets" / "loud.json": ("preset",),
        project.index_path("idx"): ("index",),
        project.path / "activations" / "acts": ("store",),
        project.path / "dictionaries" / "dict": ("dictionary",),
    }
    found |= _dictionaries(project, place) | _features(project, place) | _texts(place)
    graph = made_graph(features=12)
    everything = Pruned(np.ones(graph.nodes, bool), np.ones(len(graph.weights), bool))
    (place / "graph.json").write_bytes(tracer_json(graph, everything, {}, threshold=1.0))
    found[place / "graph.json"] = ("graph",)
    package = place / "all.saepack"
    export_package(
        ExportPackageConfig(project=str(project.path), dictionary="dict", path=str(package)),
        RecordingContext(),
    )
    renamed = place / "renamed.zip"
    renamed.write_bytes(package.read_bytes())
    found |= {package: ("package",), renamed: ("package",)}
    np.save(place / "rows.npy", np.zeros((4, 3), dtype=np.float32))
    save_file({"rows": torch.zeros(4, 3)}, place / "rows.safetensors")
    return found | {
        place / "rows.npy": ("activations",), place / "rows.safetensors": ("activations",),
    }  # fmt: skip


def _dictionaries(project: Project, place: Path) -> dict[Path, tuple[FileKind, ...]]:
    found: dict[Path, tuple[FileKind, ...]] = {}
    libraries: tuple[DictionaryFormat, ...] = ("saelens", "dictionary_learning")
    for form in libraries:
        export_dictionary(
            ExportDictionaryConfig(
                project=str(project.path), dictionary="dict", path=str(place / form), format=form
            ),
            RecordingContext(),
        )  # fmt: skip
        found[place / form] = ("dictionary",)
    layer = place / "sparsify" / "layers.3"
    layer.mkdir(parents=True)
    (layer.parent / "config.json").write_text('{"sae": {"k": 8}}')
    (layer / "cfg.json").write_text('{"k": 8, "d_in": 2}')
    save_file({"encoder.weight": torch.zeros(4, 2)}, layer / "sae.safetensors")
    deep = place / "clone" / "layer_0" / "width_64" / "average_l0_8"
    deep.mkdir(parents=True)
    np.savez(deep / "params.npz", W_enc=np.zeros((2, 2)))
    (place / "clone" / "README.md").write_text("# Dictionaries")
    with zipfile.ZipFile(place / "packed.zip", "w") as archive:
        archive.write(deep / "params.npz", "layer_0/params.npz")
    return found | {
        layer.parent: ("dictionary",), layer / "sae.safetensors": ("dictionary",),
        deep / "params.npz": ("dictionary",), place / "clone": ("dictionary",),
        place / "packed.zip": ("dictionary",),
    }  # fmt: skip


def _features(project: Project, place: Path) -> dict[Path, tuple[FileKind, ...]]:
    found: dict[Path, tuple[FileKind, ...]] = {}
    forms: tuple[tuple[FeaturesFormat, str], ...] = (
        ("neuronpedia", "np"), ("saedashboard", "dash"), ("delphi", "latents"),
        ("labels", "l.csv"), ("labels", "l.json"), ("labels", "l.parquet"),
    )  # fmt: skip
    for form, path in forms:
        export_features(
            ExportFeaturesConfig(
                project=str(project.path), index="idx", path=str(place / path), format=form,
                features=[1, 2, 5],
            ),
            RecordingContext(),
        )  # fmt: skip
        found[place / path] = ("labels",) if form == "labels" else ("features",)
    explanations = next((place / "latents").rglob("explanations"))
    mapping = place / "mapping.json"
    mapping.write_text(json.dumps({"3": "dogs", "4": "cats"}))
    (place / "numbered.tsv").write_text("7\tdogs\n8\tcats\n")
    return found | {
        explanations: ("labels",), mapping: ("labels",),
        place / "numbered.tsv": ("corpus", "labels"),
    }  # fmt: skip


def _texts(place: Path) -> dict[Path, tuple[FileKind, ...]]:
    folder = place / "texts"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("A text.")
    (folder / "config.json").write_text("{}")  # as many source trees have
    (folder / "part.py").write_text("x = 1\n")
    (place / "NOTES").write_text("A text without an ending.")
    (place / "a.md").write_text("# A text")
    (place / "t.jsonl").write_text("\n".join(map(json.dumps, TEXTS)))
    (place / "t.json").write_text(json.dumps(TEXTS))
    (place / "t.csv").write_text("id,name,text\n1,a,A text.\n2,b,Another.\n")
    drawings = place / "drawings"
    drawings.mkdir()
    (drawings / "a.png").write_bytes(b"\x89PNG")
    (drawings / "a.txt").write_text("A drawing.")
    (place / "scan.JPG").write_bytes(b"\xff\xd8")
    (place / "pages.jsonl").write_text(json.dumps({"image": "a.png", "text": "A drawing."}))
    with zipfile.ZipFile(place / "drawings.zip", "w") as archive:
        archive.write(drawings / "a.png", "a.png")
    return {
        drawings: ("pictures",), place / "scan.JPG": ("pictures",),
        place / "drawings.zip": ("pictures",), place / "pages.jsonl": ("pictures", "corpus"),
        folder: ("corpus",), place / "NOTES": ("corpus",), place / "a.md": ("corpus",),
        place / "t.jsonl": ("corpus", "labels"), place / "t.json": ("corpus", "labels"),
        place / "t.csv": ("corpus", "labels"),
    }  # fmt: skip


def test_what_is__tells_each_thing_the_program_knows(
    made: dict[Path, tuple[FileKind, ...]],
) -> None:
    assert {path.name: what_is(path).kinds for path in made} == {
        path.name: kinds for path, kinds in made.items()
    }
    assert {kind for kinds in made.values() for kind in kinds} == set(FILE_KINDS)


def test_what_is__says_why_it_does_not_understand_something(
    tmp_path: Path, toy_model_folder: Path, small_project: Path
) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "picture").write_bytes(b"\x89PNG" + bytes(range(256)))
    (tmp_path / "nothing").mkdir()
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    save_file({"lora": torch.zeros(2)}, adapter / "adapter_model.safetensors")
    several = tmp_path / "several"
    several.mkdir()
    for name in ("a.gguf", "b.gguf"):
        (several / name).write_bytes(b"GGUF")
    reasons = {
        tmp_path / "empty": "is empty",
        tmp_path / "picture": "Models are folders",
        tmp_path / "nothing": "neither a model nor texts",
        adapter: "adapter",
        several: "choose one",
        toy_model_folder / "model.safetensors": "choose the folder",
        toy_model_folder / "config.json": "configuration of a model",
        small_project / "dictionaries" / "dict" / "cfg.json": "configuration of a dictionary",
        small_project / "dictionaries" / "dict" / "run.h5": "open the project",
    }
    for path, reason in reasons.items():
        found = what_is(path)
        assert (found.kind, reason in found.reason) == (None, True), (path, found)


def test_what_is__a_folder_of_texts_stays_one_where_a_dictionary_lies_deep_in_it(
    tmp_path: Path, small_project: Path
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    assert what_is(tmp_path).kinds == ("dictionary", "corpus")
    require_kind(tmp_path, "corpus")


# ---------------------------------------------------------------- commands
TAKES_IT: dict[FileKind, str] = {
    "project": "sae-desktop {}",
    "model": "sae-desktop harvest PROJECT --model {}",
    "corpus": "sae-desktop harvest PROJECT --corpus {}",
    "pictures": "sae-desktop harvest PROJECT --pictures {} --model MODEL",
    "activations": "sae-desktop import-activations PROJECT {}",
    "dictionary": "sae-desktop import PROJECT {}",
    "features": "sae-desktop import PROJECT {}",
    "labels": "sae-desktop import PROJECT {} --index",
    "package": "sae-desktop import PROJECT {}",
    "preset": "sae-desktop steer PROJECT --preset NAME",
    "graph": "sae-desktop trace import PROJECT {} --name NAME",
    "index": "sae-desktop features {project} --index idx",
    "store": "sae-desktop train {project} --activations acts",
}
IMPORTED = {"dictionary", "features", "labels", "package", "project"}
HARVEST = ("harvest", "P", "--name", "n", "--site", "blocks.1.hook_resid_post")
COMMANDS: tuple[tuple[tuple[str, ...], set[str]], ...] = (
    (("import", "P", "{}", "--index", "idx"), IMPORTED),
    (("import", "P", "{}", "--as", "dictionary"), {"dictionary", "project"}),
    (("import", "P", "{}", "--show"), {"dictionary", "project"}),
    (("import", "P", "{}", "--as", "features"), {"features"}),
    (("import", "P", "{}", "--as", "labels", "--index", "idx"), {"labels"}),
    (("import", "P", "{}", "--as", "package"), {"package"}),
    (("import-activations", "P", "{}", "--name", "n"), {"activations"}),
    ((*HARVEST, "--corpus", "{}"), {"corpus"}),
    ((*HARVEST, "--model", "{}"), {"model"}),
    (("corpus", "{}"), {"corpus"}),
    (("corpus", "builtin", "--model", "{}"), {"model"}),
    (("models", "show", "{}"), {"model"}),
    (("concepts", "P", "--add", "{}"), {"corpus"}),
    (("probe", "P", "--index", "idx", "--text-file", "{}"), {"corpus"}),
    (("find-features", "P", "--index", "idx", "--on", "{}", "--off", "{}"), {"corpus"}),
    (("trace", "import", "P", "{}", "--name", "n"), {"graph"}),
    (("features", "{}", "--index", "idx"), {"project"}),
    (("train", "{}", "--name", "n"), {"project"}),
)


class Told(TextReporter):
    """Writes errors as they are; the real one takes the process's streams for good."""

    def __init__(self) -> None:
        pass

    def error(self, error: ErrorInfo) -> None:
        print(error.what, error.next_step, file=sys.stderr)

    def close(self) -> None:
        pass


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    yield project.path
    assert not [p for p in project.path.rglob("*") if p.is_file() and p.name[0] not in ".pn"]


@pytest.mark.parametrize(("command", "taken"), COMMANDS, ids=[" ".join(c) for c, _ in COMMANDS])
def test_a_command__given_another_kind_says_what_it_is_and_which_takes_it(
    made: dict[Path, tuple[FileKind, ...]],
    empty: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    taken: set[str],
) -> None:
    project = next(path for path, kinds in made.items() if kinds == ("project",))
    monkeypatch.setattr(runner, "make_reporter", lambda title, as_json: Told())
    one_each = {kinds[0]: path for path, kinds in made.items() if not set(kinds) & taken}
    for kind, path in one_each.items():
        given = [one.replace("{}", str(path)) if "{" in one else one for one in command]
        status = run([str(empty) if one == "P" else one for one in given])
        said = _squeezed(capsys.readouterr().err)
        info = FILE_KINDS[kind]
        text = info.folder if path.is_dir() and info.folder else info.text
        way = TAKES_IT[kind].format(path, project=project)
        assert status in (1, 2), given
        assert _squeezed(f"“{path.name}” is {text}.") in said, (given, said)
        assert _squeezed(way) in said, (given, said)
    assert set(one_each) >= set(FILE_KINDS) - taken - {"corpus"}


def _squeezed(text: str) -> str:
    """Return a text without what a frame of a terminal puts between its letters."""
    return "".join(c for c in text if not c.isspace() and c != "│")


def test_harvest__given_a_package_makes_no_project(tmp_path: Path) -> None:
    (tmp_path / "x.saepack").write_bytes(b"PK")
    done = sae_desktop(
        "harvest", tmp_path / "p.saeproj", "--corpus", tmp_path / "x.saepack", "--name", "n",
        "--json",
    )  # fmt: skip
    assert done.status == 1
    assert done.error["what"] == "“x.saepack” is a package of SAE Desktop."
    assert done.error["next_step"] == (
        f"Open it with “sae-desktop import PROJECT {tmp_path / 'x.saepack'}”, or drop it on "
        "Project in the window."
    )
    assert not (tmp_path / "p.saeproj").exists()


# ---------------------------------------------------------------- the table
def test_configs__every_job_that_is_given_a_file_says_of_which_kind() -> None:
    given = {
        (config.__name__, field)
        for config in JOB_KINDS
        for field in {"file", "source", "corpus"} & set(config.__struct_fields__)
        if config is not EdgeHeadsConfig  # its source is a node
    }
    given |= {
        ("HarvestConfig", "model"), ("DescribeModelConfig", "model"),
        ("DescribeCorpusConfig", "model"), ("TrustModelConfig", "model"),
        ("PreviewPicturesConfig", "model"), ("PreviewPicturesConfig", "pictures"),
        ("HarvestConfig", "pictures"), ("SizeConfig", "model"),
        ("EmbedLabelsConfig", "encoder"),
    }  # fmt: skip
    said = {(config.__name__, field) for config in JOB_KINDS for field in taken_by(config)}
    assert given == said
    assert ("ImportPackageConfig", "file") in said


def test_refuse_other_kinds__lets_a_person_say_how_a_file_is_read(
    made: dict[Path, tuple[FileKind, ...]],
) -> None:
    labels = next(path for path, kinds in made.items() if path.name == "l.csv")
    with pytest.raises(UserError, match="is a table of labels"):
        refuse_other_kinds(CorpusSettings(corpus=str(labels)))
    refuse_other_kinds(CorpusSettings(corpus=str(labels), text_column="label"))
    refuse_other_kinds(ImportLabelsConfig(project="", index="", file=str(labels)))


def test_refuse_other_kinds__looks_into_the_configs_within(
    made: dict[Path, tuple[FileKind, ...]],
) -> None:
    package = next(path for path, kinds in made.items() if kinds == ("package",))
    harvest = HarvestConfig(project="", name="n", corpus=str(package))
    with pytest.raises(UserError, match="is a package of SAE Desktop"):
        refuse_other_kinds(EstimateHarvestConfig(harvest=harvest))


def test_require_kind__leaves_what_ships_alone_whatever_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "builtin").mkdir()
    (tmp_path / "builtin" / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    require_kind("builtin", "model")
    with pytest.raises(UserError, match="a folder of texts"):
        require_kind("./builtin", "model")


def test_dialogs__offer_the_endings_of_the_table() -> None:
    assert dialog_filter("package") == "Packages (*.saepack);;All files (*)"
    assert "*.npz" in dialog_filter("dictionary")
    assert {"*.jsonl", "*.rst", "*.zst"} <= set(dialog_filter("corpus").replace("(", "").split())
