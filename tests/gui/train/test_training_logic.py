"""What the Training panel knows apart from its widgets: points, advice, drafts, tables."""

from __future__ import annotations

import datetime
import math

import msgspec
import numpy as np
import pytest
from frame_project import ARCHITECTURES, SITE, add_run, evaluation
from PySide6.QtWidgets import QApplication

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.gui.parts.plot_style import ValueAxis
from sae_desktop.gui.train.training_draft import copied, default_name, problems, resumes, summary
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_log import COSINE_EDGES, read_run
from sae_desktop.training.sweeps.sweep_config import SweepConfig, SweepRecord, SweepRow
from sae_desktop.training.usual import usual_features, usual_tokens
from sae_desktop.words.evaluation_figures import evaluation_rows, evaluation_text, verdict
from sae_desktop.words.histograms import HISTOGRAMS, available, x_range
from sae_desktop.words.inventory import DictionaryItem, StoreItem, take_inventory
from sae_desktop.words.run_figures import order, rows_of_runs, rows_of_sweep, used_columns
from sae_desktop.words.training_catalogue import (
    SETTING_OF,
    SETTINGS,
    architectures_for,
    chosen_sites,
    known_architectures,
    matters,
)

MATRYOSHKA, JUMPRELU, STANDARD = ARCHITECTURES
OUT = "blocks.1.hook_mlp_out"


def store(**values: object) -> StoreItem:
    fields: dict[str, object] = {
        "name": "acts",
        "rows": 10_000,
        "rows_wanted": 10_000,
        "width": 8,
        "model": "builtin",
        "site": SITE,
        "corpus": "builtin",
        "bytes": 1,
        "modified": datetime.datetime(2026, 1, 1),
        "harvest": None,
        "sites": (SITE,),
        "widths": (8,),
    }
    return StoreItem(**(fields | values))  # type: ignore[arg-type]


def config(**values: object) -> TrainConfig:
    fields: dict[str, object] = {"project": "p", "name": "new", "activations": "acts"}
    return TrainConfig(**(fields | values))  # type: ignore[arg-type]


# ---------------------------------------------------------------------- settings
def test_catalogue__every_setting_is_one_of_the_config_or_of_its_sites() -> None:
    fields = set(TrainConfig.__struct_fields__) | {"site", "output_site"}
    assert {info.field for info in SETTINGS} <= fields
    assert all(info.explanation for info in SETTINGS)


@pytest.mark.parametrize(
    ("field", "architecture", "target", "shown"),
    [
        ("k", MATRYOSHKA, "input", True),
        ("k", STANDARD, "input", False),
        ("sparsity", STANDARD, "input", True),
        ("sparsity_warm_up", MATRYOSHKA, "input", False),
        ("features", STANDARD, "input", True),
        ("site", MATRYOSHKA, "input", True),
        ("output_site", MATRYOSHKA, "input", False),
        ("output_site", MATRYOSHKA, "skip_transcoder", True),
        ("sites", MATRYOSHKA, "crosscoder", True),
        ("other_activations", MATRYOSHKA, "crosscoder", True),
        ("other_activations", MATRYOSHKA, "transcoder", False),
        ("resample", JUMPRELU, "cross_layer_transcoder", False),
    ],
)
def test_catalogue__shows_what_matters(
    field: str, architecture: object, target: str, shown: bool
) -> None:
    assert matters(field, architecture, ARCHITECTURES, target, 2, 2) is shown  # type: ignore[arg-type]


def test_catalogue__one_site_needs_no_choice() -> None:
    assert not matters("site", MATRYOSHKA, ARCHITECTURES, "input", 1, 1)
    assert not matters("other_activations", MATRYOSHKA, ARCHITECTURES, "crosscoder", 1, 1)


def test_catalogue__a_cross_layer_transcoder_has_its_own_architecture() -> None:
    found = architectures_for("cross_layer_transcoder", ARCHITECTURES)
    assert [info.name for info in found] == ["jumprelu"]
    assert architectures_for("input", ARCHITECTURES) == ARCHITECTURES


def test_catalogue__before_the_engine_has_told_there_is_the_default() -> None:
    assert [info.name for info in known_architectures([])] == [config().architecture]


@pytest.mark.parametrize(
    ("target", "available", "several_models", "expected"),
    [
        ("input", [SITE], False, ((), ())),
        ("input", [SITE, OUT], False, ((SITE,), ())),
        ("transcoder", [SITE, OUT], False, ((SITE,), (OUT,))),
        ("crosscoder", [SITE, OUT, "c"], False, ((SITE, "c"), ())),
        ("crosscoder", [SITE], True, ((), ())),
        ("cross_layer_transcoder", [SITE, OUT], False, ((), ())),
    ],
)
def test_catalogue__names_the_sites_a_target_takes(
    target: str, available: list[str], several_models: bool, expected: object
) -> None:
    found = chosen_sites(
        target,  # type: ignore[arg-type]
        available,
        site=SITE,
        output_site=OUT,
        sites=["c", SITE],
        several_models=several_models,
    )
    assert found == expected


# ---------------------------------------------------------------------- drafts
def test_draft__names_are_free_and_tell_the_size() -> None:
    made = config(architecture="topk", features=512)
    assert default_name(made, []) == "topk-512"
    assert default_name(made, ["topk-512", "topk-512-2"]) == "topk-512-3"
    assert default_name(config(target="crosscoder", features=64), []) == "crosscoder-64"
    assert copied(config(name="a"), "here", ["a"]).name == "a-2"


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"activations": "gone"}, "activations", "Choose a store"),
        ({"batch": 20_000, "tokens": 40_000}, "batch", "10,000 rows"),
        ({"name": "no/slash"}, "name", ""),
        ({"k": 5_000}, "k", "exceed"),
        ({"tokens": 10}, "tokens", "one batch"),
        ({"lr_warm_up": 0.9, "lr_decay": 0.2}, "lr_warm_up", "together at most 1"),
        ({"target": "transcoder"}, "target", "one input site and one output site"),
        ({"target": "crosscoder"}, "target", "several sites"),
    ],
)
def test_draft__says_what_keeps_it_from_starting(
    values: dict[str, object], field: str, words: str
) -> None:
    found = problems(config(**values), [store()], [], ["k"])
    assert set(found) == {field}
    assert words in found[field]


def test_draft__a_good_one_has_no_problem() -> None:
    assert problems(config(), [store()], [], ["k"]) == {}
    two = store(sites=(SITE, OUT), widths=(8, 8))
    crossing = config(target="transcoder", sites=(SITE,), output_sites=(OUT,))
    assert problems(crossing, [two], [], ["k"]) == {}


def test_draft__a_stream_needs_a_model_and_no_store() -> None:
    stream = HarvestConfig(project="p", name="s")
    assert problems(config(activations="", stream=stream), [], [], ["k"]) == {}
    nothing = msgspec.structs.replace(stream, model="")
    assert set(problems(config(activations="", stream=nothing), [], [], ["k"])) == {"activations"}
    crossing = config(stream=stream, activations="", target="transcoder")
    assert set(problems(crossing, [], [], ["k"])) == {"target"}


def test_draft__an_unfinished_run_of_the_same_settings_is_resumed(project: Project) -> None:
    made = add_run(project, "half", finished=False)
    item = take_inventory(project).dictionaries[0]
    assert resumes(made, item)
    assert not resumes(msgspec.structs.replace(made, seed=1), item)
    found = problems(msgspec.structs.replace(made, seed=1), [store()], [item], ["k"])
    assert "already" in found["name"]


def test_draft__says_what_it_amounts_to() -> None:
    text = summary(config(tokens=20_480, batch=2_048), store())
    assert text == "10 steps, 2.0 passes over “acts”."
    many = summary(config(tokens=1_110_000, batch=2_048), store())
    assert many.endswith("111 passes (many: it may learn these rows by heart) over “acts”.")


def test_usual_settings__suit_the_store() -> None:
    assert usual_tokens(20_000, 2_048) == 400_000  # small: some passes, not a hundred
    assert usual_tokens(500_000) == 2_000_000
    assert usual_tokens(9_000_000) == 9_000_000  # large: all of it
    assert usual_tokens(10, 2_048) == 2_048
    assert usual_features(576) == 4_608
    assert "8 × the width" in SETTING_OF["features"].explanation


# ---------------------------------------------------------------------- tables
def test_runs__tell_figures_and_leave_out_columns_that_say_nothing(project: Project) -> None:
    add_run(project, "a")
    add_run(project, "b", evaluated=True)
    add_run(project, "half", finished=False)
    items = take_inventory(project).dictionaries
    rows = rows_of_runs(items, ["half"], {"matryoshka": ["k"]})
    assert [row.state for row in rows] == ["trained", "trained", "running"]
    assert (rows[0].fvu, rows[0].random_fvu) == (0.125, None)
    assert (rows[1].fvu, rows[1].random_fvu, rows[1].loss_recovered) == (0.11, 0.7, 0.967)
    fields = [column.field for column in used_columns(rows)]
    assert "k" in fields
    assert not {"sparsity", "target"} & set(fields)
    assert order(rows, "fvu", falling=False) == [1, 0, 2]
    assert order(rows, "fvu", falling=True) == [0, 1, 2]


def test_runs__of_a_sweep_include_those_that_wait_and_that_failed(project: Project) -> None:
    made = add_run(project, "s-k8")
    items: list[DictionaryItem] = take_inventory(project).dictionaries
    base = {"architecture": "matryoshka", "features": 16, "sparsity": None, "lr": 0.0, "seed": 0}
    record = SweepRecord(
        config=SweepConfig(project="", name="s", base=made, k=(8, 16, 32)),
        rows=[
            SweepRow(dictionary="s-k8", k=8, tokens=9, batch=3, state="done", l0=8.0, **base),
            SweepRow(dictionary="s-k16", k=16, tokens=9, batch=3, **base),
            SweepRow(
                dictionary="s-k32", k=32, tokens=9, batch=3, state="failed", error="Bad.", **base
            ),
        ],
    )
    rows = rows_of_sweep(record, items)
    assert [row.state for row in rows] == ["trained", "waiting", "failed"]
    assert [row.curves for row in rows] == [True, False, False]
    assert rows[0].l0 == 8.0
    assert rows[2].error == "Bad."


def test_histograms__are_those_that_were_measured(project: Project) -> None:
    add_run(project, "done")
    made = read_run(project.dictionary_path("done") / "run.h5")
    assert [info.id for info in available(made)] == ["density", "norm"]
    assert len(available(None)) == 3
    cosine = HISTOGRAMS[2]
    counts = np.zeros(len(COSINE_EDGES) - 1)
    assert x_range(cosine, counts) == (0.0, 1.0)
    counts[0] = 3
    low, high = x_range(cosine, counts)
    assert low < -1.0
    assert high == 1.0


def test_evaluation__shows_what_was_measured_and_warns_of_what_chance_does() -> None:
    found = evaluation()
    rows = {row.title: (row.value, row.control) for row in evaluation_rows(found)}
    assert rows["FVU"] == ("0.110", "0.700")
    assert rows["Loss of the model"] == ("3.000", "–")
    window = msgspec.structs.replace(found, dead_window=5000)
    assert "those silent on 5,000 rows. 3 massive rows" in evaluation_text(window)
    assert found.control is not None
    spread = msgspec.structs.replace(found.control, fvu=0.004)
    several = msgspec.structs.replace(found, control_spread=spread, control_seeds=3)
    assert {row.title: row.control for row in evaluation_rows(several)}["FVU"] == "0.700 ± 0.004"
    assert evaluation_text(several).endswith("mean ± standard deviation of 3 draws.")
    assert verdict(found) == ""
    assert "little" in verdict(msgspec.structs.replace(found, fvu=0.69))
    assert verdict(msgspec.structs.replace(found, control=None)) == ""


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.1, 100.0, {"0.1", "1", "10", "100"}),
        (14.0, 17.0, {"14", "15", "16", "17"}),
        (1_000.0, 1_900.0, {"1k", "1.2k"}),
    ],
)
def test_log_axis__has_marks_also_within_a_decade(
    qapp: QApplication, low: float, high: float, texts: set[str]
) -> None:
    axis = ValueAxis(orientation="bottom")
    axis.setLogMode(True)
    ((_, marks),) = axis.tickValues(math.log10(low), math.log10(high), 480.0)
    assert texts <= set(axis.tickStrings(marks, 1.0, 1.0))
    assert len(marks) * 48 <= 480 * 2


def test_inventory__passes_over_folders_that_are_none_of_the_programs(project: Project) -> None:
    add_run(project, "done")
    (project.path / "dictionaries" / f"{'long' * 30}").mkdir()
    (project.path / "dictionaries" / f"{'long' * 30}" / "run.h5").write_bytes(b"")
    found = take_inventory(project)
    assert [item.name for item in found.dictionaries] == ["done"]
    assert found.broken == []


def test_low_upright_axis__names_no_more_marks_than_there_is_room_for(qapp: QApplication) -> None:
    axis = ValueAxis(orientation="left")
    (_, tall), *_ = axis.tickValues(0, 80, 300)
    (_, low), *_ = axis.tickValues(0, 80, 30)
    assert tall == pytest.approx([0, 20, 40, 60, 80])
    assert low == pytest.approx([0, 60])
