"""Damage files of every kind that is read from others, and look how the readers take it.

    python tests/fault/fuzz_readers.py [--inputs 10000] [--only NAME]

A valid file of each kind is damaged in a seeded way: bytes changed, cut out, doubled, cut short,
numbers made extreme, pieces of two files joined. A reader may read it or raise UserError that
names the file; anything else, a wait of over ten seconds, and memory beyond the limit is a fault.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz_samples import KINDS, json_bytes

from sae_desktop.errors import UserError

SECONDS = 10
MEMORY = 6 * 2**30
EXTREME = (b"-1", b"0", b"9" * 30, b"1e999", b"NaN", b"null", b"[]", b"{}", b'""', b"-0.0")


class TooLongError(Exception):
    pass


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one to four things wrong with them, or a value of another type."""
    if rng.random() < 0.4 and (other := mistyped(data, rng)) is not None:
        return other
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if not out:
            break
        at = rng.randrange(len(out))
        size = rng.choice((1, 2, 4, 8, 16, 64))
        match rng.randrange(8):
            case 0:
                out[at] = rng.randrange(256)
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = out[at : at + size]
            case 3:
                del out[at:]
            case 4:
                out[at : at + size] = rng.randbytes(size)
            case 5:
                out[at:at] = rng.choice(EXTREME)
            case 6:
                out[at : at + 8] = rng.choice((2**63 - 1, 2**40, 0, 2**32)).to_bytes(8, "little")
            case _:
                digits = [i for i, byte in enumerate(out) if 48 <= byte <= 57]
                if digits:
                    place = rng.choice(digits)
                    out[place : place + 1] = rng.choice(EXTREME)
    return bytes(out)


WRONG_TYPES: tuple[Any, ...] = ([], {}, [[1]], {"a": 1}, "x", "", 3, -1, 0, 1.5, None, True, 10**30)
DEEP = b"[" * 20_000


def mistyped(data: bytes, rng: random.Random) -> bytes | None:
    """Return JSON with one value of another type, or nested too deep; None for other files."""
    lines = data.splitlines() or [b""]
    number = rng.randrange(len(lines)) if data[:1] == b"{" and len(lines) > 1 else None
    try:
        value = json.loads(data if number is None else lines[number])
    except (ValueError, UnicodeDecodeError):
        return None
    if rng.random() < 0.05:
        return data[:1] + b'"deep":' + DEEP if data[:1] == b"{" else DEEP
    places = list(_places(value, []))
    if not places:
        return json_bytes(rng.choice(WRONG_TYPES))
    *before, last = rng.choice(places)
    inside = value
    for key in before:
        inside = inside[key]
    inside[last] = rng.choice(WRONG_TYPES)
    if number is None:
        return json_bytes(value)
    lines[number] = json_bytes(value)
    return b"\n".join(lines)


def _places(value: Any, before: list[Any]) -> Iterator[list[Any]]:
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield [*before, key]
        yield from _places(value[key], [*before, key])


def _alarm(_number: int, _frame: FrameType | None) -> None:
    raise TooLongError


def fuzz(name: str, inputs: int, seed: int = 0) -> collections.Counter[str]:
    """Return how often a kind was read, refused, or at fault; faults are printed."""
    files, read = KINDS[name]
    rng = random.Random(f"{name}{seed}")
    counts: collections.Counter[str] = collections.Counter()
    longest = 0.0
    for number in range(inputs):
        with tempfile.TemporaryDirectory() as around:
            folder = Path(around) / "in"
            hit = rng.choice(list(files))
            for path, data in files.items():
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(damaged(data, rng) if path == hit else data)
            began = time.monotonic()
            signal.alarm(SECONDS)
            try:
                read(folder)
                counts["read"] += 1
            except UserError:
                counts["refused"] += 1
            except BaseException as error:
                counts["faults"] += 1
                if counts["faults"] <= 3:
                    print(f"{name}, input {number}, {hit}: {type(error).__name__}")
                    traceback.print_exc(limit=-4)
                if isinstance(error, KeyboardInterrupt):
                    raise
            finally:
                signal.alarm(0)
            longest = max(longest, time.monotonic() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {dict(counts)}, the longest {longest:.2f} s, peak {peak:,.0f} MB", flush=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _alarm)
    names = [options.only] if options.only else list(KINDS)
    counts = [fuzz(name, options.inputs, options.seed) for name in names]
    return int(any(found["faults"] for found in counts))


if __name__ == "__main__":
    sys.exit(main())
