"""Plant a circuit and find it: a small model learns a look-up in two steps, its graphs show both.

    python packaging/planted_circuit.py [--work FOLDER] [--steps 1500] [--rows 200000]
                                        [--prompts 40] [--seed 0]

People live in cities, two cities lie in each country. The model learns “person lives → city”,
“city lies → country” and, of four fifths of the people, “person lives lies → country”; of all of
them also “person lives likes → colour”, which the city has nothing to do with (the control). A set
of transcoders is trained on its activations. Then “lives lies” of people held out is traced: are
the graph’s top nodes features of the city (of one of the two, so not of the country), and does
swapping them for another person’s redirect the answer to that person’s country, as the graph
predicts? Beside it: as many random features of equal activation swapped in the same way, the same
swap where the colour is asked for, and a swap for somebody of the other city of the same country.
Writes `planted.json` into the folder and prints the figures.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.circuits.config import TraceConfig
from sae_desktop.circuits.opened_graph import OpenedGraph, Place, open_graph
from sae_desktop.circuits.reading.graph_file import FEATURE
from sae_desktop.circuits.replacement import ReplacementModel
from sae_desktop.circuits.testing.changes import FeatureChange, Held, activations_in, run_changed
from sae_desktop.circuits.testing.intervene import measured_nodes, prediction
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.circuits.tracing.opened import open_set
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.training.sets.set_job import train_set

LIVES, LIES, LIKES = "lives", "lies", "likes"
SET = "planted"
_TOP = 16
"""Features of a graph that are looked at: those of most influence."""
_OF_CITY = 0.75
"""Of a feature’s firing at a position, on training people, what must fall on one city."""


@dataclass(frozen=True)
class World:
    """Who lives where, where that lies, and what who likes."""

    city: list[int]
    country: list[int]
    colour: list[int]
    held_out: list[int]
    """People of whom the model never sees both steps together."""

    @property
    def trained(self) -> list[int]:
        kept = set(self.held_out)
        return [person for person in range(len(self.city)) if person not in kept]

    def country_of(self, person: int) -> int:
        return self.country[self.city[person]]


def make_world(people: int = 240, cities: int = 12, seed: int = 0) -> World:
    """Draw a world: every city has as many people, every country two cities."""
    rng = random.Random(seed)
    city = [number % cities for number in range(people)]
    rng.shuffle(city)
    country = [number % (cities // 2) for number in range(cities)]
    rng.shuffle(country)
    colour = [rng.randrange(cities) for _ in range(people)]
    return World(city, country, colour, sorted(rng.sample(range(people), people // 5)))


def prompts_of(world: World) -> list[tuple[str, str]]:
    """Return all that the model is taught: prompt and answer, in words."""
    found = []
    held_out = set(world.held_out)
    for person, city in enumerate(world.city):
        found.append((f"person{person} {LIVES}", f"city{city}"))
        found.append((f"person{person} {LIVES} {LIKES}", f"colour{world.colour[person]}"))
        if person not in held_out:
            found.append((f"person{person} {LIVES} {LIES}", f"country{world.country[city]}"))
    found += [(f"city{c} {LIES}", f"country{k}") for c, k in enumerate(world.country)]
    return found


def two_steps(person: int) -> str:
    return f"person{person} {LIVES} {LIES}"


def save_model(folder: Path, world: World, *, steps: int, seed: int = 0, width: int = 64) -> float:
    """Train the model, save it with its tokenizer, and return its share of right held-out answers.

    The loss counts at the answer alone.
    """
    kinds = ("person", "city", "country", "colour")
    cities = len(world.country)
    counts = (len(world.city), cities, max(world.country) + 1, cities)
    words = ["<bos>", LIVES, LIES, LIKES]
    words += [f"{kind}{n}" for kind, count in zip(kinds, counts, strict=True) for n in range(count)]
    ids = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<bos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>").save_pretrained(folder)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words), hidden_size=width, intermediate_size=4 * width,
            num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4,
            max_position_embeddings=16, bos_token_id=0, eos_token_id=None,
        )
    )  # fmt: skip
    taught = defaultdict(list)
    for prompt, answer in prompts_of(world):
        row = [0, *(ids[word] for word in prompt.split()), ids[answer]]
        taught[len(row)].append(row)
    rows = {length: torch.tensor(found) for length, found in taught.items()}
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        loss = torch.zeros(())
        for found in rows.values():
            chosen = found[torch.randint(len(found), (128,), generator=generator)]
            logits = model(chosen[:, :-1]).logits[:, -1]
            loss = loss + torch.nn.functional.cross_entropy(logits, chosen[:, -1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval().save_pretrained(folder)
    asked = torch.tensor([[0, *(ids[w] for w in two_steps(p).split())] for p in world.held_out])
    with torch.no_grad():
        best = model(asked).logits[:, -1].argmax(-1).tolist()
    right = [ids[f"country{world.country_of(person)}"] for person in world.held_out]
    return float(np.mean([a == b for a, b in zip(best, right, strict=True)]))


def train_members(project: Project, model: Path, world: World, *, rows: int, features: int) -> None:
    """Harvest the model on what it was taught, and train a transcoder for each layer."""
    text = project.path.parent / "text"
    text.mkdir(exist_ok=True)
    lines = [f"{prompt} {answer}" for prompt, answer in prompts_of(world)]
    random.Random(0).shuffle(lines)
    whole = "\n".join(json.dumps({"text": line}) for line in lines * 8)
    (text / "taught.jsonl").write_text(whole)
    layers = 4
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
def city_features(project: Project, world: World) -> dict[Place, int]:
    """Return (layer, position, feature) → city of what fires there for one city's people.

    Told by the people of whom the model was taught both steps, and only where at least two of a
    city's people make the feature fire.
    """
    opened = open_set(project, SET, "cpu")
    mass: dict[Place, Counter[int]] = defaultdict(Counter)
    people: dict[Place, set[int]] = defaultdict(set)
    for person in world.trained:
        ids = [0, *opened.lm.encode(two_steps(person))]
        model = ReplacementModel(opened.lm, opened.members, ids, 1)
        for layer, active in model.active.items():
            rows = zip(
                active.positions.tolist(), active.features.tolist(), active.activations.tolist(),
                strict=True,
            )  # fmt: skip
            for position, feature, activation in rows:
                place = (layer, position, feature)
                mass[place][world.city[person]] += activation  # type: ignore[assignment]
                people[place].add(person)
    found = {}
    for place, counts in mass.items():
        city, most = counts.most_common(1)[0]
        own = [person for person in people[place] if world.city[person] == city]
        if most >= _OF_CITY * sum(counts.values()) and len(own) >= 2:
            found[place] = city
    return found


# ---------------------------------------------------------------- the trials
@dataclass
class Trial:
    """One held-out person, swapped for a donor from another country."""

    person: int
    donor: int
    top: float
    """Of the influence of the graph's top features, the share of those of the person's city."""
    predicted: bool
    """Whether the graph predicts that the answer becomes the donor's country."""
    redirected: bool
    random: bool
    """Whether random features, swapped in the same way, redirect it."""
    control: bool
    """Whether the swap changes the person's colour."""
    same_country: bool
    """Whether a swap for somebody of the country's other city changes the country."""


def trace_of(project: Project, world: World, person: int) -> OpenedGraph:
    name = f"person{person}"
    targets = tuple(f"country{number}" for number in range(max(world.country) + 1))
    trace(
        TraceConfig(
            project=str(project.path), name=name, set=SET, prompt=two_steps(person),
            target="tokens", tokens=targets, device="cpu",
        ),
        SilentContext(),
    )  # fmt: skip
    return open_graph(str(project.path), name, "cpu")


def top_places(found: OpenedGraph, count: int = _TOP) -> dict[Place, float]:
    """Return the features of most influence on the answer, the largest first, with theirs."""
    graph = found.graph
    features = np.flatnonzero(graph.kind == FEATURE)
    order = features[np.argsort(-graph.influence[features], kind="stable")][:count]
    return {
        (int(graph.layer[n]), int(graph.position[n]), int(graph.feature[n])): float(
            graph.influence[n]
        )
        for n in order
    }


def try_person(
    project: Project, world: World, cities: dict[Place, int], person: int, donor: int,
    neighbour: int, rng: np.random.Generator,
) -> Trial:  # fmt: skip
    """Trace a person's country, then swap the city for the donor's, and for the neighbour's."""
    mine, other, near = (trace_of(project, world, one) for one in (person, donor, neighbour))
    tops = top_places(mine)
    own = sum(size for place, size in tops.items() if cities.get(place) == world.city[person])
    places = _of_cities(cities, mine, other)
    changes = _swapped(other.model, places)
    answers = [int(token) for token in mine.graph.feature[mine.logits]]
    wanted = answers.index(mine.lm.encode(f"country{world.country_of(donor)}")[0])
    before = mine.graph.activation[mine.logits]
    predicted = prediction(mine, changes).change[mine.logits] + before
    drawn = _random_places(mine, places, rng)
    nearby = _swapped(near.model, _of_cities(cities, mine, near))
    rows = [changes, _swapped(other.model, drawn), nearby]
    seen = run_changed(mine.model, rows, Held("frozen", "free"))
    after = measured_nodes(mine, seen)[:, mine.logits].argmax(-1).tolist()
    return Trial(
        person, donor, own / sum(tops.values()), bool(int(np.argmax(predicted)) == wanted),
        after[0] == wanted, after[1] == wanted, _colour_changes(mine, other, person, places),
        after[2] != int(np.argmax(before)),
    )  # fmt: skip


def _of_cities(cities: dict[Place, int], mine: OpenedGraph, other: OpenedGraph) -> list[Place]:
    """Return the features of cities among the top ones of two graphs."""
    return [place for place in {**top_places(mine), **top_places(other)} if place in cities]


def _swapped(other: ReplacementModel, places: Sequence[Place]) -> list[FeatureChange]:
    values = activations_in(other, other.seen, places)[0].tolist()
    return [FeatureChange(*place, value=value) for place, value in zip(places, values, strict=True)]


def _random_places(
    found: OpenedGraph, places: Sequence[Place], rng: np.random.Generator
) -> list[Place]:
    """Return as many other features that fire on the prompt, each of nearly the activation."""
    sizes = activations_in(found.model, found.model.seen, places)[0].numpy()
    candidates = [
        (layer, position, feature, value)
        for layer, active in found.model.active.items()
        for position, feature, value in zip(
            active.positions.tolist(), active.features.tolist(), active.activations.tolist(),
            strict=True,
        )
        if (layer, position, feature) not in places
    ]  # fmt: skip
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


def _colour_changes(
    mine: OpenedGraph, other: OpenedGraph, person: int, places: Sequence[Place]
) -> bool:
    """Return whether the same swap changes the answer where the colour is asked for."""
    ids = [0, *mine.lm.encode(f"person{person} {LIVES} {LIKES}")]
    asked = ReplacementModel(mine.lm, mine.model.members, ids, 1)
    common = [place for place in places if place[1] < 3]  # up to where another word stands
    changes = _swapped(other.model, common)
    before = int(asked.seen.logits[0, -1].argmax())
    seen = run_changed(asked, [changes], Held("frozen", "free"))
    after: Tensor = seen.logits[0, -1]
    return int(after.argmax()) != before


def run(
    work: Path, *, people: int = 240, steps: int = 1500, rows: int = 200_000, prompts: int = 40,
    features: int = 192, seed: int = 0,
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
    cities = city_features(project, world)
    print(
        f"features of one city, by position: {sorted(Counter(p[1] for p in cities).items())} "
        f"({time.perf_counter() - began:,.0f} s)", flush=True,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    trials = []
    for person in world.held_out[:prompts]:
        donors = [p for p in world.held_out if world.country_of(p) != world.country_of(person)]
        here = [p for p in world.held_out if world.country_of(p) == world.country_of(person)]
        near = [p for p in here if world.city[p] != world.city[person]]
        donor, neighbour = int(rng.choice(donors)), int(rng.choice(near or [person]))
        trials.append(try_person(project, world, cities, person, donor, neighbour, rng))
    figures = {
        "held_out_right": right,
        "city_features": float(len(cities)),
        "prompts": float(len(trials)),
        "top_influence_of_the_city": float(np.mean([t.top for t in trials])),
        "predicted": float(np.mean([t.predicted for t in trials])),
        "redirected": float(np.mean([t.redirected for t in trials])),
        "redirected_as_predicted": float(np.mean([t.redirected and t.predicted for t in trials])),
        "random": float(np.mean([t.random for t in trials])),
        "other_city_of_the_country": float(np.mean([t.same_country for t in trials])),
        "colour_changed": float(np.mean([t.control for t in trials])),
        "seconds": time.perf_counter() - began,
    }
    told = {"figures": figures, "trials": [vars(trial) for trial in trials]}
    (work / "planted.json").write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    figures = run(
        given.work, steps=given.steps, rows=given.rows, prompts=given.prompts, seed=given.seed
    )
    for name, value in figures.items():
        print(f"{name.replace('_', ' ')}: {value:.3f}")


if __name__ == "__main__":
    main()
