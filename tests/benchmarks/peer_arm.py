"""The arm of benchmarks that is SAELens's: its dictionaries, its defaults but for what is asked."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from sae_lens import (
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)

LEVELS = (1 / 32, 1 / 8, 1 / 2)
"""Of its published Matryoshka: the inner levels."""
L1_WARM_UP_SHARE = 0.05
L0_WARM_UP_SHARE = 0.5


def peer(name: str, args: argparse.Namespace, width: int, steps: int) -> Any:
    """Return a dictionary of SAELens to train, by `args.features`, `args.k` and `args.seed`.

    `jumprelu:WEIGHT` has its quadratic penalty, which aims at k, with that weight; `standard` takes
    `args.sparsity` as λ.
    """
    size = {"d_in": width, "d_sae": args.features}
    torch.manual_seed(args.seed)
    if name == "batchtopk":
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(k=args.k, **size))
    if name == "topk":
        return TopKTrainingSAE(TopKTrainingSAEConfig(k=args.k, **size))
    if name == "matryoshka":
        inner = [round(share * args.features) for share in LEVELS]
        return MatryoshkaBatchTopKTrainingSAE(
            MatryoshkaBatchTopKTrainingSAEConfig(k=args.k, matryoshka_widths=inner, **size)
        )
    if name == "standard":
        return StandardTrainingSAE(
            StandardTrainingSAEConfig(
                l1_coefficient=args.sparsity, l1_warm_up_steps=int(L1_WARM_UP_SHARE * steps), **size
            )
        )
    return JumpReLUTrainingSAE(
        JumpReLUTrainingSAEConfig(
            jumprelu_sparsity_loss_mode="quadratic", target_l0=args.k,
            l0_coefficient=float(name.partition(":")[2] or 1),
            l0_warm_up_steps=int(L0_WARM_UP_SHARE * steps), **size,
        )
    )  # fmt: skip
