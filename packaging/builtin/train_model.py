"""Train the built-in language model on the corpus: seeded, resumable, exported as it goes.

The learning rate warms up, stays, and falls linearly to zero over the last part of the budget,
which is either a number of steps (reproducible) or of minutes (for a machine of unknown speed;
the number of steps it came to is logged).
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from muon import Muon
from torch.nn import functional
from train_tokenizer import VOCABULARY_SIZE
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
)
from windows import CONTEXT, Tokens, Windows


@dataclass
class Recipe:
    """Everything that decides the result, apart from the corpus."""

    seed: int = 17
    batch_windows: int = 16
    matrix_lr: float = 0.02
    other_lr: float = 0.003
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    warmup_steps: int = 100
    decay_share: float = 0.3
    """The last part of the budget, over which the learning rate falls to zero."""

    def rate(self, step: int, progress: float) -> float:
        """Factor of the learning rates at a step, when `progress` of the budget is used."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return min(warm, max(0.0, (1.0 - progress) / self.decay_share))


def new_model(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=256,
        intermediate_size=608,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.set_attn_implementation("triangle")
    with torch.no_grad():
        for layer in model.model.layers:
            for projection in (layer.self_attn.o_proj, layer.mlp.down_proj):
                projection.weight.div_(math.sqrt(2 * config.num_hidden_layers))
    return model


def optimisers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=recipe.matrix_lr, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(
            others, lr=recipe.other_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        ),
    ]


def triangle_attention(
    module: torch.nn.Module,
    query_BHSD: torch.Tensor,
    key_BHSD: torch.Tensor,
    value_BHSD: torch.Tensor,
    attention_mask: None,
    scaling: float,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Causal attention written out: at these sizes twice as fast on a CPU as the fused one."""
    size = query_BHSD.shape[2]
    future = torch.full((size, size), -1e9, dtype=query_BHSD.dtype).triu(1)
    weights = torch.softmax(query_BHSD @ key_BHSD.mT * scaling + future, dim=-1)
    return (weights.to(value_BHSD.dtype) @ value_BHSD).transpose(1, 2), None


AttentionInterface.register("triangle", triangle_attention)
AttentionMaskInterface.register("triangle", lambda *_, **__: None)

FIRST_EXPORT = 5
"""Minutes after which a first, rough model is written."""

LOSS_ROWS = 512
"""Rows of logits held at a time: [LOSS_ROWS, vocabulary] stays in the processor's cache."""


def training_loss(model: LlamaForCausalLM, inputs: Tokens, targets: Tokens) -> float:
    """Mean loss in nats per token of [windows, CONTEXT] inputs and targets.

    Where gradients are on, they are accumulated into the parameters.
    """
    train = torch.is_grad_enabled()
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=torch.from_numpy(inputs), use_cache=False)[0]
    detached = hidden.detach().requires_grad_(train)
    rows = torch.split(detached.view(-1, hidden.shape[-1]), LOSS_ROWS)
    total = 0.0
    labels = torch.from_numpy(targets).view(-1)
    for part, wanted in zip(rows, torch.split(labels, LOSS_ROWS), strict=True):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.lm_head(part)
        loss = functional.cross_entropy(logits.float(), wanted, reduction="sum") / targets.size
        total += loss.item()
        if train:
            loss.backward()  # type: ignore[no-untyped-call]
    if train:
        hidden.backward(detached.grad)
    return total


@torch.no_grad()
def validation_losses(
    model: LlamaForCausalLM, windows: Windows, limit: int | None
) -> dict[str, float]:
    losses = {}
    for kind, stream in windows.validation_streams().items():
        inputs, targets = windows.cut(stream, limit)
        if len(inputs):
            chunks = range(0, len(inputs), 16)
            sums = [
                training_loss(model, inputs[i : i + 16], targets[i : i + 16])
                * len(inputs[i : i + 16])
                for i in chunks
            ]
            losses[kind] = sum(sums) / len(inputs)
    return losses


def export(model: LlamaForCausalLM, folder: Path) -> None:
    """Write the model in 16 bit beside, then rename file by file.

    The configuration says float32, so that a plain load computes in full precision.
    """
    beside = folder / "partial"
    half = LlamaForCausalLM(model.config)
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(beside)
    model.config.dtype = torch.float32
    model.config.save_pretrained(beside)
    ids = {name: getattr(model.config, name) for name in ("bos_token_id", "eos_token_id")}
    GenerationConfig(**ids, pad_token_id=model.config.pad_token_id).save_pretrained(beside)
    for path in sorted(beside.iterdir()):
        path.chmod(0o644)
        os.replace(path, folder / path.name)
    shutil.rmtree(beside)


class Checkpoint:
    """Model, optimisers, step and seconds used, in one file that is replaced atomically."""

    def __init__(
        self, path: Path, model: LlamaForCausalLM, optimisers: list[torch.optim.Optimizer]
    ) -> None:
        self.path, self.model, self.optimisers = path, model, optimisers

    def save(self, step: int, seconds: float) -> None:
        beside = self.path.with_suffix(".partial")
        state = {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": step,
            "seconds": seconds,
        }
        torch.save(state, beside)
        os.replace(beside, self.path)

    def load(self) -> tuple[int, float]:
        if not self.path.exists():
            return 0, 0.0
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        return int(state["step"]), float(state["seconds"])


def train(arguments: argparse.Namespace, recipe: Recipe) -> None:
    windows = Windows(arguments.corpus, arguments.model, recipe.seed)
    model = new_model(recipe.seed)
    steppers = optimisers(model, recipe)
    base_rates = [stepper.param_groups[0]["lr"] for stepper in steppers]
    arguments.work.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(arguments.work / "checkpoint.pt", model, steppers)
    step, used = checkpoint.load()
    print(f"step {step}: {sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    began, smooth = time.monotonic() - used, math.nan
    next_export = used + 60 * min(FIRST_EXPORT, arguments.export_every)
    for inputs, targets in windows.batches(recipe.batch_windows, start=step):
        seconds = time.monotonic() - began
        progress = step / arguments.steps if arguments.steps else seconds / arguments.minutes / 60
        if progress >= 1:
            break
        for stepper, base in zip(steppers, base_rates, strict=True):
            stepper.param_groups[0]["lr"] = base * recipe.rate(step, progress)
        value = training_loss(model, inputs, targets)
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad()
        smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
        step += 1
        if step % 20 == 0:
            print(
                f"step {step} progress {progress:.3f} {seconds:.0f} s loss {smooth:.3f}", flush=True
            )
        if step % arguments.evaluate_every == 0:
            log_validation(step, validation_losses(model, windows, limit=8))
        if seconds >= next_export:
            next_export = seconds + 60 * arguments.export_every
            checkpoint.save(step, seconds)
            export(model, arguments.model)
    checkpoint.save(step, time.monotonic() - began)
    export(model, arguments.model)
    print(f"finished after {step} steps", flush=True)
    log_validation(step, validation_losses(model, windows, limit=None))


def log_validation(step: int, losses: dict[str, float]) -> None:
    figures = "  ".join(f"{kind} {loss:.3f}" for kind, loss in losses.items())
    print(f"step {step} validation: {figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="holds the tokenizer; output")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=int)
    budget.add_argument("--minutes", type=float)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--export-every", type=float, default=15, help="minutes")
    parser.add_argument("--evaluate-every", type=int, default=250, help="steps")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments, Recipe())


if __name__ == "__main__":
    main()
