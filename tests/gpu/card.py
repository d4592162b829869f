"""All that is checked on a real card, in one go of under nine minutes.

    python tests/gpu/card.py                                 # on the machine's first card
    python tests/gpu/card.py --device cuda:1 --only gradients copies
    python tests/gpu/card.py --device cpu --tiny             # what CI runs: that it works at all

It needs torch and what `pip install sae-desktop` brings, no network, and no model: it makes
one. Where a machine has torch alone, carry the wheels of the rest along:

    pip download --no-deps -d wheels msgspec psutil h5py transformers tokenizers safetensors …
    pip install --no-index --find-links wheels --no-deps wheels/*

A check that raises, or a figure outside its limits, makes it end with 1; the others are made
nevertheless. `--json FILE` keeps the figures. A check is not begun that would end after
`--minutes`; it is named as left out, which is no success either.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from bench import FULL, TINY, Bench, Figure
from model_checks import harvesting, indexing, planned_memory, short_memory, steering
from training_checks import copies, curves, gradients, step_time

CHECKS: dict[str, Callable[[Bench], list[Figure]]] = {
    "gradients": gradients,
    "step_time": step_time,
    "copies": copies,
    "harvesting": harvesting,
    "indexing": indexing,
    "steering": steering,
    "planned_memory": planned_memory,
    "short_memory": short_memory,
    "curves": curves,
}
"""The most telling first, the longest last: what there is no time for is left out at the end.
Those of a model follow one another."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check this program on a real card.")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(arguments)
    device = torch.device(args.device)
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
    print(f"{_named(device)}, torch {torch.__version__}, Python {platform.python_version()}")
    began, found, wrong = time.monotonic(), {}, 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            device, TINY if args.tiny else FULL, Path(folder),
            timed=device.type != "cpu" and not args.tiny,
        )  # fmt: skip
        for name in args.only:
            print(f"{name}:", flush=True)
            if time.monotonic() - began > 60 * args.minutes:
                print("  LEFT OUT: no time is left")
                wrong += 1
                continue
            figures = _made(name, bench)
            wrong += not figures
            for figure in figures:
                print(f"  {figure}", flush=True)
                wrong += not figure.holds
            found[name] = {figure.name: figure.value for figure in figures}
    print(f"{time.monotonic() - began:.0f} s, {wrong or 'nothing'} wrong")
    if args.json:
        args.json.write_text(json.dumps({"device": _named(device), "figures": found}, indent=1))
    return 1 if wrong else 0


def _made(name: str, bench: Bench) -> list[Figure]:
    try:
        return CHECKS[name](bench)
    except Exception:  # said, and the next check is made
        traceback.print_exc(file=sys.stdout)
        return []


def _named(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"


if __name__ == "__main__":
    sys.exit(main())
