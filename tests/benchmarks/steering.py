"""How long steered generation takes beside the model's own `generate`, on one run.

    python tests/benchmarks/steering.py [--model smollm2] [--tokens 64] [--rounds 5]

The same prompt, as many tokens, greedy, with a key-value cache, rounds alternating: the model's
own `generate`, and ours plain, with one feature clamped, and with ten. A dictionary of random
directions at a middle layer stands for a trained one: what it costs is the same.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from sae_desktop.dictionary import Dictionary
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.resolve import site_width
from sae_desktop.language_model.sites.site_names import Site
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Change, Positions, SteeredSite

PROMPT = "The bridge across the bay was painted"
FEATURES = 8192


def random_dictionary(width: int) -> Dictionary:
    generator = torch.Generator().manual_seed(0)
    W_dec = torch.nn.functional.normalize(torch.randn(FEATURES, width, generator=generator), dim=1)
    return Dictionary(W_dec.T.contiguous(), torch.zeros(FEATURES), W_dec, torch.zeros(width))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    lm = load_model(args.model, "auto", args.dtype)
    lm.eos_ids = frozenset()  # so that all write as many tokens
    site = Site(len(lm.model.model.layers) // 2, "hook_resid_post")
    dictionary = random_dictionary(site_width(lm.model, site)).to(lm.device)
    ids = lm.encode(PROMPT)
    row = torch.tensor([ids], device=lm.device)

    def own() -> None:
        with torch.no_grad():
            lm.model.generate(
                row, attention_mask=torch.ones_like(row), do_sample=False,
                max_new_tokens=args.tokens, min_new_tokens=args.tokens, pad_token_id=0,
            )  # fmt: skip

    def ours(features: int) -> Callable[[], None]:
        changes = [
            Change("clamp", 1.0, dictionary.W_dec[number], number) for number in range(features)
        ]
        positions = Positions([0], 0, [len(ids)])
        steered = SteeredSite([changes], dictionary, lm.device)
        transforms = {site: steered.transform(positions)} if features else {}

        def run() -> None:
            sampling = Sampling(max_new_tokens=args.tokens)
            steps = list(continuations(lm, [ids], transforms, positions, sampling))
            assert len(steps) == args.tokens

        return run

    ways = {"plain": ours(0), "one feature": ours(1), "ten features": ours(10)}
    seconds: dict[str, list[float]] = {name: [] for name in ("generate", *ways)}
    for _ in range(args.rounds + 1):  # the first warms up
        for name, run in (("generate", own), *ways.items()):
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    base = statistics.median(seconds["generate"][1:])
    print(f"generate: {args.tokens / base:.1f} tokens/s")
    targets = {"plain": 1.05, "one feature": 1.10, "ten features": 1.15}
    for name, target in targets.items():
        ratio = statistics.median(
            ours / theirs
            for ours, theirs in zip(seconds[name][1:], seconds["generate"][1:], strict=True)
        )
        print(f"{name}: {ratio:.3f} times generate (to stay within {target:.2f})")


if __name__ == "__main__":
    main()
