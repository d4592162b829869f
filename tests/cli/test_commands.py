"""The command line, each command in a process of its own, on a small project made for real."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_process import PROGRAM, Done, sae_desktop
from small_project import FEATURES, LABEL, LABELLED, SITE
from warm_program import begin, engine_environment

from sae_desktop.activations.store import ActivationStore
from sae_desktop.project import Project

CPU = ("--device", "cpu", "--json")


def ok(done: Done) -> Any:
    """Check that a --json command went well and hand over its result."""
    assert done.status == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert all(
        set(line) <= {"progress", "metrics", "output", "log"} and len(line) == 1
        for line in done.lines
    )
    return done.result


# ---------------------------------------------------------------- the whole path
def test_commands__go_the_whole_path(tmp_path: Path, toy_model_folder: Path) -> None:
    project = tmp_path / "made.saeproj"
    harvested = sae_desktop(
        "harvest", project, "--model", toy_model_folder, "--site", SITE, "--corpus", "builtin",
        "--tokens", "3000", "--name", "a", "--context-size", "64", "--batch-tokens", "512", *CPU,
    )  # fmt: skip
    assert ok(harvested)["rows"] == 3000
    progress = [line["progress"] for line in harvested.lines if "progress" in line]
    assert progress[-1]["done"] == progress[-1]["total"] == 3000

    trained = sae_desktop(
        "train", project, "--activations", "a", "--name", "d", "--architecture", "standard",
        "--features", "48", "--sparsity", "2", "--tokens", "6000", "--batch", "250", "--lr", "1e-3",
        "--seed", "3", *CPU,
    )  # fmt: skip
    assert ok(trained)["rows"] == 6000
    steps = [line["metrics"]["step"] for line in trained.lines if "metrics" in line]
    assert steps[-1] == 24

    figures = ok(
        sae_desktop(
            "evaluate", project, "--dictionary", "d", "--rows", "500", "--loss-windows", "2", *CPU
        )
    )
    assert {"l0", "fvu", "explained_variance", "dead_fraction", "dead_window", "rows"} <= set(
        figures
    )
    assert figures["fvu"] == pytest.approx(1 - figures["explained_variance"])
    assert isinstance(figures["loss_recovered"], float)

    index = ok(sae_desktop("index", project, "--dictionary", "d", "--name", "i", *CPU))
    assert index["features"] == 48
    assert Project.open(project).indexes() == ["i"]


def test_import_activations__trains_and_evaluates_without_a_model(tmp_path: Path) -> None:
    matrix = tmp_path / "rows.npy"
    np.save(matrix, np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32))
    project = tmp_path / "p.saeproj"
    imported = ok(sae_desktop("import-activations", project, matrix, "--name", "a", "--json"))
    assert (imported["rows"], imported["width"]) == (2000, 16)
    ok(
        sae_desktop(
            "train", project, "--activations", "a", "--name", "d", "--features", "32", "--k", "4",
            "--tokens", "4000", "--batch", "200", *CPU,
        )
    )  # fmt: skip
    figures = ok(sae_desktop("evaluate", project, "--dictionary", "d", *CPU))
    assert figures["loss_recovered"] is None


# ---------------------------------------------------------------- reading
def test_features__are_sorted_limited_and_labelled(small_project: Path) -> None:
    def listed(*options: str) -> list[dict[str, Any]]:
        done = sae_desktop("features", small_project, "--index", "idx", "--json", *options)
        found: list[dict[str, Any]] = ok(done)["features"]
        return found

    everything = listed()
    assert len(everything) == FEATURES
    assert set(everything[0]) >= {"id", "density", "max_activation", "language", "token", "label"}
    strongest = [f["max_activation"] for f in everything]
    assert strongest == sorted(strongest, reverse=True)
    assert {f["id"]: f["label"] for f in everything}[LABELLED] == LABEL

    densest = [f["density"] for f in listed("--sort", "density", "--limit", "7")]
    assert densest == sorted((f["density"] for f in everything), reverse=True)[:7]
    rarest = [f["density"] for f in listed("--sort", "-density", "--limit", "7")]
    assert rarest == sorted(f["density"] for f in everything)[:7]
    assert listed("--sort", "label", "--limit", "1")[0]["id"] == LABELLED


def test_features__meet_every_condition_and_are_exported(
    small_project: Path, tmp_path: Path
) -> None:
    def listed(*options: str) -> list[dict[str, Any]]:
        done = sae_desktop("features", small_project, "--index", "idx", "--json", *options)
        found: list[dict[str, Any]] = ok(done)["features"]
        return found

    everything = listed()
    middle = sorted(f["density"] for f in everything)[FEATURES // 2]
    rare = listed("--where", f"density<{middle}", "--alive")
    expected = {f["id"] for f in everything if 0 < f["density"] < middle}
    assert {f["id"] for f in rare} == expected
    assert 0 < len(expected) < FEATURES
    assert [f["id"] for f in listed("--text", LABEL.split()[0], "--labelled")] == [LABELLED]
    assert LABELLED in {f["id"] for f in listed("--text", LABEL.split()[0])}
    path = tmp_path / "rare.csv"
    listed("--where", f"density<{middle}", "--alive", "--export", str(path))
    assert len(path.read_text().splitlines()) >= len(expected) + 1
    refused = sae_desktop("features", small_project, "--index", "idx", "--where", "density~1")
    assert refused.status == 2
    assert "density<0.01" in refused.stderr
    refused = sae_desktop("features", small_project, "--index", "idx", "--where", "colour<1")
    assert refused.status == 1
    assert "no column “colour”" in refused.stderr


def test_show__gives_all_there_is_about_a_feature(small_project: Path) -> None:
    listed = sae_desktop("features", small_project, "--index", "idx", "--limit", "1", "--json")
    best = ok(listed)["features"][0]
    page = ok(
        sae_desktop("show", small_project, "--index", "idx", "--feature", str(best["id"]), "--json")
    )
    assert page["max_activation"] == best["max_activation"]
    histogram = page["histogram"]
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1
    assert sum(histogram["counts"]) == round(best["density"] * 6000)
    top = page["contexts"][0]
    assert top["bucket"] == "top"
    assert len(top["tokens"]) == len(top["activations"])
    assert max(top["activations"]) == top["activations"][top["peak"]]
    assert math.isclose(max(top["activations"]), page["max_activation"], rel_tol=1e-3)
    assert {"source", "language"} <= set(top)
    assert page["top_logits"][0]["value"] >= page["top_logits"][-1]["value"]
    assert page["bottom_logits"][0]["value"] <= page["bottom_logits"][-1]["value"]
    assert page["neighbours"][0]["id"] != best["id"]
    assert -1.01 <= page["neighbours"][0]["cosine"] <= 1.01


def test_probe_and_steer__read_a_text_and_change_one(small_project: Path) -> None:
    probed = ok(
        sae_desktop("probe", small_project, "--index", "idx", "--text", "In the beginning", *CPU)
    )
    assert "".join(probed["tokens"]).endswith("In the beginning")
    assert probed["features"]
    assert len(probed["features"]) == len(probed["activations"]) == probed["offsets"][-1]

    command = (
        "steer", small_project, "--index", "idx", "--feature", str(probed["features"][0]),
        "--clamp", "8", "--prompt", "In the", "--max-new-tokens", "6", "--seed", "1", *CPU,
    )  # fmt: skip
    done = sae_desktop(*command)
    steered = ok(done)
    assert [v["name"] for v in steered["variants"]] == ["plain", "steered"]
    assert {v["prompt"] for v in steered["variants"]} == {"In the"}
    assert [line["output"]["position"] for line in done.lines if "output" in line] == list(range(6))
    assert sae_desktop(*command).result == steered
    swept = ok(sae_desktop(*command, "--sweep", "-1,0,2", "--watch", "God"))
    assert [point["strength"] for point in swept["points"]] == [-1, 0, 2]
    assert swept["plain"]["text"] == steered["variants"][0]["text"]
    beside = ok(sae_desktop(*command, "--control", "--mode", "add", "--where", "output"))
    assert [v["name"] for v in beside["variants"]] == ["plain", "steered", "Random direction"]
    sampled = (*command, "--temperature", "1", "--save-preset", "mine")
    kept = ok(sae_desktop(*sampled))
    again = ok(sae_desktop("steer", small_project, "--index", "idx", "--preset", "mine", *CPU))
    assert again == kept
    script = small_project.parent / "mine.py"
    written = sae_desktop(
        "steer", small_project, "--index", "idx", "--preset", "mine", "--export", script, *CPU
    )
    assert ok(written)["bytes"] == script.stat().st_size
    gone = sae_desktop("steer", small_project, "--index", "idx", "--preset", "gone", *CPU)
    assert (gone.status, "no preset “gone”" in gone.stderr) == (1, True)
    readable = sae_desktop(*command[:-1], "--sweep", "2")
    assert "broken: at least half of the three-token" in readable.stdout


def test_commands__are_readable_without_json(small_project: Path) -> None:
    features = sae_desktop("features", small_project, "--index", "idx", "--limit", "3")
    assert features.status == 0
    assert features.stdout.splitlines()[0].split() == [
        "feature", "density", "maximum", "mean", "label", "strongest", "context", "·", "tokens",
    ]  # fmt: skip
    assert f"and {FEATURES - 3} more" in features.stdout
    page = sae_desktop("show", small_project, "--index", "idx", "--feature", str(LABELLED))
    assert page.stdout.startswith(f"Feature {LABELLED} “{LABEL}”")
    missing = sae_desktop("show", small_project, "--index", "idx", "--feature", "999")
    assert missing.status == 1
    assert "There is no feature 999" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_compare__prints_what_it_gives_as_json(small_project: Path) -> None:
    given = ["compare", small_project, "--index", "idx", "--feature", str(LABELLED)]
    given += ["--feature", "3"]
    found = ok(sae_desktop(*given, "--json"))
    assert [side["label"] for side in found["features"]] == [LABEL, ""]
    (pair,) = found["pairs"]
    read = sae_desktop(*given).stdout
    assert f"#{LABELLED}  {LABEL}" in read
    cosine = f"{abs(pair['decoder_cosine']):.2f}"
    row = next(line for line in read.splitlines() if line.startswith(f"#{LABELLED} and #3  "))
    assert cosine in row
    assert "Random pairs" in read
    alone = sae_desktop(*given[:-2])
    assert (alone.status, "Two to 4 different features" in alone.stderr) == (1, True)


def test_models__lists_what_can_be_named(tmp_path: Path) -> None:
    models = ok(sae_desktop("models", "list", "--json"))["models"]
    names = [model["name"] for model in models[:3]]
    assert names == ["builtin", "builtin-pictures", "smollm2"]
    assert models[2]["cached"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        ["features", "--index", "idx", "--json"],
        ["show", "--index", "idx", "--feature", "1"],
        ["compare", "--index", "idx", "--feature", "1", "--feature", "2"],
        ["models", "list"],
    ],
    ids=lambda value: value[0],
)
def test_reading_commands__do_not_import_torch(small_project: Path, arguments: list[str]) -> None:
    given = [*arguments[:1], *([str(small_project)] if "--index" in arguments else [])]
    code = (
        "import sys; from sae_desktop.__main__ import main; status = main(sys.argv[1:]);"
        "heavy = {'torch', 'transformers', 'scipy', 'PySide6'} & set(sys.modules);"
        "sys.exit(9 if heavy else status)"
    )
    done = sae_desktop(*given, *arguments[1:], program=("-c", code))
    assert done.status == 0, done.stderr


# ---------------------------------------------------------------- statuses
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "p", "--activations", "a", "--name", "b", "--architecture", "foo"],
        ["train", "p", "--activations", "a", "--name", "b", "--tokens", "-3"],
        ["train", "p", "--activations", "a", "--name", "b", "--tokens", "many"],
        ["train", "p", "--activations", "a", "--name", "b", "--sparsity", "-1"],
        ["train", "p", "--activations", "a", "--name", "b", "--k", "9", "--features", "8"],
        ["train", "p", "--activations", "a", "--name", "b", "--lr", "nan"],
        ["train", "p", "--name", "b"],
        ["train", "p", "--name", "b", "--activations", "a", "--stream"],
        ["train", "p", "--name", "b", "--activations", "a", "--target", "nothing"],
        ["harvest", "p", "--name", "a", "--bos", "perhaps"],
        ["features", "p", "--index", "i", "--sort", "beauty"],
        ["steer", "p", "--index", "i", "--prompt", "x", "--feature", "1", "--feature", "2",
         "--clamp", "1"],
        ["steer", "p", "--index", "i", "--prompt", "x", "--feature", "later:x"],
        ["harvest", "p", "--name", "a", "--no-such-option"],
        ["harvset", "p", "--name", "a"],
        ["trian"],
    ],
    ids=lambda value: " ".join(value[-4:]),
)  # fmt: skip
def test_bad_usage__exits_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = sae_desktop(*arguments)
    assert done.status == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt__exits_with_130_and_keeps_what_is_committed(
    tmp_path: Path, toy_model_folder: Path, number: signal.Signals
) -> None:
    project = tmp_path / "p.saeproj"
    command = [
        "harvest", project, "--model", toy_model_folder, "--site", SITE, "--name", "a",
        "--context-size", "64", "--batch-tokens", "64", *CPU,
    ]  # fmt: skip
    given = [*PROGRAM, *map(str, command), "--tokens", "100000"]
    running = begin(given, engine_environment())
    assert running.stderr is not None
    while (json.loads(running.stderr.readline()).get("progress") or {"done": 0})["done"] < 200:
        pass
    running.send_signal(number)
    stdout, stderr = running.communicate()
    assert running.returncode == 130
    assert stdout == b""
    assert json.loads(stderr.splitlines()[-1])["error"]["what"] == "Interrupted."

    kept = ActivationStore.open(project / "activations" / "a").rows
    assert 200 <= kept < 100_000
    with Project.open(project).lock():
        pass


# ---------------------------------------------------------------- the window
def without_display(*arguments: str, **environment: str) -> Done:
    """Run the program as on a machine without a screen, unless told otherwise."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    code = (
        f"import os, sys; [os.environ.pop(name, None) for name in {names!r}];"
        f"os.environ.update({environment!r});"
        "from sae_desktop.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    return sae_desktop(*arguments, program=("-c", code))


@pytest.mark.skipif(sys.platform != "linux", reason="displays of Linux")
def test_window__says_that_there_is_no_display() -> None:
    done = without_display()
    assert done.status == 1
    assert "no display" in done.stderr
    assert "demo --headless" in done.stderr
    assert "Traceback" not in done.stderr
