"""What a device can do, by its kind: the one place that knows CUDA, Metal and the CPU apart.

Whoever does something otherwise on one kind of device asks here by what it needs, never by the
device's name; `copies` knows how rows get there and back.
"""

from __future__ import annotations

import torch
from torch import Tensor

CPU = torch.device("cpu")


def available_devices() -> list[str]:
    """Return the kinds of device this machine has, the fastest first."""
    names = ["cuda"] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def best_device() -> torch.device:
    """Return the fastest device of this machine: of several cards the current one."""
    kind = available_devices()[0]
    return torch.device(kind, torch.cuda.current_device()) if kind == "cuda" else torch.device(kind)


def cards() -> list[torch.device]:
    """Return the cards of this machine that have a memory of their own."""
    return [torch.device("cuda", number) for number in range(torch.cuda.device_count())]


def card_name(device: torch.device) -> str | None:
    """Return what a card is called, such as “NVIDIA H200”; None: it is none."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else None


def is_there(device: torch.device) -> bool:
    """Return whether this machine has the device."""
    if device.type not in available_devices():
        return False
    return device.type != "cuda" or (device.index or 0) < torch.cuda.device_count()


def is_host(device: torch.device) -> bool:
    """Return whether a device is the processor, which numpy reads the memory of."""
    return device.type == "cpu"


# ---------------------------------------------------------------- numbers
def has_native_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware; elsewhere it is no faster."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return any(_cpu_has(name) for name in ("avx512_bf16", "amx_tile"))
    return False


def _cpu_has(instructions: str) -> bool:
    # Not in every version of torch; without the question there is no fast product either.
    asked = getattr(torch.cpu, f"_is_{instructions}_supported", None)
    return asked is not None and bool(asked())


def has_float64(device: torch.device) -> bool:
    """Return whether the device has numbers of double precision; Metal has none."""
    return device.type != "mps"


def float64_of(values: Tensor) -> Tensor:
    """Return values in double precision: on their device, or on the CPU where that has none."""
    return values.double() if has_float64(values.device) else values.cpu().double()


# ---------------------------------------------------------------- kernels
def has_sampled_product(device: torch.device) -> bool:
    """Return whether there is a product of two matrices at chosen places only."""
    return device.type != "mps"


def has_quantised_layers(device: torch.device) -> bool:
    """Return whether bitsandbytes has kernels for the device."""
    return device.type != "mps"


def scales_in_fused_step(device: torch.device) -> bool:
    """Return whether a fused optimiser divides gradients by its `grad_scale`.

    Metal's leaves it out without a word (up to torch 2.13, mended by pull request 186360 there).
    """
    return device.type != "mps"


# ---------------------------------------------------------------- work under way
def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


# ---------------------------------------------------------------- memory
def free_of_its_own(device: torch.device) -> int | None:
    """Return the bytes free on a card, torch's own cache included; None: its memory is the host's.

    What Metal lends of the machine's is `lent`.
    """
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + cached)


def lent(device: torch.device) -> int | None:
    """Return the bytes of the machine's memory that a device may still take; None: all of it."""
    if device.type != "mps":
        return None
    return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())


def taken_of_its_own(device: torch.device) -> int | None:
    """Return the bytes of tensors on a card; None: its memory is the host's."""
    return int(torch.cuda.memory_allocated(device)) if device.type == "cuda" else None


def give_back_cache(device: torch.device) -> None:
    """Let go of the memory torch keeps for later, as after a pass that did not fit."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


# ---------------------------------------------------------------- processes
def collectives(device: torch.device) -> str | None:
    """Return torch's backend by which processes sum tensors on a device; None: it has none."""
    return {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}.get(device.type)


def is_shared(device: torch.device) -> bool:
    """Return whether several processes of a machine may compute on the very same device."""
    return device.type != "cuda"


def use(device: torch.device) -> None:
    """Make a card the one that this process means where it names none."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
