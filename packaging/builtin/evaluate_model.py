"""Measure the exported model against the trigram model, sample it, and write the model card."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from trigram import Trigram, unigram_losses
from windows import Tokens, Windows

SEED = 17
DISCOUNT_SCALES = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1)
"""Tried on the validation tokens themselves: the yardstick is given every advantage."""

PROMPTS = (
    ("English, scripture", "And it came to pass, when the king heard"),
    ("English, dictionary", "wolf (noun):"),
    ("English, computing", "The package manager is used to"),
    ("English, Python manual", "The function returns a list of"),
    ("Python", "class Stack:\n    def __init__(self, items=None):\n"),
    ("Python", "def read_lines(path):\n    with open(path"),
    ("French", "Toute personne a le droit"),
    ("French", "Pour installer un paquet, il faut"),
    ("Spanish", "El administrador debe configurar"),
    ("German", "Das System wird"),
    ("Italian", "Ogni individuo ha diritto"),
    ("Portuguese", "Para instalar o sistema"),
    ("Russian", "Каждый человек имеет право"),
)


@dataclass
class Figures:
    """Mean losses in nats per token on one kind of validation text."""

    kind: str
    tokens: int
    model: float
    trigram: float
    unigram: float


@torch.no_grad()
def model_losses(model: PreTrainedModel, inputs: Tokens, targets: Tokens) -> float:
    total = 0.0
    for i in range(0, len(inputs), 16):
        logits = model(torch.from_numpy(inputs[i : i + 16]), use_cache=False).logits
        wanted = torch.from_numpy(targets[i : i + 16])
        total += functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), reduction="sum"
        ).item()
    return total / targets.size


def measure(model: PreTrainedModel, windows: Windows) -> list[Figures]:
    """The trigram sees the whole stream; the model starts every window afresh."""
    vocabulary = model.config.vocab_size
    training = np.concatenate([ids for _, ids in windows.training])
    streams = windows.validation_streams()
    yardsticks = [Trigram(training, vocabulary, scale) for scale in DISCOUNT_SCALES]
    trigram = min(yardsticks, key=lambda t: float(t.losses(streams["all"]).mean()))
    figures = []
    for kind, stream in sorted(streams.items(), key=lambda item: -len(item[1])):
        inputs, targets = windows.cut(stream)
        if len(inputs) < 2:
            continue
        figures.append(
            Figures(
                kind,
                targets.size,
                model_losses(model, inputs, targets),
                float(trigram.losses(stream).mean()),
                float(unigram_losses(training, stream, vocabulary).mean()),
            )
        )
    return figures


def samples(model: PreTrainedModel, folder: Path, tokens: int = 60) -> list[tuple[str, str, str]]:
    """(what, prompt, continuation) of each prompt: sampled, temperature 0.7, nucleus 0.9."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    results = []
    for what, prompt in PROMPTS:
        torch.manual_seed(SEED)
        ids = [tokenizer.bos_token_id, *tokenizer(prompt)["input_ids"]]
        output = model.generate(
            torch.tensor([ids]),
            max_new_tokens=tokens,
            do_sample=True,
            temperature=0.7,
            top_p=0.9,
            top_k=0,
        )
        text = tokenizer.decode(output[0, len(ids) :], skip_special_tokens=True)
        results.append((what, prompt, text))
    return results


def card(template: str, figures: list[Figures], sampled: list[tuple[str, str, str]]) -> str:
    rows = [
        f"| {f.kind} | {f.tokens:,} | {f.model:.3f} | {f.trigram:.3f} | {f.unigram:.3f} |"
        for f in figures
    ]
    shown = [f"{what}:\n\n```text\n{prompt}█{text}\n```\n" for what, prompt, text in sampled]
    return template.replace("@FIGURES@", "\n".join(rows)).replace("@SAMPLES@", "\n".join(shown))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--card", type=Path, help="where to write the model card")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = AutoModelForCausalLM.from_pretrained(arguments.model).eval()
    figures = measure(model, Windows(arguments.corpus, arguments.model, SEED))
    template = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    text = card(template, figures, samples(model, arguments.model))
    print(text)
    if arguments.card:
        arguments.card.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
