"""SAELens's dictionaries on the rows that `synth_bench.py` trains ours on, and measured alike.

    python tests/benchmarks/synth_peer.py OUT --architectures batchtopk matryoshka --lr 3e-4

Takes the options of `synth_bench.py` and writes beside it, as `saelens-NAME`; needs the extra
`benchmark`. Its trainer, and its defaults but for the rate, which falls to a tenth over the last
third where `--decay` is given, and for the window after which a feature is dead: a tenth of the
run, as ours have it, where its own is longer, else no feature would return.
`jumprelu:WEIGHT` has its quadratic penalty, which aims at k, with that weight.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from held_out import from_saelens
from peer_arm import peer
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from synth_bench import INITIAL_ROWS, parsed, world_of, write
from torch import Tensor

from sae_desktop.dictionary.normalisation import Affine, scalar_of
from sae_desktop.training.benchmark.synthetic import World

DECAY_SHARE = 1 / 3
DEAD_STEPS = 1000


def train(args: Any, world: World, name: str) -> None:
    generator = torch.Generator().manual_seed(args.seed)
    first = world.samples(generator, INITIAL_ROWS).x_ND
    width = world.sizes.width
    affine = Affine.scaling(scalar_of(first.norm(dim=1).numpy(), width), width)
    drawing = 0.0

    def batches() -> Iterator[Tensor]:
        nonlocal drawing
        while True:
            begun = time.process_time()
            x = affine.apply(world.samples(generator, args.batch).x_ND)
            drawing += time.process_time() - begun
            yield x

    steps = args.rows // args.batch
    config = SAETrainerConfig(
        total_training_samples=steps * args.batch,
        train_batch_size_samples=args.batch,
        lr=args.lr,
        lr_end=args.lr / 10,
        lr_decay_steps=int(DECAY_SHARE * steps) if args.decay else 0,
        dead_feature_window=min(DEAD_STEPS, steps // 10),
    )
    sae = peer(name, args, width, steps)
    begun = time.process_time()
    SAETrainer(config, sae, batches()).fit()
    spent = time.process_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        sae.save_inference_model(folder)
        read = from_saelens(Path(folder)).scaled(float(affine.scale[0]))
    arm = SimpleNamespace(
        name=f"saelens-{name}",
        rows=steps * args.batch,
        lr=args.lr,
        seconds=spent - drawing,
        dictionary=lambda _: read,
    )
    args.rows = arm.rows
    write(args, world, arm, affine, drawing)


def main() -> None:
    args, sizes = parsed(__doc__, ["batchtopk", "matryoshka"])
    world = world_of(sizes, args.out)
    for name in args.architectures:
        train(args, world, name)


if __name__ == "__main__":
    main()
