"""What a training step costs, in units of its dense matrix products.

    python tests/benchmarks/training_step.py [--sizes 256×4096×4096 512×8192×4096]
    python tests/benchmarks/training_step.py --only ours --architectures topk
    python tests/benchmarks/training_step.py --memory

A step is forward, loss, backward, clipping and optimiser. Its CPU time, over all threads of the
process, is divided by that of the five dense float32 products that a step of this size has:
x·W_encᵀ and f·W_dec forward, ∂x̂·W_decᵀ, fᵀ·∂x̂ and ∂preᵀ·x backward. These are timed before and
after every step, so that what slows the machine slows both; shown is the median of the ratios.
No feature is dead here, so no arm computes AuxK. `--memory` shows the peak resident memory of a
process that takes five steps.

The libraries compared with are in the extra `benchmark`; one that is missing is left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "2")
# Threads that spin while they wait would count as CPU time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import psutil
import torch
from step_arms import (
    Arm,
    MissingPeerError,
    Size,
    dictionary_learning_arm,
    our_arm,
    saelens_arm,
    sparsify_arm,
)
from torch import Tensor

SIZES = [Size(256, 4096, 4096), Size(512, 8192, 4096)]
OURS = ["standard", "topk", "batchtopk", "matryoshka", "jumprelu"]
REACH = {
    (256, 4096, 4096): [0.80, 0.36, 0.45, 0.60, 0.85],
    (512, 8192, 4096): [0.60, 0.24, 0.32, 0.45, 0.65],
}
"""What ours, bfloat16, is to reach at these sizes, in the order of OURS."""
PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
BATCHES = 4
PIECE = 256
WARM_UP = 8
PEER_WARM_UP = 2


def batches(size: Size, count: int) -> list[Tensor]:
    """Return rows that are sparse sums of random directions, as activations are: E‖x‖² = D."""
    generator = torch.Generator().manual_seed(1)
    sources = 2 * size.features
    directions = torch.randn(sources, size.width, generator=generator)
    rates = 1 / torch.arange(1, sources + 1)
    # About as many sources a row as features are kept.
    rates = (rates * size.k / rates.sum()).clamp_max(0.5)

    def piece(rows: int) -> Tensor:
        on = torch.rand(rows, sources, generator=generator) < rates
        return (on * (0.5 + torch.rand(rows, sources, generator=generator))) @ directions

    found = []
    for _ in range(count):
        # In pieces, so that making the rows takes little memory beside the step.
        pieces = [piece(min(PIECE, size.batch - at)) for at in range(0, size.batch, PIECE)]
        x_TD = torch.cat(pieces)
        found.append(x_TD * (size.width / x_TD.pow(2).sum(dim=1).mean()).sqrt())
    return found


class Products:
    """The dense products of a step, from and into buffers that are there already."""

    def __init__(self, size: Size, precision: torch.dtype) -> None:
        T, D, F = size.batch, size.width, size.features

        def made(*shape: int) -> Tensor:
            return torch.randn(shape).to(precision)

        self._x_TD, self._error_TD, self._out_TD = made(T, D), made(T, D), made(T, D)
        self._f_TF, self._pre_TF, self._out_TF = made(T, F), made(T, F), made(T, F)
        self._W_enc_FD, self._W_dec_FD, self._out_FD = made(F, D), made(F, D), made(F, D)

    def one(self) -> None:
        torch.mm(self._x_TD, self._W_enc_FD.T, out=self._out_TF)

    def five(self) -> None:
        self.one()
        torch.mm(self._f_TF, self._W_dec_FD, out=self._out_TD)
        torch.mm(self._error_TD, self._W_dec_FD.T, out=self._out_TF)
        torch.mm(self._f_TF.T, self._error_TD, out=self._out_FD)
        torch.mm(self._pre_TF.T, self._x_TD, out=self._out_FD)


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of a call, over all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def ratios(
    works: list[Callable[[Tensor], object]], rows: list[Tensor], products: Products, rounds: int
) -> list[list[float]]:
    """Time each work `rounds` times in turn, each over the products just before and after."""
    found: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        x_TD = rows[number % len(rows)]
        before = seconds(products.five)
        for place, work in enumerate(works):
            spent = seconds(partial(work, x_TD))
            after = seconds(products.five)
            found[place].append(2 * spent / (before + after))
            before = after
    return found


def our_arms(size: Size, args: argparse.Namespace, sample: Tensor) -> list[Arm]:
    return [
        our_arm(architecture, size, PRECISIONS[precision], args.l0, sample)
        for precision in args.precisions
        for architecture in args.architectures
    ]


def peer_arms(size: Size, only: str) -> list[Arm]:
    """Return the arms of the libraries that are installed; say which are not."""
    makers: list[tuple[str, Callable[[str, Size], Arm], list[str]]] = [
        ("saelens", saelens_arm, ["standard", "topk", "batchtopk"]),
        ("dictionary_learning", dictionary_learning_arm, ["standard", "topk", "batchtopk"]),
        ("sparsify", sparsify_arm, ["topk", "topk, Adam"]),
    ]
    arms = []
    for library, make, architectures in makers:
        if only not in ("all", "peers", library):
            continue
        try:
            arms += [make(architecture, size) for architecture in architectures]
        except MissingPeerError as error:
            print(f"Left out: {error}")
    return arms


def measure(size: Size, args: argparse.Namespace) -> dict[str, tuple[float, float, float]]:
    """Return the median, least and largest ratio of each arm and of the limits."""
    rows = batches(size, BATCHES)
    arms: list[Arm] = []
    if args.only in ("all", "ours"):
        ours = our_arms(size, args, rows[0])
        for arm in ours:
            levels = [arm.step(rows[n % BATCHES]) for n in range(args.warm_up)]
            print(f"{size} {arm.name}: L0 {levels[-1]:.0f} after {args.warm_up} steps", flush=True)
        arms += ours
    if args.only != "ours":
        peers = peer_arms(size, args.only)
        for arm in peers:
            for n in range(PEER_WARM_UP):
                arm.step(rows[n % BATCHES])
        arms += peers
    dense, low = Products(size, torch.float32), Products(size, torch.bfloat16)
    works: list[tuple[str, Callable[[Tensor], object]]] = [(a.name, a.step) for a in arms]
    works += [
        ("limit: five bfloat16 products", lambda _: low.five()),
        ("limit: one float32 product", lambda _: dense.one()),
    ]
    for _ in range(2):
        dense.five()
        low.five()
    timed = ratios([work for _, work in works], rows, dense, args.rounds)
    return {
        name: (statistics.median(found), min(found), max(found))
        for (name, _), found in zip(works, timed, strict=True)
    }


def show(size: Size, found: dict[str, tuple[float, float, float]]) -> None:
    reach = dict(zip(OURS, REACH.get((size.width, size.features, size.batch), []), strict=False))
    print(f"\n| {size} (width × features × batch) | ratio | least – largest | reach |")
    print("|---|---|---|---|")
    for name, (median, least, largest) in found.items():
        library, _, architecture = name.rpartition(" ")
        wanted = f"{reach[architecture]:.2f}" if architecture in reach else ""
        wanted = wanted if library == "ours, bfloat16" else ""
        print(f"| {name} | {median:.2f} | {least:.2f} – {largest:.2f} | {wanted} |", flush=True)


def show_together(found: dict[Size, dict[str, tuple[float, float, float]]]) -> None:
    """Print the medians as one table: a row a library, its architectures side by side."""
    print("\n| | " + " | ".join(map(str, found)) + " |")
    print("|---" * (1 + len(found)) + "|")
    libraries: dict[str, list[str]] = {}
    for name in next(iter(found.values())):
        library, _, architecture = name.rpartition(" ")
        if not name.startswith("limit") and architecture != "Adam":
            libraries.setdefault(library, []).append(architecture)
    for library, architectures in libraries.items():
        cells = [
            " / ".join(f"{ratios[f'{library} {each}'][0]:.2f}" for each in architectures)
            for ratios in found.values()
        ]
        print(f"| {library}: {' / '.join(architectures)} | {' | '.join(cells)} |")
    reach = [
        " / ".join(
            f"{ratio:.2f}" for ratio in REACH.get((size.width, size.features, size.batch), [])
        )
        for size in found
    ]
    print(f"| reach: {' / '.join(OURS)} | {' | '.join(reach)} |")


_CHILD = "import sys; sys.path[:0] = {path!r}; import training_step as t; t.five_steps({arm!r})"


def five_steps(library: str) -> None:
    """Take five TopK steps in this process; print its resident memory before, and the peak."""
    size = SIZES[-1]
    rows = batches(size, 1)[0]
    if library == "ours":
        arm = our_arm("topk", size, torch.bfloat16, 0, rows)
    else:
        arm = {"SAELens": saelens_arm, "sparsify": sparsify_arm}[library]("topk", size)
    before = psutil.Process().memory_info().rss
    for _ in range(5):
        arm.step(rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{before / 1e6:.0f} {peak / 1e6:.0f}")


def show_memory() -> None:
    """Print the peak resident memory of a process of each library at the larger size."""
    print(f"\n| {SIZES[-1]} TopK, five steps | before the steps, MB | peak, MB |")
    print("|---|---|---|")
    for library in ("ours", "SAELens", "sparsify"):
        command = _CHILD.format(path=sys.path[:1], arm=library)
        child = subprocess.run(
            [sys.executable, "-c", command], capture_output=True, text=True, check=False
        )
        if child.returncode:
            print(f"Left out: {library}: {child.stderr.strip().splitlines()[-1]}")
            continue
        before, peak = child.stdout.split()[-2:]
        print(f"| {library} | {before} | {peak} |", flush=True)


def main() -> None:
    args = parse()
    torch.set_num_threads(args.threads)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}, load {os.getloadavg()[0]:.2f}, "
        f"medians of {args.rounds}"
    )
    if args.memory:
        show_memory()
        return
    found = {}
    for size in args.sizes:
        found[size] = measure(size._replace(k=args.k), args)
        show(size, found[size])
    show_together(found)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", type=_size, nargs="+", default=SIZES, metavar="D×F×T")
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument(
        "--only",
        choices=["all", "ours", "peers", "saelens", "dictionary_learning", "sparsify"],
        default="all",
    )
    parser.add_argument("--architectures", nargs="+", default=OURS)
    parser.add_argument(
        "--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS)
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="Steps of ours.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--l0", type=float, default=100.0, help="L0 to begin with where there is no k; 0: as made."
    )
    parser.add_argument("--memory", action="store_true")
    return parser.parse_args()


def _size(text: str) -> Size:
    width, features, batch = (int(part) for part in text.replace("x", "×").split("×"))
    return Size(width, features, batch)


if __name__ == "__main__":
    main()
