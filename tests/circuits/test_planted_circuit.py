"""The recipe of the planted circuit: what it teaches and swaps, and (nightly) what it finds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from made_sets import save_random_set

from sae_desktop.circuits.testing.changes import activations_in
from sae_desktop.project import Project

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

import planted_circuit as recipe


def test_world__keeps_both_steps_of_held_out_people_from_the_model() -> None:
    world = recipe.make_world(people=60, cities=6)
    taught = dict(recipe.prompts_of(world))
    assert len(world.held_out) == 12
    for person in range(60):
        assert taught[f"person{person} lives"] == f"city{world.city[person]}"
        assert (recipe.two_steps(person) in taught) == (person not in world.held_out)
        assert taught[f"person{person} lives likes"] == f"colour{world.colour[person]}"
    assert sorted(world.country) == [0, 0, 1, 1, 2, 2]
    assert {world.city.count(city) for city in range(6)} == {10}


def test_trial__swaps_the_donors_activations_and_draws_others_of_like_size(tmp_path: Path) -> None:
    world = recipe.make_world(people=24, cities=4)
    recipe.save_model(tmp_path / "model", world, steps=2, width=32)
    project = Project.open_or_create(tmp_path / "p")
    save_random_set(project, recipe.SET, str(tmp_path / "model"), features=24)
    one, other = world.held_out[:2]
    mine, donor = (recipe.trace_of(project, world, person) for person in (one, other))
    assert mine.graph.info.token_text[1:] == (f" person{one}", " lives", " lies")
    assert len(mine.logits) == 2
    tops = recipe.top_places(mine)
    assert list(tops.values()) == sorted(tops.values(), reverse=True)
    places = list(tops)
    changes = recipe._swapped(donor.model, places)
    theirs = activations_in(donor.model, donor.model.seen, places)[0].tolist()
    assert [change.value for change in changes] == theirs
    assert [change.place for change in changes] == places
    drawn = recipe._random_places(mine, places, np.random.default_rng(0))
    assert len(drawn) == len(set(drawn)) == len(places)
    assert not set(drawn) & set(places)
    cities = dict.fromkeys(places, world.city[one])
    trial = recipe.try_person(project, world, cities, one, other, other, np.random.default_rng(0))
    assert (trial.person, trial.donor, trial.top) == (one, other, pytest.approx(1.0))


@pytest.mark.xfail(reason="no feature of the city is among the top nodes", strict=True)
@pytest.mark.nightly
def test_planted_circuit__is_found_and_redirects_as_predicted(tmp_path: Path) -> None:
    figures = recipe.run(tmp_path)
    assert figures["held_out_right"] > 0.9
    assert figures["redirected_as_predicted"] >= 0.9
    assert figures["random"] < 0.1
