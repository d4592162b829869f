"""What tracing a prompt takes: memory, time beside a pass forward and back, size of the file.

    python tests/benchmarks/tracing.py smollm2 --tokens 64 256 [--features 4096] [--k 32]
    python tests/benchmarks/tracing.py smollm2 --project P --set S --tokens 256

Without `--set` every layer gets a random skip transcoder of which exactly k features fire on a
token: what is measured does not depend on what features mean. Beside the figures stands what
`estimate_trace` said before.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import torch

from sae_desktop.circuits.config import EstimateTraceConfig, TraceConfig
from sae_desktop.circuits.tracing.estimate import estimate_trace
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.circuits.tracing.opened import open_set
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.set_info import SetOrigin
from sae_desktop.dictionary.sets import save_set
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.project import Project

ROOT = Path(__file__).resolve().parents[2]


def random_set(project: Project, lm: LanguageModel, features: int, k: int) -> str:
    """Write a set of random TopK skip transcoders; return its name."""
    draw = torch.Generator().manual_seed(0)
    found = {}
    for layer in range(lm.layers):
        W = torch.randn(features, lm.width, generator=draw)
        W_dec = W / W.norm(dim=1, keepdim=True)
        found[layer] = Dictionary(
            W_dec.T.contiguous(), torch.zeros(features), W_dec, torch.zeros(lm.width), k=k,
            W_skip=torch.randn(lm.width, lm.width, generator=draw) / lm.width,
            metadata={
                "model_name": lm.name, "model_revision": lm.revision,
                "tokenizer_hash": lm.tokenizer_hash,
                "hook_name": f"blocks.{layer}.mlp.hook_in",
                "hook_name_out": f"blocks.{layer}.hook_mlp_out",
            },
        )  # fmt: skip
    save_set(found, project.set_path("random"), SetOrigin(kind="trained"))
    return "random"


def prompt_of(lm: LanguageModel, tokens: int) -> str:
    """Return a text that the model reads as that many tokens, or one or two fewer."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ids = lm.encode(text)
    own = tokens - len(lm.window_tokens[0])
    while len(ids) < own:
        ids += ids
    return str(lm.tokenizer.decode(ids[:own]))


def forward_backward(lm: LanguageModel, prompt: str) -> float:
    """Return the processor's seconds of a pass over the prompt and back, the best of three."""
    ids = torch.tensor([[*lm.window_tokens[0], *lm.encode(prompt)]])
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        embedded = lm.model.get_input_embeddings()(ids).detach().requires_grad_()
        logits = lm.model(inputs_embeds=embedded, use_cache=False).logits
        logits[0, -1].max().backward()
        best = min(best, time.process_time() - began)
        lm.model.zero_grad(set_to_none=True)
    return best


def give_back() -> None:
    """Return what was freed to the system, where it can be: what follows would take it again."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class Peak:
    """The most memory the process has beside what it had, sampled."""

    def __enter__(self) -> Peak:
        give_back()
        self._process = psutil.Process()
        self._first = self.most = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self.most = max(self.most, self._process.memory_info().rss)

    def __exit__(self, *args: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        return (self.most - self._first) / 1e6


def measure(project: Project, name: str, model: str, tokens: int, features: int) -> None:
    lm = load_model(model, "cpu")
    prompt = prompt_of(lm, tokens)
    once = forward_backward(lm, prompt)
    config = TraceConfig(
        project=str(project.path), name=f"t{tokens}", set=name, prompt=prompt,
        most_features=features, device="cpu",
    )  # fmt: skip
    open_set(project, name, "cpu")  # it stays open: the peak is beside it
    began = time.process_time()
    with Peak() as peak:
        result = trace(config, SilentContext())
    taken = time.process_time() - began
    print(
        f"{result.tokens} tokens: {result.active_features:,} features fire, {result.features:,} "
        f"nodes, {result.edges:,} edges ({result.kept_edges:.1%} of their size); "
        f"{result.seconds:.1f} s, {taken:.1f} of the processor = {taken / once:,.0f} × {once:.2f} "
        f"s of a pass forward and back; {peak.megabytes:,.0f} MB beside model and "
        f"set (the job says {result.peak_bytes / 1e6:,.0f}); file {result.file_bytes / 1e6:.1f} "
        f"MB; inputs fail to add up by {result.largest_gap:.1e} at most",
        flush=True,
    )
    told = {field: getattr(config, field) for field in EstimateTraceConfig.__struct_fields__}
    said = estimate_trace(EstimateTraceConfig(**told), SilentContext())
    print(
        f"{tokens} tokens: estimated {said.memory_bytes / 1e6:,.0f} MB, {said.seconds:.1f} s, "
        f"{said.disk_bytes / 1e6:.1f} MB on the disk; {said.problem or 'fits'}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="smollm2")
    parser.add_argument("--tokens", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--features", type=int, default=4096, help="of a layer of a random set")
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--nodes", type=int, default=2048, help="feature nodes at most")
    parser.add_argument("--project", default="")
    parser.add_argument("--set", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project.open_or_create(given.project or Path(folder) / "p")
        name = given.set
        if not name:
            name = "random"
            if name not in project.sets():
                random_set(project, load_model(given.model, "cpu"), given.features, given.k)
        for tokens in given.tokens:
            measure(project, name, given.model, tokens, given.nodes)


if __name__ == "__main__":
    main()
