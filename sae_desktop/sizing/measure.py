"""The job `measure_machine`: how fast this machine is at what the three jobs are made of."""

from __future__ import annotations

import datetime
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import torch

from sae_desktop.activations.harvest_plan import DEFAULT_BATCH_TOKENS
from sae_desktop.devices.abilities import card_name, synchronise
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.names import BUILTIN
from sae_desktop.language_model.sites.capture import visit_sites
from sae_desktop.language_model.sites.resolve import Site, decoder_layers, text_config
from sae_desktop.sizing.cards import USUAL
from sae_desktop.sizing.config import MeasureMachineConfig, Rates
from sae_desktop.sizing.kept import VERSION, keep_rates, rates_path
from sae_desktop.sizing.times import harvest_seconds_per_token, step_seconds
from sae_desktop.storage.faults import free_bytes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.planning.capacity import load_of
from sae_desktop.training.rows.targets import Part, TargetPlan
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

_LEAST = 5
clock = time.perf_counter
"""What is measured by; a benchmark on a busy machine takes the processor's time instead."""
_PRODUCT = (1024, 512, 4096)
"""Rows, inner and outer size of the products."""
_COPIED = 2**24
"""Numbers of each of three arrays, larger than a processor's cache together."""
_SORTED = 2**20
_BLOCK_BYTES = 2**23
_WINDOW = 128
_STEP = TrainConfig(project="", name="", features=4096)
_STEP_WIDTH = 256
_BUSY_SECONDS = 0.5
_STAGES = ("products", "memory", "sorting", "disk", "the built-in model", "a training step")


def measure_machine(config: MeasureMachineConfig, context: JobContext) -> Rates:
    """Measure the machine and keep the figures. Raises UserError for a device it lacks."""
    device = resolve_device(config.device)
    number = 0

    def stage() -> None:
        nonlocal number
        context.check_cancelled()
        name = _STAGES[min(number, len(_STAGES) - 1)]
        context.progress(number, len(_STAGES), "steps", f"Measuring {name}")
        number += 1

    busy = psutil.cpu_percent(_BUSY_SECONDS) / 100
    stage()
    float32 = _products(torch.float32, device, config.seconds)
    low = max(float32, _products(torch.bfloat16, device, config.seconds))
    stage()
    bandwidth = _bandwidth(device, config.seconds)
    stage()
    entries = _sorting(config.seconds)
    stage()
    write, read = _disk(rates_path().parent, config.file_bytes)
    rates = Rates(
        name=_name(device), float32=float32, low=low, bandwidth=bandwidth, disk_write=write,
        disk_read=read, entries=entries, stream=0.0, step=1.0, device=device.type,
        date=f"{datetime.datetime.now():%Y-%m-%d %H:%M}", busy=busy, version=VERSION,
    )  # fmt: skip
    stage()
    rates = msgspec.structs.replace(rates, stream=_stream(rates, device, config.seconds))
    stage()
    rates = msgspec.structs.replace(rates, step=_step(rates, device, config.seconds))
    keep_rates(rates)
    context.progress(len(_STAGES), len(_STAGES), "steps", "Measuring a training step")
    return rates


def _best(work: Callable[[], Any], device: torch.device, seconds: float) -> float:
    """Return the seconds of the fastest of some calls, the first, which allocates, left out."""
    work()
    found: list[float] = []
    while len(found) < _LEAST or sum(found) < seconds:
        synchronise(device)
        began = clock()
        work()
        synchronise(device)
        found.append(clock() - began)
    return min(found)


def _products(dtype: torch.dtype, device: torch.device, seconds: float) -> float:
    rows, inner, outer = _PRODUCT
    x = torch.randn(rows, inner, device=device).to(dtype)
    W = torch.randn(outer, inner, device=device).to(dtype)
    out = torch.empty(rows, outer, device=device, dtype=dtype)
    return 2 * rows * inner * outer / _best(lambda: torch.mm(x, W.T, out=out), device, seconds)


def _bandwidth(device: torch.device, seconds: float) -> float:
    one, other = (torch.rand(_COPIED, device=device) for _ in range(2))
    out = torch.empty_like(one)
    best = _best(lambda: torch.add(one, other, out=out), device, seconds)
    return 3 * one.element_size() * _COPIED / best


def _sorting(seconds: float) -> float:
    numbers = np.random.default_rng(0).integers(0, 2**40, _SORTED)
    cpu = torch.device("cpu")
    return _SORTED / _best(lambda: np.argsort(numbers, kind="stable"), cpu, seconds)


def _disk(folder: Path, size: int) -> tuple[float, float]:
    """Return how fast a file is written, until it is on the disk, and read again."""
    folder.mkdir(parents=True, exist_ok=True)
    if free_bytes(folder) < 4 * size:
        return USUAL.disk_write, USUAL.disk_read
    block = os.urandom(_BLOCK_BYTES)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        began = time.perf_counter()
        for _ in range(size // _BLOCK_BYTES):
            file.write(block)
        os.fsync(file.fileno())
        write = time.perf_counter() - began
        if hasattr(os, "posix_fadvise"):  # elsewhere it may be read from memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        began = time.perf_counter()
        while file.read(_BLOCK_BYTES):
            pass
        read = time.perf_counter() - began
    return size / write, size / read


def _stream(rates: Rates, device: torch.device, seconds: float) -> float:
    """Return what the built-in model takes beside its products: see `Rates.stream`."""
    lm = load_model(BUILTIN, str(device), "auto")
    layers = decoder_layers(lm.model)
    width, count = int(text_config(lm.model).hidden_size), len(layers)
    last = Site(count - 1, "hook_resid_post")
    weights = sum(p.numel() for layer in layers for p in layer.parameters())
    windows = DEFAULT_BATCH_TOKENS // _WINDOW
    ids = torch.randint(0, 1000, (windows, _WINDOW), generator=torch.Generator().manual_seed(0))
    ids = ids.to(device)

    def read() -> None:
        with torch.no_grad():
            visit_sites(lm, ids, None, [last], lambda site, value: None)

    low = next(lm.model.parameters()).dtype == torch.bfloat16
    best = _best(read, device, seconds) / ids.numel()
    products = harvest_seconds_per_token(count, weights, width, _WINDOW, rates, low=low)
    return max(0.0, best - products) / (count * width)


def _step(rates: Rates, device: torch.device, seconds: float) -> float:
    """Return how a step of the usual architecture compares with its formula."""
    config = msgspec.structs.replace(_STEP, device=str(device))
    part = (Part(0, "blocks.0.hook_resid_post", _STEP_WIDTH),)
    plan = TargetPlan("input", part, part)
    load = load_of(config, plan, device)
    generator = torch.Generator().manual_seed(0)
    setup = Setup(
        features=config.features, steps=1000, k=config.k,
        precision=resolve_precision(config.precision, device), **plan.setup_fields(),
    )  # fmt: skip
    rows = torch.randn(config.batch, _STEP_WIDTH, generator=generator)
    architecture = ARCHITECTURES[config.architecture](setup, generator)
    architecture.initialise_from(Batch.of(rows))
    architecture.to(device)
    batch = Batch.of(rows.to(device))
    optimiser = make_optimiser(architecture, 1e-4)
    state = TrainerState(architecture, optimiser, FiringCounter(config.features, device))
    recipe = Recipe(1000, 1e-4, architecture.default_sparsity, 10**9)
    best = _best(lambda: train_step(state, recipe, batch), device, seconds)
    return best / step_seconds(load, rates)


def _name(device: torch.device) -> str:
    named = card_name(device)
    if named is not None:
        return named
    count = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    kind = _processor() or platform.machine()
    return f"{kind}, {count} processor{'s' if count > 1 else ''}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "")
