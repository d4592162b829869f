"""Models on a card: harvest, index, steering, what pre-flight says, and memory that runs out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import torch
from bench import Bench, Figure, Sizes
from toy_models import TEXT, WIDTH, toy_network, toy_tokenizer

from sae_desktop.activations import harvest_rows
from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.harvest_groups import window_groups
from sae_desktop.activations.harvest_plan import plan_harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.corpus.windows import ReadingPoint
from sae_desktop.devices.abilities import synchronise, taken_of_its_own
from sae_desktop.devices.out_of_memory import is_out_of_memory
from sae_desktop.dictionary.files import load
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import visit_sites
from sae_desktop.project import Project
from sae_desktop.steering.config import Sampling, SteerConfig, clamped
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.job import steer
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.planning.preflight import preflight
from sae_desktop.training.planning.preflight_config import PreflightConfig

_SPREAD = 1.3
"""How far pre-flight may be off, either way."""


def _sized(sizes: Sizes) -> dict[str, Any]:
    wide = sizes.model_width
    return {
        "hidden_size": wide, "num_hidden_layers": sizes.layers, "intermediate_size": 2 * wide,
        "max_position_embeddings": 2 * sizes.context,
    }  # fmt: skip


def _made(bench: Bench) -> tuple[Path, Project]:
    """Make a model, a corpus and a project, once for all checks."""
    model, text = bench.folder / "model", bench.folder / "text"
    if not model.exists():
        network = toy_network("llama", **_sized(bench.sizes))
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.dim() > 1:  # as a toy model's own, whatever the width
                    parameter.mul_((WIDTH / bench.sizes.model_width) ** 0.5)
        network.save_pretrained(model)
        toy_tokenizer().save_pretrained(model)
        text.mkdir()
        for number in range(200):
            (text / f"{number}.txt").write_text(TEXT[number % 90 :] * 40)
    return model, Project.open_or_create(bench.folder / "project")


def _harvest(bench: Bench, name: str, device: torch.device, **changes: Any) -> HarvestConfig:
    model, project = _made(bench)
    sizes = bench.sizes
    config = HarvestConfig(
        project=str(project.path), name=name, model=str(model), corpus=str(bench.folder / "text"),
        site=f"blocks.{sizes.layers - 1}.hook_resid_post", tokens=sizes.tokens,
        context_size=sizes.context, batch_tokens=sizes.batch_tokens, device=str(device),
        model_dtype="float32", dtype="float32",
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def _few(bench: Bench) -> int:
    """Tokens of what is computed on the CPU beside it."""
    return min(bench.sizes.tokens, 4000)


def _timed(bench: Bench, work: Callable[[], object]) -> float:
    synchronise(bench.device)
    began = time.perf_counter()
    work()
    synchronise(bench.device)
    return time.perf_counter() - began


def harvesting(bench: Bench) -> list[Figure]:
    """Hold harvested rows to the CPU's, and the job's time to the bare forward pass's."""
    few = _few(bench)
    harvest(_harvest(bench, "here", bench.device, tokens=few), SilentContext())
    harvest(_harvest(bench, "cpu", torch.device("cpu"), tokens=few), SilentContext())
    _, project = _made(bench)
    stores = [ActivationStore.open(project.store_path(name)) for name in ("here", "cpu")]
    mine, wanted = (store.read(0, store.rows) for store in stores)
    apart = float(np.linalg.norm(mine - wanted) / np.linalg.norm(wanted))
    found = [Figure("rows harvested, from the CPU’s", apart, most=1e-3)]

    config = _harvest(bench, "timed", bench.device)
    plan = plan_harvest(config)
    groups = list(window_groups(plan, ReadingPoint(), config.tokens))

    def bare() -> None:
        for group in groups:
            for batch in group.batches:
                visit_sites(plan.text, batch.ids_BS, batch.mask_BS, plan.sites, lambda *_: None)

    bare()
    passes = _timed(bench, bare)
    took = _timed(bench, lambda: harvest(config, SilentContext()))
    found.append(Figure("harvest", config.tokens / took, "tokens per second"))
    found.append(Figure("harvest over the bare forward pass", took / passes, most=bench.limit(2.0)))
    return found


def _trained(bench: Bench, device: torch.device, name: str, **changes: Any) -> TrainConfig:
    _, project = _made(bench)
    sizes = bench.sizes
    config = TrainConfig(
        project=str(project.path), name=name, activations="here", features=4 * sizes.model_width,
        k=sizes.k, batch=min(sizes.batch, 1024), tokens=8 * _few(bench), device=str(device),
        architecture="batchtopk", metric_rows=_few(bench) // 8, measure_loss=False,
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def indexing(bench: Bench) -> list[Figure]:
    """Hold an index to the CPU's, and its time to that of encoding its rows alone."""
    if "here" not in Project.open_or_create(bench.folder / "project").stores():
        harvesting(bench)
    train(_trained(bench, bench.device, "d"), SilentContext())
    _, project = _made(bench)
    times = {}
    for device in (bench.device, torch.device("cpu")):
        config = IndexConfig(
            project=str(project.path), dictionary="d", name=f"i-{device.type}", map=False,
            coactivation=False, neuron_rows=0, names=False, device=str(device),
        )  # fmt: skip
        if not project.index_path(config.name).exists():
            work = partial(build_index, config, SilentContext())
            times[device] = _timed(bench, work)
    mine, wanted = (
        np.asarray(FeatureIndex(project.index_path(f"i-{kind}")).columns["density"])
        for kind in (bench.device.type, "cpu")
    )
    off = float(np.abs(mine - wanted).sum() / max(wanted.sum(), 1e-12))
    dictionary = load(project.dictionary_path("d"), bench.device)
    store = ActivationStore.open(project.store_path("here"))
    rows = torch.from_numpy(np.array(store.read(0, store.rows), np.float32)).to(bench.device)
    with torch.no_grad():
        encoded = bench.seconds(lambda: dictionary.compared(rows), 3)
    took = times[bench.device]
    return [
        Figure("densities of an index, from the CPU’s", off, most=1e-3),
        Figure("index", store.rows / took, "rows per second"),
        Figure("index over encoding alone", took / encoded),
    ]


def steering(bench: Bench) -> list[Figure]:
    """Hold unsteered texts to `generate`, steered ones to the CPU's."""
    model, project = _made(bench)
    lm = load_model(str(model), str(bench.device), "float32")
    ids = lm.encode(TEXT)[: bench.sizes.context // 2]
    count = bench.sizes.context // 2
    # `generate` takes no penalty for what stood there before.
    sampling = Sampling(max_new_tokens=count, repetition_penalty=1.0)

    def ours() -> list[int]:
        steps = continuations(lm, [ids], {}, Positions([0], 0, [len(ids)]), sampling)
        return [token for step in steps for token in step.ids if token is not None]

    def theirs() -> list[int]:
        given = torch.tensor([ids], device=lm.device)
        with torch.no_grad():
            out = lm.model.generate(
                given, attention_mask=torch.ones_like(given), do_sample=False,
                max_new_tokens=count, pad_token_id=0,
            )  # fmt: skip
        return [int(token) for token in out[0, len(ids) :]]

    mine, wanted = ours(), theirs()
    same = float(np.mean([a == b for a, b in zip(mine, wanted, strict=False)]))
    ratio = bench.seconds(ours, 3) / bench.seconds(theirs, 3)
    texts = []
    for device in (bench.device, torch.device("cpu")):
        config = SteerConfig(
            project=str(project.path), index="i-cpu", prompt="In the", variants=[clamped({1: 2.0})],
            sampling=Sampling(max_new_tokens=8), device=str(device),
        )  # fmt: skip
        texts.append(steer(config, SilentContext()).variants[0].text)
    return [
        Figure("tokens that are those of generate", same, least=0.99),
        Figure("time over that of generate", ratio, most=bench.limit(1.5)),
        Figure("steered text is the CPU’s", float(texts[0] == texts[1]), least=1.0),
    ]


def planned_memory(bench: Bench) -> list[Figure]:
    """Hold what pre-flight says of a card's memory to the most that the training took."""
    features = bench.sizes.features
    config = _trained(bench, bench.device, "planned", features=features)
    before = taken_of_its_own(bench.device)
    told = preflight(PreflightConfig(train=config, measure=False), SilentContext())
    needed = next(r.needed_bytes for r in told.rooms if r.place != "disk")
    if before is None:
        train(config, SilentContext())
        return [Figure("needed by pre-flight (a card alone tells what was taken)", needed, "bytes")]
    torch.cuda.reset_peak_memory_stats(bench.device)
    train(config, SilentContext())
    peak = torch.cuda.max_memory_allocated(bench.device) - before
    return [
        Figure("pre-flight’s memory over the peak", needed / peak, least=1 / _SPREAD, most=_SPREAD)
    ]


@contextmanager
def _little_memory(bench: Bench) -> Any:
    """Leave room for few windows at once: of the card's memory, or by raising as it would."""
    if bench.device.type == "cuda":
        torch.cuda.empty_cache()
        share = torch.cuda.memory_reserved(bench.device) + 2**28
        total = torch.cuda.get_device_properties(bench.device).total_memory
        torch.cuda.set_per_process_memory_fraction(share / total, bench.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
        return
    plain = harvest_rows.visit_sites

    def narrow(lm: Any, ids: torch.Tensor, *others: Any) -> None:
        if len(ids) > 2:
            raise torch.OutOfMemoryError("out of memory")
        plain(lm, ids, *others)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(harvest_rows, "visit_sites", narrow))
        yield


def short_memory(bench: Bench) -> list[Figure]:
    """Let memory run out in a harvest and by one tensor: it is halved, told, and survived."""
    few = _few(bench)
    _, project = _made(bench)
    whole = _harvest(bench, "whole", bench.device, tokens=few)
    harvest(whole, SilentContext())
    wide = 8 * bench.sizes.batch_tokens if bench.device.type == "cuda" else bench.sizes.batch_tokens
    with _little_memory(bench):
        harvest(msgspec.structs.replace(whole, name="halved", batch_tokens=wide), SilentContext())
    stores = [ActivationStore.open(project.store_path(name)) for name in ("whole", "halved")]
    count = min(store.rows for store in stores)
    mine, wanted = (np.sort(np.linalg.norm(s.read(0, count), axis=1)) for s in stores)
    told = 0.0
    try:
        torch.empty(2**50, device=bench.device)
    except RuntimeError as error:
        told = float(is_out_of_memory(error))
    alive = torch.ones(3, device=bench.device).sum()
    return [
        Figure("rows of halved batches, from the whole’s", float(np.abs(mine / wanted - 1).max()),
               most=1e-3),
        Figure("an impossible tensor is told as memory that ran out", told, least=1.0),
        Figure("the device computes on", float(alive), least=3.0, most=3.0),
    ]  # fmt: skip
