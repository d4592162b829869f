"""Dictionaries of several sites matched, against a product of their directions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from sae_desktop.comparison.config import MatchConfig
from sae_desktop.comparison.match import match
from sae_desktop.comparison.match_file import Match
from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

D, LAYERS = 5, 3
INS = [f"blocks.{layer}.mlp.hook_in" for layer in range(LAYERS)]
OUTS = [f"blocks.{layer}.hook_mlp_out" for layer in range(LAYERS)]


def random(features: int, read: list[str], written: list[str], seed: int) -> Dictionary:
    generator = torch.Generator().manual_seed(seed)
    width = len(written) * D
    # Sites of very different sizes, as layers of a stream are.
    W_dec = torch.randn(features, width, generator=generator)
    for number in range(len(written)):
        W_dec[:, number * D : (number + 1) * D] *= 10.0**number
    told = {
        "model_name": "m", "hook_name": read[0], "hook_name_out": written[0],
        "input_sites": read, "output_sites": written,
    }  # fmt: skip
    return Dictionary(
        torch.randn(len(read) * D, features, generator=generator), torch.zeros(features),
        torch.nn.functional.normalize(W_dec), torch.zeros(width),
        parts=(D,) * len(written) if len(written) > 1 else (), metadata=told,
    )  # fmt: skip


def cross_layer(each: int, seed: int) -> CrossLayerDictionary:
    blocks = [
        random(each, INS[layer : layer + 1], OUTS[layer:], seed + layer) for layer in range(LAYERS)
    ]
    told = {"model_name": "m", "hook_name": INS[0], "input_sites": INS, "output_sites": OUTS}
    return CrossLayerDictionary(blocks, torch.zeros(LAYERS * D), told)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = Project.open_or_create(tmp_path_factory.mktemp("match") / "p")
    made = {
        "clt": cross_layer(4, 0),
        "larger": cross_layer(6, 10),
        "cross": random(20, OUTS, OUTS, 20),
        "transcoder": random(9, INS[1:2], OUTS[1:2], 30),
        "elsewhere": random(9, ["x"], ["blocks.9.hook_mlp_out"], 40),
    }
    for name, dictionary in made.items():
        save(dictionary, found.dictionary_path(name))
    return found


def dense(project: Project, one: str, other: str, sites: list[int]) -> np.ndarray:
    """The cosines over these layers' outputs, each scaled to a mean square of 1."""
    sides = []
    for name in (one, other):
        W_dec = load(project.dictionary_path(name)).W_dec.double()
        parts = [W_dec[:, site * D : (site + 1) * D] for site in sites]
        sides.append([W_dec] if W_dec.shape[1] == D else parts)
    for number in range(len(sites)):
        rows = torch.cat([side[number] for side in sides])
        written = rows[rows.norm(dim=1) > 0]
        for side in sides:
            side[number] = side[number] / written.square().sum(dim=1).mean().sqrt()
    a, b = (torch.nn.functional.normalize(torch.cat(side, dim=1)) for side in sides)
    return (a @ b.T).numpy()


@pytest.mark.parametrize(
    ("one", "other", "sites"),
    [
        *((*pair, [0, 1, 2]) for pair in combinations(["clt", "larger", "cross"], 2)),
        ("transcoder", "clt", [1]),
        ("transcoder", "cross", [1]),
    ],
)
def test_match__is_over_all_outputs_that_both_have(
    project: Project, one: str, other: str, sites: list[int]
) -> None:
    config = MatchConfig(project=str(project.path), dictionaries=(one, other), nearest=3)
    pair = match(config, SilentContext()).pairs[0]
    found = Match(project.match_path(pair.smaller, pair.larger))
    assert pair.over == found.info.over == tuple(OUTS[site] for site in sites)
    table = dense(project, pair.smaller, pair.larger, sites)
    for name, cosines in ((pair.smaller, table), (pair.larger, table.T)):
        for feature, row in enumerate(cosines):
            near = found.nearest(name, feature)
            assert [c for _, c in near] == pytest.approx(np.sort(row)[::-1][:3], abs=1e-5)
    assert match(config, SilentContext()).pairs[0].kept


def test_match__of_what_writes_no_site_in_common_is_refused(project: Project) -> None:
    config = MatchConfig(project=str(project.path), dictionaries=("clt", "elsewhere"))
    with pytest.raises(UserError, match="no site is written by both"):
        match(config, SilentContext())
