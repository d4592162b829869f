"""Build the built-in corpus, tokenizer and model from nothing: one command.

    python packaging/builtin/build.py --cache CACHE [--minutes 86 | --steps N]

Steps whose result exists are skipped, and training resumes from its last checkpoint; delete a
result to make it again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESOURCES = HERE.parent.parent / "resources"


def run(script: str, **options: object) -> None:
    command = [sys.executable, str(HERE / f"{script}.py")]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    print("+", script, flush=True)
    # Threads that spin at barriers slow training severalfold on a machine that is shared.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    subprocess.run(command, check=True, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="packages and checkpoints")
    parser.add_argument("--resources", type=Path, default=RESOURCES)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=86)
    budget.add_argument("--steps", type=int)
    arguments = parser.parse_args()
    corpus = arguments.resources / "corpus/builtin.jsonl.xz"
    model = arguments.resources / "models/builtin"
    if not corpus.exists():
        run("build_corpus", cache=arguments.cache, output=corpus)
        run("notice", cache=arguments.cache, output=arguments.resources / "NOTICE")
    if not (model / "tokenizer.json").exists():
        run("train_tokenizer", corpus=corpus, output=model)
    length: dict[str, object] = {"minutes": arguments.minutes}
    if arguments.steps:
        length = {"steps": arguments.steps}
    run("train_model", corpus=corpus, model=model, work=arguments.cache, **length)
    run("evaluate_model", corpus=corpus, model=model, card=model / "README.md")


if __name__ == "__main__":
    main()
