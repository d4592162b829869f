"""Our synthetic world beside SAELens's `SyntheticModel`, from the same seed.

    PYTHONPATH=. python tests/benchmarks/synthetic_by_seed.py [--full]

Needs the extra `benchmark`. Directions, bias, probabilities, magnitudes and hidden causes must be
the same numbers; rows are drawn from other random numbers, so how often features and pairs of
features are active is compared in standard errors: the mean of these must be 0 and their spread 1.
At the full size SAELens takes a quarter of an hour to turn its directions away from each other,
so that there both leave that out.
"""

from __future__ import annotations

import argparse
import time

import msgspec
import torch
from sae_lens.synthetic.firing_magnitudes import FoldedNormalMagnitudeConfig, LinearMagnitudeConfig
from sae_lens.synthetic.synthetic_model import (
    HierarchyConfig,
    LowRankCorrelationConfig,
    OrthogonalizationConfig,
    SyntheticModel,
    SyntheticModelConfig,
    ZipfianFiringProbabilityConfig,
)
from torch import Tensor

from sae_desktop.training.benchmark.sizes import SMALL, WorldSizes
from sae_desktop.training.benchmark.synthetic import World

BATCH = 2000
LEAST_EXPECTED = 20


def peer(s: WorldSizes) -> SyntheticModel:
    spread = OrthogonalizationConfig(num_steps=s.spreading_steps, lr=s.spreading_rate)
    return SyntheticModel(
        SyntheticModelConfig(
            num_features=s.features,
            hidden_dim=s.width,
            firing_probability=ZipfianFiringProbabilityConfig(
                exponent=s.zipf_exponent, max_prob=s.most_frequent, min_prob=s.least_frequent
            ),
            hierarchy=HierarchyConfig(
                total_root_nodes=s.roots,
                branching_factor=s.children,
                max_depth=s.depth,
                mutually_exclusive_portion=float(s.exclusive),
                compensate_probabilities=True,
                scale_children_by_parent=s.scale_children,
            ),
            mean_firing_magnitudes=LinearMagnitudeConfig(s.first_magnitude, s.last_magnitude),
            std_firing_magnitudes=FoldedNormalMagnitudeConfig(
                s.magnitude_spread, s.magnitude_spread_spread
            ),
            correlation=LowRankCorrelationConfig(s.correlation_rank, s.correlation),
            orthogonalization=spread if s.spreading_steps else None,
            bias=s.bias_norm,
            seed=s.seed,
        )
    )


def largest_difference(ours: Tensor, theirs: Tensor) -> float:
    same = (ours == theirs) | (ours - theirs).isnan()
    return float(torch.where(same, 0.0, ours - theirs).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rows", type=int, default=40_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    sizes = msgspec.structs.replace(WorldSizes(), spreading_steps=0) if args.full else SMALL
    theirs, ours = peer(sizes), World(sizes)
    made = theirs.activation_generator
    causes, own = made.low_rank_correlation
    for name, a, b in (
        ("directions", ours.directions_FD, theirs.feature_dict.feature_vectors.detach()),
        ("bias", ours.bias_D, theirs.feature_dict.bias.detach()),
        ("thresholds", ours.threshold_F, made.correlation_thresholds),
        ("mean magnitudes", ours.mean_F, made.mean_firing_magnitudes),
        ("spreads of magnitude", ours.spread_F, made.std_firing_magnitudes),
        ("hidden causes", ours.causes_FR, causes),
        ("own noise", ours.own_F, own),
    ):
        print(f"{name:22} largest difference {largest_difference(a, b):.1e}")

    def our_draw() -> Tensor:
        samples = ours.samples(generator, BATCH)
        dense = torch.zeros(BATCH, sizes.features)
        dense[samples.row, samples.feature] = samples.magnitude
        return dense

    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    fires, pairs, magnitude, l0 = [], [], [], []
    for name, draw in (("ours", our_draw), ("SAELens", lambda: made.sample(BATCH))):
        count = torch.zeros(sizes.features, dtype=torch.float64)
        both = torch.zeros(sizes.features, sizes.features)
        total, number = torch.zeros(sizes.features, dtype=torch.float64), 0.0
        begun = time.process_time()
        for _ in range(args.rows // BATCH):
            acts = draw()
            on = (acts > 0).float()
            count += on.sum(0)
            total += acts.sum(0)
            if not args.full:
                both += on.T @ on
            number += float(on.sum())
        rate = args.rows / (time.process_time() - begun)
        print(f"{name:8} L0 {number / args.rows:.3f}, {rate:,.0f} rows a CPU second, counted")
        fires.append(count)
        pairs.append(both.double())
        magnitude.append(total / count)
        l0.append(number / args.rows)
    tables = [("feature", fires)] if args.full else [("feature", fires), ("pair", pairs)]
    for name, (a, b) in tables:
        known = (a + b > LEAST_EXPECTED).clone()
        if name == "pair":
            known.fill_diagonal_(False)
        free = 1 - (a + b) / (2 * args.rows)
        error = ((a - b) / ((a + b) * free).sqrt())[known]
        print(
            f"{name}: {int(known.sum()):,} compared, difference in standard errors "
            f"{float(error.mean()):+.3f} ± {float(error.std()):.3f}"
        )
    known = fires[0] + fires[1] > LEAST_EXPECTED
    print(f"mean magnitude differs by {float((magnitude[0] - magnitude[1])[known].mean()):+.4f}")


if __name__ == "__main__":
    main()
