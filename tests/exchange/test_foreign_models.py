"""Other people's dictionaries in models: what they read is computed here by hand, with torch alone.

Each is imported, its site harvested and indexed, a text probed and steered; all is held to plain
forward passes of the model with hooks of the test's own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_cases import CASES, Case, W, in_project, input_of, largest, toy_model
from job_contexts import RecordingContext
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from sae_desktop.errors import UserError
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.config import ProbeConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.steering.config import Intervention, Sampling, SteerConfig, Variant
from sae_desktop.steering.export import export_steering
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.job import steer

SENTENCE = "In the beginning God created the heaven and the earth."
PROMPT = "In the beginning"
NEW_TOKENS = 8
STRENGTH = 4.0


def by_hand(case: Case, model: Any, ids: list[int]) -> Tensor:
    """The features (T, F) of tokens after the first, which is the BOS."""
    rows = input_of(case.module)(model, torch.tensor([ids]))[0, 1:]
    return case.encode(case.read(rows.float()))


@pytest.mark.parametrize("name", CASES)
def test_foreign_dictionary__fires_as_computed_by_hand(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = toy_model(tmp_path, case.model)
    project = in_project(tmp_path, case, path)
    model = AutoModelForCausalLM.from_pretrained(path).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    index = FeatureIndex(project.index_path("i"))
    assert index.info.bos_prepended
    rows = [
        by_hand(case, model, [tokenizer.bos_token_id, *index.tokens[first : first + n].tolist()])
        for first, n in zip(index.passages["first_row"], index.passages["length"], strict=True)
    ]
    acts = torch.cat(rows)
    assert 0.01 < float((acts > 0).float().mean()) < 0.7
    highest = torch.from_numpy(np.array(index.columns["max_activation"]))
    torch.testing.assert_close(highest, acts.amax(0), rtol=1e-5, atol=1e-5)
    fired = torch.from_numpy(np.array(index.columns["density"], dtype=np.float32)) * len(acts)
    assert (fired - (acts > 0).sum(0)).abs().max() <= 1  # one row may lie on a threshold
    result = probe(
        ProbeConfig(project=str(project.path), index="i", text=SENTENCE, per_token=0),
        RecordingContext(),
    )
    ids = tokenizer(SENTENCE, add_special_tokens=False).input_ids
    own = by_hand(case, model, [tokenizer.bos_token_id, *ids])
    probed = torch.zeros_like(own)
    for position, feature, activation in result.entries():
        probed[position, feature] = activation
    torch.testing.assert_close(probed, own, rtol=1e-5, atol=1e-5)


def steered_by_hand(
    case: Case, model: Any, ids: list[int], feature: int, value: float
) -> list[int]:
    """The likeliest tokens after a prompt with a feature clamped at all tokens but the BOS."""
    module = model.get_submodule(case.module)

    def push(x: Tensor) -> Tensor:
        acts = case.encode(case.read(x.float()))[..., feature]
        change = (value - acts)[..., None] * W["W_dec"][feature]
        change[:, 0] = 0
        return change

    if case.written:  # a transcoder adds to another module's output, in the same pass
        found: list[Tensor] = []

        def read(module: Any, args: Any, kwargs: Any) -> None:
            found[:] = [push(args[0] if args else kwargs["hidden_states"])]

        def write(module: Any, args: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return (output[0] + found[0], *output[1:])
            return output + found[0]

        handles = [
            module.register_forward_pre_hook(read, with_kwargs=True),
            model.get_submodule(case.written).register_forward_hook(write),
        ]
    elif case.model == "gemma2":  # the norm's output, which the MLP reads, moves by the gain times

        def after(module: Any, args: Any, output: Tensor) -> Tensor:
            return output + push(args[0]) * (1 + module.weight)

        handles = [module.register_forward_hook(after)]
    else:

        def before(module: Any, args: Any, kwargs: Any) -> Any:
            x = args[0] if args else kwargs["hidden_states"]
            moved = x + push(x)
            if args:
                return (moved, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": moved}

        handles = [module.register_forward_pre_hook(before, with_kwargs=True)]
    written = list(ids)
    with torch.no_grad():
        for _ in range(NEW_TOKENS):
            logits = model(torch.tensor([written]), use_cache=False).logits[0, -1]
            written.append(int(logits.argmax()))
    for handle in handles:
        handle.remove()
    return written


@pytest.mark.parametrize("name", CASES)
def test_foreign_dictionary__steers_as_computed_by_hand(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = toy_model(tmp_path, case.model)
    project = in_project(tmp_path, case, path)
    model = AutoModelForCausalLM.from_pretrained(path).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    index = FeatureIndex(project.index_path("i"))
    feature = int(index.columns["max_activation"].argmax())
    value = STRENGTH * float(index.columns["max_activation"][feature])
    sampling = Sampling(max_new_tokens=NEW_TOKENS, temperature=0.0, repetition_penalty=1.0)
    variants = [
        Variant(name="plain"),
        Variant(name="steered", interventions=[Intervention(feature=feature, strength=STRENGTH)]),
    ]
    result = steer(
        SteerConfig(
            project=str(project.path), index="i", prompt=PROMPT, variants=variants, device="cpu",
            sampling=sampling,
        ),
        RecordingContext(),
    )  # fmt: skip
    prompt = [tokenizer.bos_token_id, *tokenizer(PROMPT, add_special_tokens=False).input_ids]
    own = steered_by_hand(case, model, prompt, feature, value)
    assert PROMPT + result.variants[1].text == tokenizer.decode(own[1:])
    assert result.variants[0].text != result.variants[1].text
    script = tmp_path / "steered.py"
    asked = ExportSteeringConfig(
        project=str(project.path), index="i", path=str(script), variant=variants[1],
        prompt=PROMPT, sampling=sampling, device="cpu",
    )  # fmt: skip
    if case.encode is largest:
        with pytest.raises(UserError, match="features compete"):
            export_steering(asked, RecordingContext())
        return
    export_steering(asked, RecordingContext())
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(path)], capture_output=True, text=True,
        check=False,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith((PROMPT + result.variants[1].text).strip())
