"""A graphics card that is not there: tensors of the CPU that say they are elsewhere.

Within `pretended()` a tensor moved to “cuda:0” or “mps” computes on the CPU but says where it
is, and whatever comes of it is there too, gradients included. As on a real card,

- an operation on tensors of two devices raises (but for single numbers of the CPU, which torch
  lets in, and indices, which it copies), and so do `.numpy()`, a gradient on another device
  than its parameter, and a generator of the CPU for numbers on the card;
- Metal has no float64, no sampled product and no scaled fused step;
- where the host waits for the card is noted, by operation and by the function of sae_desktop
  that asked for it.

Threads that are started within the block see it, too. What cannot be pretended is in `NOT_SEEN`.

Torch's own FakeTensorMode is not used: a build without CUDA ends the process at its first
backward pass (torch 2.13), and without numbers it cannot take a step whose sizes depend on them.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import sae_desktop
from sae_desktop.circuits.tracing import opened as traced
from sae_desktop.devices import copies
from sae_desktop.features.asking import opened as asked
from sae_desktop.language_model import device as device_names
from sae_desktop.language_model import load
from sae_desktop.training.rows import batches

CPU = torch.device("cpu")
KINDS = ("cuda:0", "mps:0")
_ROOT = str(Path(sae_desktop.__file__).parent)

_WAITS = {
    "_local_scalar_dense", "nonzero", "masked_select", "bincount", "equal", "_unique2",
    "unique_dim", "unique_consecutive", "repeat_interleave", "is_nonzero", "histc",
}  # fmt: skip
"""Operations whose result, or its size, the host has to be told before it can continue."""
_ACROSS = {"copy_", "index", "index_put", "index_put_", "_index_put_impl_", "_index_put_impl"}
"""Operations that take tensors of both devices: a copy, and indices, which torch copies."""


NOT_SEEN = {
    "streams, events, pinned memory": "`devices.copies` takes its plain way; `tests/gpu` runs it",
    "kernels": "what is computed, and whether a card has an operation at all, is the CPU's answer",
    "what a backward pass makes itself": "it is taken to be on the card, wherever it was asked for",
    "memory": "a card has as much free as `pretended` says; nothing runs out",
    "bitsandbytes, device_map": "8- and 4-bit layers and split models go through other libraries",
}
"""What of a card is not pretended, and where it is looked after otherwise."""
_FREE = 2**33


class WrongDeviceError(RuntimeError):
    """What torch raises for tensors of two devices, or what a device lacks."""


@dataclass
class Watched:
    """What was seen of a pretended device."""

    device: torch.device
    waits: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often the host waited: (operation, “module:function” that asked)."""
    _places: dict[int, tuple[Any, torch.device]] = field(default_factory=dict)

    def where(self, tensor: Tensor) -> torch.device:
        """Return where a tensor says it is."""
        with torch._C.DisableTorchFunction():
            if tensor.device != CPU:
                return tensor.device  # of the kind “meta”
            if tensor.layout == torch.sparse_csr:
                tensor = tensor.values()
            known = self._places.get(tensor.untyped_storage()._cdata)
        return CPU if known is None else known[1]

    def put(self, tensor: Tensor, device: torch.device) -> None:
        """Let a tensor, with all that shares its memory, be somewhere."""
        with torch._C.DisableTorchFunction():
            if device.type == "mps" and tensor.dtype == torch.float64:
                raise WrongDeviceError("Metal has no float64")
            if tensor.device != CPU:
                return
            if tensor.layout == torch.sparse_csr:
                for part in (tensor.values(), tensor.crow_indices(), tensor.col_indices()):
                    self.put(part, device)
                return
            storage = tensor.untyped_storage()
            # The storage is kept, so that its address is not used again for another's.
            self._places[storage._cdata] = (storage, device)

    def waited(self, operation: str) -> None:
        self.waits[operation, _asked_by()] += 1

    def functions(self) -> set[str]:
        """Return the functions that have made the host wait."""
        return {where for _, where in self.waits}


def _asked_by() -> str:
    """Return “module:function” of the innermost function of sae_desktop."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_ROOT):
            module = Path(name).relative_to(_ROOT).with_suffix("").as_posix()
            return f"{module}:{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return "the test"


class _Operations(TorchDispatchMode):
    """Sees every operation, those of backward passes included."""

    def __init__(self, watched: Watched) -> None:
        super().__init__()
        self._watched = watched

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, name = dict(kwargs or {}), func.overloadpacket.__name__
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        places = [self._watched.where(x) for x in tensors]
        device = self._together(name, args, tensors, places)
        if not tensors and torch._C._current_graph_task_id() != -1:
            # What a backward pass makes by itself, like a gradient that is in truth of the CPU.
            device = self._watched.device
        if device != CPU:
            self._refuse(name, kwargs, device)
            if name in _WAITS:
                self._watched.waited(name)
        found = func(*args, **kwargs)
        if device != CPU and name != "copy_":
            given = {id(x) for x in tensors}
            for out in tree_leaves(found):
                if isinstance(out, Tensor) and id(out) not in given:
                    self._watched.put(out, device)
        return found

    def _together(
        self, name: str, args: Any, tensors: list[Tensor], places: list[torch.device]
    ) -> torch.device:
        """Return where an operation is done. Raises WrongDeviceError."""
        if name == "copy_":
            to, origin = places[0], places[1]
            if to != origin and not (len(args) > 2 and args[2]):
                self._watched.waited("copy to the host" if to == CPU else "copy from the host")
            return to
        if name in _ACROSS:
            self._look_at_indices(tensors[1:], places[0], places[1:])
            return places[0]
        places = [CPU if place.type == "meta" else place for place in places]
        there = {p for x, p in zip(tensors, places, strict=True) if x.dim() > 0 or p != CPU}
        if len(there) > 1:
            told = ", ".join(
                f"{tuple(x.shape)} on {p}" for x, p in zip(tensors, places, strict=True)
            )
            raise WrongDeviceError(f"{name} was given tensors of several devices: {told}")
        return next(iter(there), CPU)

    def _look_at_indices(
        self, indices: list[Tensor], device: torch.device, places: list[torch.device]
    ) -> None:
        for index, place in zip(indices, places, strict=True):
            if place != device and CPU not in (place, device):
                raise WrongDeviceError(f"an index on {place} of a tensor on {device}")
            if place != device and device == CPU:
                raise WrongDeviceError(f"an index on {place} of a tensor of the CPU")
            if place != device and index.dim() > 0:
                self._watched.waited("copy from the host")
            elif device != CPU and index.dtype == torch.bool:
                self._watched.waited("nonzero")

    @staticmethod
    def _refuse(name: str, kwargs: Mapping[str, Any], device: torch.device) -> None:
        generator = kwargs.get("generator")
        if generator is not None and generator.device.type != device.type:
            raise WrongDeviceError(f"{name} on {device} was given a generator of the CPU")
        if device.type != "mps":
            return
        if name in ("_fused_adam_", "_fused_adamw_") and kwargs.get("grad_scale") is not None:
            raise WrongDeviceError("Metal’s fused Adam leaves grad_scale out")
        if "sampled_addmm" in name or "sparse_csr" in name:
            raise WrongDeviceError(f"Metal has no {name}")


class _Calls(TorchFunctionMode):
    """Sees what is said of devices: moves, factories, `.device`, and numbers that are read."""

    def __init__(self, watched: Watched) -> None:
        super().__init__()
        self._watched = watched
        self._properties = {
            Tensor.device.__get__: lambda place: place,
            Tensor.is_cuda.__get__: lambda place: place.type == "cuda",
            Tensor.is_mps.__get__: lambda place: place.type == "mps",
            Tensor.is_cpu.__get__: lambda place: place.type == "cpu",
        }

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, seen = dict(kwargs or {}), self._watched
        if func in self._properties:
            return self._properties[func](seen.where(args[0]))
        if func in (Tensor.to, Tensor.cpu, Tensor.cuda):
            return self._moved(func, args, kwargs)
        if func == Tensor.grad.__set__ and args[1] is not None:
            if seen.where(args[0]) != seen.where(args[1]):
                raise WrongDeviceError("a gradient is not where its parameter is")
        elif func in (Tensor.numpy, Tensor.__array__) and seen.where(args[0]) != CPU:
            raise TypeError(f"can't convert {seen.where(args[0])} device type tensor to numpy")
        elif func is Tensor.tolist and seen.where(args[0]) != CPU:
            seen.waited("tolist")
        elif func is Tensor.__deepcopy__:
            found = func(*args, **kwargs)
            seen.put(found, seen.where(args[0]))
            return found
        elif func is Tensor.new_tensor:
            kwargs.setdefault("device", seen.where(args[0]))
        if kwargs.get("device") is None or _whole(kwargs["device"]) not in (CPU, seen.device):
            return func(*args, **kwargs)
        device = _whole(kwargs["device"])
        kwargs["device"] = CPU
        if device != CPU and kwargs.get("generator") is not None:
            raise WrongDeviceError(f"{func.__name__} on {device} with a generator of the CPU")
        found = func(*args, **kwargs)
        if device != CPU and func in (torch.tensor, torch.as_tensor, Tensor.new_tensor):
            seen.waited("copy from the host")
        seen.put(found, device)
        return found

    def _moved(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Tensor:
        x, rest, kwargs_given = args[0], list(args[1:]), dict(kwargs)
        seen = self._watched
        place = seen.where(x)
        device = place
        if func is Tensor.cpu:
            device, rest = CPU, []
        elif func is Tensor.cuda:
            device, rest = torch.device("cuda", 0), []
        elif rest and isinstance(rest[0], Tensor):
            device, rest[0] = seen.where(rest[0]), rest[0].dtype
        elif rest and isinstance(rest[0], torch.device | str):
            device = _whole(rest.pop(0))
            if rest and rest[0] is None:
                rest.pop(0)
                if rest and isinstance(rest[0], bool):
                    kwargs["non_blocking"] = rest.pop(0)
        elif kwargs.get("device") is not None:
            device = _whole(kwargs["device"])
        kwargs.pop("device", None)
        if rest and isinstance(rest[0], bool):
            kwargs["non_blocking"] = rest.pop(0)
        if device not in (CPU, seen.device):
            return func(*args, **kwargs_given)
        blocking = not kwargs.pop("non_blocking", False)
        if not rest and not kwargs:
            found = x.clone() if device != place else x
        else:
            found = Tensor.to(x, *rest, **kwargs)
            if device != place and found is x:
                found = x.clone()
        if device != place:
            if blocking:
                seen.waited("copy to the host" if device == CPU else "copy from the host")
            seen.put(found, device)
        return found


def _whole(device: torch.device | str | int) -> torch.device:
    found = torch.device(device) if not isinstance(device, int) else torch.device("cuda", device)
    return found if found.type == "cpu" or found.index is not None else torch.device(found.type, 0)


def _grouped(watched: Watched, plain: Any) -> Any:
    """Return torch's grouping of an optimiser's tensors, by where they say they are."""

    def by_place(tensorlistlist: Any, with_indices: bool = False) -> Any:
        found = plain(tensorlistlist, with_indices)
        return {
            (watched.where(next(x for x in lists[0] if x is not None)), dtype): (lists, indices)
            for (_, dtype), (lists, indices) in found.items()
        }

    return by_place


@contextmanager
def pretended(kind: str = "cuda:0") -> Iterator[Watched]:
    """Let there be a device of a kind within the block."""
    watched = Watched(torch.device(kind))
    # Not an attribute of its package, which has a class of nearly that name.
    optimiser = importlib.import_module("torch.optim.optimizer")
    plain, run = optimiser._group_tensors_by_device_and_dtype, threading.Thread.run

    def run_there(thread: threading.Thread) -> None:
        with _Operations(watched), _Calls(watched):
            run(thread)

    replaced: list[tuple[Any, str, Any]] = [
        (optimiser, "_group_tensors_by_device_and_dtype", _grouped(watched, plain)),
        (threading.Thread, "run", run_there),
        (device_names, "is_there", lambda device: device in (CPU, watched.device)),
        (device_names, "best_device", lambda: watched.device),
        (copies, "copies_beside_work", lambda device: False),
        (batches, "copies_beside_work", lambda device: False),
        (torch.cuda, "mem_get_info", lambda device: (_FREE, _FREE)),
        (torch.cuda, "memory_reserved", lambda device: 0),
        (torch.cuda, "memory_allocated", lambda device: 0),
        (torch.cuda, "get_device_name", lambda device: "a pretended card"),
        (torch.cuda, "is_bf16_supported", lambda including_emulation: True),
        (torch.cuda, "synchronize", lambda device: None),
        (torch.cuda, "empty_cache", lambda: None),
        (torch.mps, "recommended_max_memory", lambda: _FREE),
        (torch.mps, "driver_allocated_memory", lambda: 0),
        (torch.mps, "synchronize", lambda: None),
        (torch.mps, "empty_cache", lambda: None),
        # What is kept for the next question is not of this device, and nothing of here is outside.
        (load, "_held", []),
        (asked, "_held", OrderedDict()),
        (traced, "_held", {}),
    ]
    with ExitStack() as stack:
        for owner, name, value in replaced:
            stack.enter_context(mock.patch.object(owner, name, value))
        stack.enter_context(_Operations(watched))
        stack.enter_context(_Calls(watched))
        yield watched
