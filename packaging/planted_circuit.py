"""Plant a circuit and find it: a small model learns a look-up in two steps, its graphs show both.

    python packaging/planted_circuit.py --work FOLDER [--steps 600] [--rows 100000]
                                        [--prompts 40] [--seed 0]

The world and the model are `planted_world.py`. A set of transcoders is trained on what the model
was taught. Then “person lives lies” of people held out is traced. Blind, by the graph alone, the
features are taken by which the last token is told its answer (`planted_middle.py`): the middle
step as far as a graph can tell. They are given what they are for a person of another country: is
the answer then that person’s country, and did the graphs predict it? Beside it: as many random
features of equal activation given the other person’s values, the same swap where the colour is
asked for, and a swap for somebody of the other city of the same country. Which of the swapped
features fire for people of one city (of one of the two of a country) is looked at afterwards;
these are swapped alone, too.
Writes `planted.json` into the folder and prints the figures.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path

import msgspec
import numpy as np
from planted_middle import middle_places
from planted_world import (
    ASKED,
    LAYERS,
    LIKES,
    LIVES,
    World,
    make_world,
    prompts_of,
    save_model,
    two_steps,
)

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.circuits.config import TraceConfig
from sae_desktop.circuits.opened_graph import OpenedGraph, Place, open_graph
from sae_desktop.circuits.reading.graph_file import Array
from sae_desktop.circuits.replacement import Active, Pass, ReplacementModel
from sae_desktop.circuits.testing.changes import (
    FeatureChange,
    Held,
    activations_in,
    run_changed,
)
from sae_desktop.circuits.testing.intervene import prediction
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.circuits.tracing.opened import open_set
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.training.sets.set_job import train_set

SET = "planted"
_OF_CITY = 0.75
"""Of a feature’s firing at a position, on training people, what must fall on one city."""
_FREE = Held("free", "free")


def train_members(project: Project, model: Path, world: World, *, rows: int, features: int) -> None:
    """Harvest the model on what it was taught, and train a transcoder for each layer."""
    text = project.path.parent / "text"
    text.mkdir(exist_ok=True)
    lines = [prompt for prompt, _ in prompts_of(world)]
    random.Random(0).shuffle(lines)
    whole = "\n".join(json.dumps({"text": line}) for line in lines * 8)
    (text / "taught.jsonl").write_text(whole)
    layers = LAYERS
    sites = [f"blocks.{layer}.{hook}" for layer in range(layers)
             for hook in ("mlp.hook_in", "hook_mlp_out")]  # fmt: skip
    context = SilentContext()
    harvest(
        HarvestConfig(
            project=str(project.path), name="taught", model=str(model), corpus=str(text),
            site=sites[0], sites=tuple(sites[1:]), tokens=24_000, context_size=8,
            deduplicate=False, batch_tokens=2048, device="cpu",
        ),
        context,
    )  # fmt: skip
    train = TrainConfig(
        project="", name="", activations="taught", architecture="batchtopk", features=features,
        k=6, tokens=rows, lr=3e-3, batch=512, device="cpu",
    )  # fmt: skip
    train_set(TrainSetConfig(project=str(project.path), name=SET, train=train, skip=False), context)


# ---------------------------------------------------------------- which features are the city's
Firings = dict[Place, dict[int, float]]
"""Place → person → activation, before the last token of both steps."""


def firings_of(project: Project, world: World) -> Firings:
    opened = open_set(project, SET, "cpu")
    found: Firings = defaultdict(dict)
    for person in range(len(world.city)):
        ids = [0, *opened.lm.encode(two_steps(person))]
        model = ReplacementModel(opened.lm, opened.members, ids, 1)
        for layer, active in model.active.items():
            for position, feature, activation in _rows(active):
                if position < len(ids) - 1:
                    found[layer, position, feature][person] = activation
    return found


def _rows(active: Active) -> Iterator[tuple[int, int, float]]:
    return zip(
        active.positions.tolist(), active.features.tolist(), active.activations.tolist(),
        strict=True,
    )  # fmt: skip


def city_features(firings: Firings, world: World) -> dict[Place, int]:
    """Return place → city of the features that fire for one city's people.

    Told by the people of whom the model was taught both steps, and only where at least two of a
    city's people make the feature fire.
    """
    trained, found = set(world.trained), {}
    for place, by_person in firings.items():
        mass: Counter[int] = Counter()
        for person in trained & by_person.keys():
            mass[world.city[person]] += by_person[person]  # type: ignore[assignment]
        if not mass:
            continue
        city, most = mass.most_common(1)[0]
        own = [person for person in trained & by_person.keys() if world.city[person] == city]
        if most >= _OF_CITY * sum(mass.values()) and len(own) >= 2:
            found[place] = city
    return found


def held_out_scores(
    firings: Firings, cities: dict[Place, int], world: World
) -> tuple[float, float]:
    """Return precision and recall of each city's best feature, on people held out, on average."""
    best: dict[int, tuple[float, float, float]] = {}
    for place, city in cities.items():
        fires = set(world.held_out) & firings[place].keys()
        own = {person for person in world.held_out if world.city[person] == city}
        right = len(fires & own)
        precision, recall = right / max(len(fires), 1), right / max(len(own), 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        best[city] = max(best.get(city, (0.0, 0.0, 0.0)), (f1, precision, recall))
    theirs = {world.city[person] for person in world.held_out}
    rows = [best.get(city, (0.0, 0.0, 0.0)) for city in sorted(theirs)]
    return float(np.mean([row[1] for row in rows])), float(np.mean([row[2] for row in rows]))


# ---------------------------------------------------------------- the trials
@dataclass
class Trial:
    """One held-out person, swapped for a donor from another country."""

    person: int
    donor: int
    swapped: int
    """Features."""
    of_the_city: float
    """Of what the person's own swapped features tell, the share of those of their city."""
    predicted: bool
    """Whether the two graphs predict that the answer becomes the donor's country."""
    replaced: bool
    """Whether it does in the replacement model."""
    redirected: bool
    """Whether it does in the model, with nothing held."""
    of_cities_alone: bool
    """Whether it does if only features that fire for people of one city are swapped."""
    random: bool
    """Whether random features, swapped in the same way, redirect it."""
    control: bool
    """Whether the swap changes the person's colour."""
    same_country: bool
    """Whether a swap for somebody of the country's other city changes the country."""


def trace_of(project: Project, world: World, person: int) -> OpenedGraph:
    name = f"person{person}"
    kind, numbers = ASKED["lies"], world.things["lies"]
    targets = tuple(f"{kind}{number}" for number in range(max(numbers) + 1))
    trace(
        TraceConfig(
            project=str(project.path), name=name, set=SET, prompt=two_steps(person),
            target="tokens", tokens=targets, device="cpu",
        ),
        SilentContext(),
    )  # fmt: skip
    return open_graph(str(project.path), name, "cpu")


def try_person(
    graph_of: Callable[[int], OpenedGraph], world: World, cities: dict[Place, int],
    people: tuple[int, int, int], rng: np.random.Generator,
) -> Trial:  # fmt: skip
    """Swap the middle step in a person's graph for the donor's, and for the neighbour's."""
    person, donor, _ = people
    mine, other, near = map(graph_of, people)
    tops = middle_places(mine)
    own = sum(size for place, size in tops.items() if cities.get(place) == world.city[person])
    places = list({**tops, **middle_places(other)})
    near_places = list({**tops, **middle_places(near)})
    changes = swapped(other.model, places)
    drawn = random_places(mine, places, rng)
    named = [place for place in places if place in cities]
    rows = [
        changes, swapped(other.model, drawn), swapped(near.model, near_places),
        swapped(other.model, named),
    ]  # fmt: skip
    wanted, before = (mine.lm.encode(world.answer(one, "lies"))[0] for one in (donor, person))
    answers = mine.graph.feature[mine.logits].tolist()
    foreseen = answers[int(np.argmax(foreseen_logits(mine, other, places)))]
    after = _answers(run_changed(mine.model, rows, _FREE))
    replaced = _answers(run_changed(mine.model, [changes], _FREE._replace(replaced=True)))
    return Trial(
        person, donor, len(places), own / sum(tops.values()), foreseen == wanted,
        replaced[0] == wanted, after[0] == wanted, after[3] == wanted, after[1] == wanted,
        _colour_changes(mine, changes, person), after[2] != before,
    )  # fmt: skip


def _answers(seen: Pass) -> list[int]:
    found: list[int] = seen.logits[:, -1].argmax(-1).tolist()
    return found


def foreseen_logits(mine: OpenedGraph, other: OpenedGraph, places: Sequence[Place]) -> Array:
    """Return the logits that two graphs foretell when the other's activations are put in.

    What fires in this prompt is changed along its own edges. What fires in the other alone has
    none here: it adds what its absence would take away there.
    """
    here = activations_in(mine.model, mine.model.seen, places)[0].tolist()
    there = activations_in(other.model, other.model.seen, places)[0].tolist()
    changed = [
        FeatureChange(*place, value=new)
        for place, old, new in zip(places, here, there, strict=True) if old > 0
    ]  # fmt: skip
    missing = [
        FeatureChange(*place)
        for place, old, new in zip(places, here, there, strict=True) if old == 0 and new > 0
    ]  # fmt: skip
    logits = mine.graph.activation[mine.logits].astype(np.float64)
    logits = logits + prediction(mine, changed).change[mine.logits]
    return np.asarray(logits - prediction(other, missing).change[other.logits])


def swapped(other: ReplacementModel, places: Sequence[Place]) -> list[FeatureChange]:
    """Return the changes that give features at places what they are in another prompt."""
    values = activations_in(other, other.seen, places)[0].tolist()
    return [FeatureChange(*place, value=value) for place, value in zip(places, values, strict=True)]


def random_places(
    found: OpenedGraph, places: Sequence[Place], rng: np.random.Generator
) -> list[Place]:
    """Return as many other features that fire on the prompt, each of nearly the activation."""
    sizes = activations_in(found.model, found.model.seen, places)[0].numpy()
    candidates = [
        (layer, *row)
        for layer, active in found.model.active.items()
        for row in _rows(active)
        if (layer, *row[:2]) not in places
    ]
    values = np.array([row[3] for row in candidates])
    left = np.ones(len(candidates), bool)
    drawn: list[Place] = []
    for size in sizes:
        distances = np.where(left, np.abs(values - size), np.inf)
        nearest = np.argsort(distances)[: min(8, int(left.sum()))]
        if not len(nearest):
            break
        number = int(rng.choice(nearest))
        left[number] = False
        drawn.append(candidates[number][:3])
    return drawn


def _colour_changes(mine: OpenedGraph, changes: Sequence[FeatureChange], person: int) -> bool:
    """Return whether the same swap changes the answer where the colour is asked for."""
    ids = [0, *mine.lm.encode(f"person{person} {LIVES} {LIKES}")]
    asked = ReplacementModel(mine.lm, mine.model.members, ids, 1)
    return _answers(run_changed(asked, [changes], _FREE)) != _answers(asked.seen)


def run(
    work: Path, *, people: int = 96, steps: int = 600, rows: int = 100_000, prompts: int = 40,
    features: int = 96, seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Do all of it in a folder and return the figures."""
    began = time.perf_counter()
    work.mkdir(parents=True, exist_ok=True)
    world = make_world(people=people, seed=seed)
    right = save_model(work / "model", world, steps=steps, seed=seed)
    print(f"held-out answers right: {right:.0%} ({time.perf_counter() - began:,.0f} s)", flush=True)
    project = Project.open_or_create(work / "planted.saeproj")
    train_members(project, work / "model", world, rows=rows, features=features)
    (project.path / "graphs").mkdir(exist_ok=True)
    firings = firings_of(project, world)
    cities = city_features(firings, world)
    precision, recall = held_out_scores(firings, cities, world)
    print(
        f"features of one city, by layer and position: "
        f"{sorted(Counter(place[:2] for place in cities).items())}; precision {precision:.2f}, "
        f"recall {recall:.2f} ({time.perf_counter() - began:,.0f} s)", flush=True,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    graph_of = cache(partial(trace_of, project, world))
    trials = []
    lies, city = world.things["lies"], world.city
    for person in world.held_out[:prompts]:
        country = lies[city[person]]
        donors = [p for p in world.held_out if lies[city[p]] != country]
        near = [p for p in world.held_out if lies[city[p]] == country and city[p] != city[person]]
        chosen = person, int(rng.choice(donors)), int(rng.choice(near or [person]))
        trials.append(try_person(graph_of, world, cities, chosen, rng))

    def share(name: str) -> float:
        return float(np.mean([getattr(trial, name) for trial in trials]))

    figures = {
        "held_out_right": right,
        "city_features": float(len(cities)),
        "city_precision": precision,
        "city_recall": recall,
        "prompts": float(len(trials)),
        **{
            field.name: share(field.name)
            for field in fields(Trial) if field.name not in ("person", "donor")
        },
        "redirected_as_predicted": float(np.mean([t.redirected and t.predicted for t in trials])),
        "seconds": time.perf_counter() - began,
    }  # fmt: skip
    told = {"figures": figures, "trials": [vars(trial) for trial in trials]}
    (work / "planted.json").write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--features", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    figures = run(
        given.work, steps=given.steps, rows=given.rows, prompts=given.prompts,
        features=given.features, seed=given.seed,
    )  # fmt: skip
    for name, value in figures.items():
        print(f"{name.replace('_', ' ')}: {value:.3f}")


if __name__ == "__main__":
    main()
