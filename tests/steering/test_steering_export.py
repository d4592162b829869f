"""Steering used elsewhere: presets, vectors, and a script that runs by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from foreign_cases import CASES, in_project, saelens, toy_model
from job_contexts import RecordingContext
from safetensors.torch import load_file

from sae_desktop.engine.run import run_job
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.language_model.text import chat_template
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    RandomDirection,
    Sampling,
    SteerConfig,
    Variant,
    clamped,
)
from sae_desktop.steering.export import export_steering
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.history import runs
from sae_desktop.steering.job import steer
from sae_desktop.steering.presets import (
    check_preset,
    decode_preset,
    preset_of,
    read_preset,
    save_preset,
)

PROMPT = "In the beginning God created"


def export(project: Project, path: Path, variant: Variant, **rest: Any) -> None:
    config = ExportSteeringConfig(
        project=str(project.path), index="i", path=str(path), variant=variant, prompt=PROMPT, **rest
    )
    result = export_steering(config, RecordingContext())
    assert result.bytes == path.stat().st_size


# ---------------------------------------------------------------- presets
def test_preset__comes_back_as_it_was(project: Project, feature: int) -> None:
    info = read_info(project.index_path("i"))
    variants = [PLAIN, clamped({feature: 3.0})]
    preset = preset_of("mine", info, PROMPT, variants, Sampling(temperature=1.0), chat=False)
    save_preset(project, preset)
    with pytest.raises(UserError, match="already"):
        save_preset(project, preset)
    save_preset(project, preset, replace=True)
    assert project.presets() == ["mine"]
    assert read_preset(project, "mine") == preset
    check_preset(preset, info)
    for changes, said in (
        ({"model": "other"}, "for the model “other”"),
        ({"site": "blocks.0.hook_resid_pre"}, "for the site"),
        ({"dictionary": "other"}, "for the dictionary “other”"),
        ({"dictionary_hash": "of before"}, "trained again"),
    ):
        with pytest.raises(UserError, match=said):
            check_preset(msgspec.structs.replace(preset, **changes), info)
    with pytest.raises(UserError, match="is not a valid name"):
        save_preset(project, msgspec.structs.replace(preset, name="a/b"))
    with pytest.raises(UserError, match="has no preset “gone”"):
        read_preset(project, "gone")


@pytest.mark.parametrize(
    ("data", "said"), [(b"{", "is not a preset"), (b'{"name": 3}', "is not a preset")]
)
def test_preset__that_is_none_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        decode_preset(data, "x")


def test_preset__of_a_newer_program_is_refused(project: Project) -> None:
    info = read_info(project.index_path("i"))
    preset = preset_of("x", info, PROMPT, [PLAIN], Sampling(), chat=False)
    newer = msgspec.structs.replace(preset, schema_version=99)
    with pytest.raises(UserError, match="newer SAE Desktop"):
        decode_preset(msgspec.json.encode(newer), "x")


def test_preset_from_before_the_repetition_penalty__gives_the_tokens_it_gave(
    project: Project,
) -> None:
    info = read_info(project.index_path("i"))
    preset = preset_of("x", info, PROMPT, [PLAIN], Sampling(temperature=0.5), chat=False)
    kept = json.loads(msgspec.json.encode(preset))
    kept["schema_version"] = 1
    del kept["sampling"]["repetition_penalty"]
    off = Sampling(temperature=0.5, repetition_penalty=1.0)
    assert decode_preset(json.dumps(kept).encode(), "x").sampling == off
    line = {"at": "2026-01-01T00:00:00Z", "asked": kept, "texts": ["a"]}
    project.steering_path.write_text(json.dumps(line))
    (run,) = runs(project, 1)
    assert run.asked.sampling == off
    assert decode_preset(msgspec.json.encode(preset), "x").sampling == preset.sampling


# ---------------------------------------------------------------- vectors
def test_vector__is_the_sum_of_what_is_added(
    project: Project, opened: OpenedIndex, feature: int, tmp_path: Path
) -> None:
    other = (feature + 1) % opened.dictionary.features
    top = opened.index.columns["max_activation"]
    acts = [
        Intervention(feature=feature, mode="add", strength=2.0),
        Intervention(feature=feature if top[other] <= 0 else other, mode="add", strength=-1.0),
    ]
    path = tmp_path / "v.safetensors"
    export(project, path, Variant(name="x", interventions=acts))
    vector = load_file(path)["steering_vector"]
    W_dec = opened.dictionary.W_dec
    expected = sum(a.strength * float(top[a.feature or 0]) * W_dec[a.feature or 0] for a in acts)
    torch.testing.assert_close(vector, expected)
    body_path = tmp_path / "v.json"
    export(project, body_path, Variant(name="x", interventions=acts))
    body = json.loads(body_path.read_text())
    # The stream after layer 1 is the stream before layer 2.
    assert (body["layerNumber"], body["hookType"]) == (2, "hook_resid_pre")
    assert body["modelId"] == Path(opened.index.info.model).name
    torch.testing.assert_close(
        torch.tensor(body["vector"]) * body["vectorDefaultSteerStrength"], vector
    )


@pytest.mark.parametrize(
    ("acts", "name", "said"),
    [
        (
            [Intervention(feature=0, mode="multiply")],
            "v.safetensors",
            "cannot express multiplication",
        ),
        ([Intervention(feature=0, where="output")], "v.json", "cannot express multiplication"),
        ([], "v.py", "Nothing is being steered"),
        ([Intervention(feature=0)], "v.txt", "does not end with"),
    ],
)
def test_export__of_what_a_form_cannot_say_is_refused(
    project: Project, tmp_path: Path, feature: int, acts: list[Intervention], name: str, said: str
) -> None:
    acts = [msgspec.structs.replace(a, feature=feature) for a in acts]
    with pytest.raises(UserError, match=said):
        export(project, tmp_path / name, Variant(name="x", interventions=acts))
    assert not (tmp_path / name).exists()


# ---------------------------------------------------------------- the script
def test_script__leaves_a_template_without_end_at_a_cancel(
    project: Project,
    opened: OpenedIndex,
    feature: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_template, "SECONDS", 120.0)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    monkeypatch.setattr(opened.lm.tokenizer, "chat_template", endless)
    variant = clamped({feature: 5.0})
    config = ExportSteeringConfig(
        project=str(project.path), index="i", path=str(tmp_path / "a.py"), variant=variant,
        prompt=PROMPT, chat=True,
    )  # fmt: skip

    def look(_: int) -> None:
        if chat_template._child is not None:
            raise JobCancelledError

    with pytest.raises(JobCancelledError):
        run_job(config, RecordingContext(on_check=look))
    assert chat_template._child is None
    assert not (tmp_path / "a.py").exists()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_script__writes_the_same_text_by_itself(
    project: Project,
    feature: int,
    tmp_path: Path,
    toy_model_folder: Path,
    temperature: float,
) -> None:
    variant = Variant(
        name="steered",
        interventions=[
            Intervention(feature=feature, strength=4.0),
            Intervention(feature=feature, direction=RandomDirection(seed=3), mode="add",
                         strength=0.3, unit="norm", where="output"),
            Intervention(direction=RandomDirection(seed=5), mode="ablate", where="prompt", start=1),
        ],
    )  # fmt: skip
    sampling = Sampling(max_new_tokens=10, temperature=temperature, seed=4)
    path = tmp_path / "steered.py"
    export(project, path, variant, sampling=sampling)
    text = path.read_text()
    assert "sae_desktop" not in text
    assert str(toy_model_folder.parent) not in text
    done = subprocess.run(
        [sys.executable, "-I", str(path), str(toy_model_folder)], capture_output=True,
        check=True,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    result = steer(
        SteerConfig(
            project=str(project.path), index="i", prompt=PROMPT, variants=[variant],
            sampling=sampling,
        ),
        RecordingContext(),
    )  # fmt: skip
    # As bytes: a carriage return among the tokens is not a line's end.
    written = done.stdout.decode().replace(os.linesep, "\n")
    assert written.strip().endswith((PROMPT + result.variants[0].text).strip())


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_script__changes_the_stream_between_attention_and_mlp(tmp_path: Path, kind: str) -> None:
    # No module holds it: what enters the layer and what attention adds are the stream.
    site = "blocks.1.hook_resid_mid"
    case = replace(
        CASES["saelens on a normed input"],
        write=lambda folder: saelens(folder / "sae", hook_name=site),
        site=site,
    )
    model = toy_model(tmp_path, kind)
    project = in_project(tmp_path, case, model)
    opened = open_index(str(project.path), "i", "cpu")
    feature = int(opened.index.columns["max_activation"].argmax())
    variant = Variant(name="steered", interventions=[Intervention(feature=feature, strength=6.0)])
    sampling = Sampling(max_new_tokens=10)
    path = tmp_path / "steered.py"
    export(project, path, variant, sampling=sampling, device="cpu")
    done = subprocess.run(
        [sys.executable, "-I", str(path), str(model)], capture_output=True, check=True,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    result = steer(
        SteerConfig(
            project=str(project.path), index="i", prompt=PROMPT, variants=[PLAIN, variant],
            sampling=sampling, device="cpu",
        ),
        RecordingContext(),
    )  # fmt: skip
    plain, steered = (found.text for found in result.variants)
    assert steered != plain
    written = done.stdout.decode().replace(os.linesep, "\n")
    assert written.strip().endswith((PROMPT + steered).strip())
