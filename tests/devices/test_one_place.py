"""Only `sae_desktop.devices` asks torch what kind of device there is."""

import re
from pathlib import Path

import pytest

import sae_desktop

ROOT = Path(sae_desktop.__file__).parent
ASKS = re.compile(
    r"""\.type\s*[!=]=\s*["'](?:cuda|cpu|mps)["']   # which kind it is
    |torch\.(?:cuda|mps|backends|accelerator)\b
    |\bpin_memory\b|(?:except|isinstance).*OutOfMemoryError|\bis_bf16_supported\b""",
    re.VERBOSE,
)


DOUBLE_THERE = re.compile(r"\.double\(\)\.cpu\(\)|float64\)\.cpu\(\)")
"""Double precision made on the device, and brought over afterwards: Metal has none."""


def _lines(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).parts[0] != "devices"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nobody_else_knows_devices_apart() -> None:
    assert _lines(ASKS) == []


def test_double_precision__is_made_where_numbers_were_brought_to() -> None:
    assert _lines(DOUBLE_THERE) == []


@pytest.mark.parametrize(
    "line",
    [
        'if device.type == "cuda":', "torch.cuda.synchronize()", "torch.mps.empty_cache()",
        "except torch.OutOfMemoryError:", "torch.empty(3, pin_memory=True)",
    ],
)  # fmt: skip
def test_the_search__knows_how_it_is_asked(line: str) -> None:
    assert ASKS.search(line)
