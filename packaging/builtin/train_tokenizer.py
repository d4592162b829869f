"""Learn the built-in model's byte-level BPE vocabulary from the corpus's training documents."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from build_corpus import is_validation, read
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY_SIZE = 5120
CONTEXT = 256
BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"


def train(corpus: Path, output: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [document.text for document in read(corpus) if not is_validation(document)]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    output.mkdir(parents=True, exist_ok=True)
    beside = output / "partial"
    fast.save_pretrained(beside)
    settings = json.loads((beside / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"  # the name every version knows
    (beside / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    for path in beside.iterdir():
        os.replace(path, output / path.name)
    beside.rmdir()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    train(arguments.corpus, arguments.output)
