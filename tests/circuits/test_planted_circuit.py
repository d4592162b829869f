"""The recipe of the planted circuit: what it teaches and swaps, and what it finds.

In a circuit written by hand it finds all that is there; nightly in models that learn it.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sae_desktop.circuits.testing.changes import activations_in
from sae_desktop.project import Project

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

import planted_circuit as recipe
import planted_world as planted
from hand_planted import save_planted, save_planted_set
from planted_middle import middle_places
from transformers import LlamaForCausalLM


def test_world__keeps_both_steps_of_held_out_people_from_the_model() -> None:
    world = planted.make_world(people=60, cities=6)
    taught = dict(planted.prompts_of(world))
    assert len(world.held_out) == 12
    for person in range(60):
        city = world.city[person]
        assert taught[f"person{person} lives"] == f"city{city}"
        for asks, kind in planted.ASKED.items():
            both = planted.two_steps(person, asks)
            assert (both in taught) == (person not in world.held_out)
            assert taught.get(both, f"{kind}{world.things[asks][city]}") == world.answer(
                person, asks
            )
        assert taught[f"person{person} lives likes"] == f"colour{world.colour[person]}"
    for numbers in world.things.values():
        assert sorted(numbers) == [0, 0, 1, 1, 2, 2]
    assert {world.city.count(city) for city in range(6)} == {10}


@pytest.fixture(scope="module")
def world() -> planted.World:
    return planted.make_world(people=20, cities=4, seed=1)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory, world: planted.World) -> Project:
    folder = tmp_path_factory.mktemp("planted")
    save_planted(folder / "model", world)
    project = Project.open_or_create(folder / "p")
    save_planted_set(project, recipe.SET, folder / "model", world)
    (project.path / "graphs").mkdir()
    return project


def test_circuit_by_hand__is_found_blind_and_redirects_as_predicted(
    by_hand: Project, world: planted.World
) -> None:
    model = LlamaForCausalLM.from_pretrained(by_hand.path.parent / "model")
    assert planted.share_right(model, world, world.held_out, ("lies",)) == 1.0
    firings = recipe.firings_of(by_hand, world)
    cities = recipe.city_features(firings, world)
    assert cities == {(0, 1, city): city for city in range(4)}
    assert recipe.held_out_scores(firings, cities, world) == (1.0, 1.0)
    lies, city = world.things["lies"], world.city
    person = world.held_out[0]
    donor = next(p for p in world.held_out if lies[city[p]] != lies[city[person]])
    near = next(
        p for p in range(20) if lies[city[p]] == lies[city[person]] and city[p] != city[person]
    )
    rng = np.random.default_rng(0)
    graph_of = partial(recipe.trace_of, by_hand, world)
    trial = recipe.try_person(graph_of, world, cities, (person, donor, near), rng)
    assert (trial.swapped, trial.of_the_city) == (2, 1.0)
    assert (trial.predicted, trial.replaced, trial.redirected) == (True, True, True)
    assert trial.of_cities_alone
    assert (trial.random, trial.control, trial.same_country) == (False, False, False)


def test_swap__puts_in_the_donors_activations_and_draws_others_of_like_size(
    by_hand: Project, world: planted.World
) -> None:
    one = world.held_out[0]
    other = next(p for p in range(20) if world.city[p] != world.city[one])
    mine, donor = (recipe.trace_of(by_hand, world, person) for person in (one, other))
    assert mine.graph.info.token_text[1:] == (f" person{one}", " lives", " lies")
    assert len(mine.logits) == 2
    tops = middle_places(mine, 1.0)
    assert list(tops.values()) == sorted(tops.values(), reverse=True)
    assert {position for _, position, _ in tops} == {1}
    assert list(middle_places(mine)) == [(0, 1, world.city[one])]
    places = [*tops, (0, 1, world.city[other])]
    changes = recipe.swapped(donor.model, places)
    theirs = activations_in(donor.model, donor.model.seen, places)[0].tolist()
    assert [change.value for change in changes] == theirs
    assert theirs[0] == 0 < theirs[-1]
    drawn = recipe.random_places(mine, [(0, 1, world.city[one])], np.random.default_rng(0))
    assert len(drawn) == 1
    assert (0, 1, world.city[one]) not in drawn


@pytest.mark.nightly
def test_planted_circuit__is_found_and_redirects_as_predicted(tmp_path: Path) -> None:
    found = [recipe.run(tmp_path / str(seed), seed=seed) for seed in range(3)]
    for figures in found:
        assert figures["held_out_right"] > 0.9
        assert figures["random"] < 0.1
        # Some of the swapped features are of the person, not of the city, and tell the colour, too.
        assert figures["control"] < 0.4
        assert figures["same_country"] < 0.25
    # A seed has 19 held-out prompts, too few for a share of its own.
    redirected = [figures["redirected_as_predicted"] for figures in found]
    assert sum(redirected) / len(redirected) >= 0.9
    assert min(redirected) >= 0.8
