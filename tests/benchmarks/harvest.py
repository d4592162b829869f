"""What harvesting costs beside the bare truncated forward pass, in one run.

    python tests/benchmarks/harvest.py [--model builtin --site blocks.3.hook_resid_post]
    python tests/benchmarks/harvest.py --model smollm2 --site blocks.14.hook_resid_post \\
        --model-dtype bfloat16 --tokens 30000
    python tests/benchmarks/harvest.py --pictures FOLDER --model MODEL --tokens 30000
    python tests/benchmarks/harvest.py --memory

The bare pass runs the very batches of the harvest, as far as the last site, and keeps nothing.
The harvest is the whole job: text read and tokenised, rows encoded, measured, written, synced
and committed. Of pictures, the batches of the bare pass are prepared beforehand; the harvest
reads, decodes and prepares each picture, and makes its thumbnail. Both are timed from the end of
the first group of windows, when both are warm; rounds alternate, and shown are the median and the
range of the rounds' ratios, by the clock and by the CPU time of the process. `--peers` adds what
other libraries' harvesting takes for as many tokens of the same text in the same run; one that is
missing is left out.

`--memory` shows the peak resident memory of processes that harvest 10 thousand to 2 million
tokens. Ten thousand are one group: there is nothing yet that waits to be read or written.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Threads that spin while they wait would count as CPU time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import msgspec
from harvest_peers import MissingPeerError, dictionary_learning_arm, saelens_arm
from torch import Tensor

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.harvest_groups import Group, window_groups
from sae_desktop.activations.harvest_plan import HarvestPlan, plan_harvest
from sae_desktop.activations.picture_plan import plan_any
from sae_desktop.corpus.windows import ReadingPoint
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.sites.capture import visit_inputs, visit_sites
from sae_desktop.language_model.sites.resolve import Site, decoder_layers
from sae_desktop.project import Project

REACH = {"builtin": 0.90, "smollm2": 0.95}
MEMORY_TOKENS = (10_000, 100_000, 500_000, 2_000_000)


@dataclass(frozen=True)
class Clock:
    """A moment, by the clock on the wall and by this process's CPU time, in seconds."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Clock:
        return cls(time.perf_counter(), time.process_time())

    def since(self, begin: Clock) -> Clock:
        return Clock(self.wall - begin.wall, self.cpu - begin.cpu)


class Stopwatch(SilentContext):
    """Remembers when the first group of a harvest was read."""

    begin: Clock | None = None
    begin_rows = 0.0

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if done and self.begin is None:
            self.begin, self.begin_rows = Clock.now(), done


def bare(plan: HarvestPlan, groups: Sequence[Group]) -> Clock:
    """Run the batches after the first group's as far as the last site."""
    begin = Clock.now()
    for number, group in enumerate(groups):
        if number == 1:
            begin = Clock.now()
        for batch in group.batches:
            if batch.pictures is not None:
                rows, length = batch.ids_BS.shape
                visit_inputs(plan.lm, batch.pictures.inputs, rows, length, plan.sites, _nothing)
            else:
                visit_sites(plan.text, batch.ids_BS, batch.mask_BS, plan.sites, _nothing)
    return Clock.now().since(begin)


def _nothing(site: Site, value: Tensor) -> None:
    del site, value


def harvested(config: HarvestConfig) -> Clock:
    """Run the job and return what it took after its first group."""
    watch = Stopwatch()
    harvest(config, watch)
    assert watch.begin is not None
    return Clock.now().since(watch.begin)


def ratios(config: HarvestConfig, rounds: int) -> list[Clock]:
    """Return bare ÷ harvest of each round: 1 where harvesting costs nothing."""
    plan = plan_any(config)
    groups = list(window_groups(plan, ReadingPoint(), config.tokens))
    if len(groups) < 3:
        raise SystemExit("Too few tokens for three groups: raise --tokens or lower --batch-tokens.")
    bare(plan, groups[:2])
    found = []
    before = bare(plan, groups)
    for number in range(rounds):
        took = harvested(_named(config, f"round-{number}"))
        after = bare(plan, groups)
        found.append(
            Clock(
                (before.wall + after.wall) / 2 / took.wall, (before.cpu + after.cpu) / 2 / took.cpu
            )
        )
        rows = sum(sum(group.rows) for group in groups[1:])
        print(
            f"  round {number + 1}: bare {rows / after.wall:,.0f} tokens/s, harvest "
            f"{rows / took.wall:,.0f}; ratio {found[-1].wall:.3f} by the clock, "
            f"{found[-1].cpu:.3f} by CPU time",
            flush=True,
        )
        before = after
    return found


def show_peers(config: HarvestConfig, rounds: int) -> None:
    """Time other libraries' harvesting of as many tokens, between bare passes in the same run."""
    plan = plan_harvest(config)
    model, tokenizer, width = plan.lm.model, plan.text.tokenizer, plan.widths[0]
    layer = next(
        name for name, module in model.named_modules()
        if module is decoder_layers(model)[plan.sites[0].layer]
    )  # fmt: skip
    windows = max(1, config.batch_tokens // config.context_size)
    groups = list(window_groups(plan, ReadingPoint(), config.tokens))
    texts = _pieces(plan, groups)
    for name, make in (("SAELens", saelens_arm), ("dictionary_learning", dictionary_learning_arm)):
        try:
            arm = make(model, tokenizer, layer, width, texts, config.context_size, windows)
            arm(2 * config.batch_tokens)
        except MissingPeerError as error:
            print(f"left out: {error}")
            continue
        before = bare(plan, groups).wall / (config.tokens - sum(groups[0].rows))
        found = []
        for _ in range(rounds):
            took = arm(config.tokens) / config.tokens
            after = bare(plan, groups).wall / (config.tokens - sum(groups[0].rows))
            found.append((before + after) / 2 / took)
            before = after
        print(f"{name} ÷ bare forward: {spread(found)} by the clock", flush=True)


def _pieces(plan: HarvestPlan, groups: Sequence[Group]) -> list[str]:
    """Return the text of the windows, full ones only: what the others read is as long."""
    room = plan.windows.room
    return [
        plan.text.tokenizer.decode(window.ids[len(plan.windows.prefix) :])
        for group in groups
        for window in group.windows
        if len(window.ids) - len(plan.windows.prefix) == room
    ]


def _named(config: HarvestConfig, name: str) -> HarvestConfig:
    return msgspec.structs.replace(config, name=name)


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f}–{max(values):.3f})"


def show_speed(config: HarvestConfig, rounds: int) -> None:
    found = ratios(config, rounds)
    reach = 0.90 if config.pictures else REACH.get(config.model)
    print(
        f"harvest ÷ bare forward, {config.model} as far as {config.site}, batches of "
        f"{config.batch_tokens:,} tokens: {spread([f.wall for f in found])} by the clock, "
        f"{spread([f.cpu for f in found])} by CPU time"
        + (f"; to reach {reach:.2f}" if reach else "")
    )


def show_memory(make: Callable[[int], HarvestConfig]) -> None:
    """Harvest few and many tokens, a process each, and print their peaks."""
    peaks = []
    for tokens in MEMORY_TOKENS:
        done = subprocess.run(
            [sys.executable, __file__, "--peak-of", str(tokens), "--model", make(1).model,
             "--site", make(1).site],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout.split()[-1]))
        print(f"{tokens:>9,} tokens: peak resident memory {peaks[-1] / 1e6:,.0f} MB", flush=True)
    first, second, *_ = peaks
    print(f"the last ÷ the first {peaks[-1] / first:.2f}, ÷ the second {peaks[-1] / second:.2f}")


def peak_of(config: HarvestConfig) -> None:
    """Harvest, and print this process's peak of resident memory, in bytes.

    Pages of the store's file that the system keeps in memory are not the process's own: it
    writes them with positioned writes and maps nothing.
    """
    harvest(config, SilentContext())
    print(own_peak())


def own_peak() -> int:
    """Return the peak of this process's resident memory; `getrusage` would count its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--site", default="blocks.3.hook_resid_post")
    parser.add_argument("--model-dtype", default="auto")
    parser.add_argument("--dtype", default="float16")
    parser.add_argument("--corpus", default="builtin")
    parser.add_argument("--pictures", default="")
    parser.add_argument("--context-size", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak-of", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project.open_or_create(Path(folder) / "bench.saeproj")

        def make(tokens: int) -> HarvestConfig:
            return HarvestConfig(
                project=str(project.path),
                name="store",
                model=arguments.model,
                model_dtype=arguments.model_dtype,
                site=arguments.site,
                corpus=arguments.corpus,
                pictures=arguments.pictures,
                context_size=arguments.context_size,
                tokens=tokens,
                dtype=arguments.dtype,
                batch_tokens=arguments.batch_tokens,
                device="cpu",
            )

        if arguments.peak_of:
            peak_of(make(arguments.peak_of))
        elif arguments.memory:
            show_memory(make)
        else:
            show_speed(make(arguments.tokens), arguments.rounds)
            if arguments.peers:
                show_peers(make(arguments.tokens), arguments.rounds)


if __name__ == "__main__":
    main()
