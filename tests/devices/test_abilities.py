"""What each kind of device is said to be able to do, and how it is told that memory ran out."""

import pytest
import torch

from sae_desktop.devices import abilities
from sae_desktop.devices.copies import Download, copies_beside_work
from sae_desktop.devices.out_of_memory import is_out_of_memory

CPU, CARD, METAL = torch.device("cpu"), torch.device("cuda", 0), torch.device("mps")


def test_metal__has_neither_double_precision_nor_a_scaled_step_nor_a_sampled_product() -> None:
    for can in (
        abilities.has_float64, abilities.scales_in_fused_step, abilities.has_sampled_product,
        abilities.has_quantised_layers,
    ):  # fmt: skip
        assert [can(device) for device in (CPU, CARD, METAL)] == [True, True, False], can.__name__
    assert not abilities.has_native_bfloat16(METAL)


def test_bfloat16_of_a_card__is_what_torch_says_without_emulation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []

    def supported(including_emulation: bool = True) -> bool:
        asked.append(including_emulation)
        return True

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert abilities.has_native_bfloat16(CARD)
    assert asked == [False]


def test_memory_of_a_card__is_its_own_and_that_of_others_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7_000, 9_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 1_500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1_000)
    assert abilities.free_of_its_own(CARD) == 7_500
    assert abilities.taken_of_its_own(CARD) == 1_000
    for device in (CPU, METAL):
        assert abilities.free_of_its_own(device) is None
        assert abilities.taken_of_its_own(device) is None
    assert abilities.lent(CARD) is abilities.lent(CPU) is None


def test_waiting_and_giving_back__reach_the_devices_own_runtime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: told.append(f"wait {device}"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: told.append("wait mps"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: told.append("empty cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: told.append("empty mps"))
    for device in (CPU, CARD, METAL):
        abilities.synchronise(device)
        abilities.give_back_cache(device)
    assert told == ["wait cuda:0", "empty cuda", "wait mps", "empty mps"]


def test_second_card__is_there_only_if_there_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert abilities.available_devices()[0] == "cuda"
    assert abilities.best_device() == torch.device("cuda", 1)
    assert abilities.cards() == [torch.device("cuda", 0), torch.device("cuda", 1)]
    assert abilities.is_there(torch.device("cuda", 1))
    assert not abilities.is_there(torch.device("cuda", 2))


def test_float64_on_the_cpu__is_made_where_the_values_are() -> None:
    values = torch.tensor([0.1, 0.2])
    assert abilities.float64_of(values).dtype == torch.float64
    assert abilities.float64_of(values).tolist() == values.double().tolist()


def test_rows_of_the_cpu__are_downloaded_at_once() -> None:
    assert copies_beside_work(CARD)
    assert not copies_beside_work(CPU)
    assert not copies_beside_work(METAL)
    values = [torch.arange(3), torch.ones(2)]
    found = Download(values).finished()
    assert [tensor.tolist() for tensor in found] == [[0, 1, 2], [1.0, 1.0]]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GiB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_every_devices_complaint__is_understood(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")],
)
def test_other_errors__are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)
