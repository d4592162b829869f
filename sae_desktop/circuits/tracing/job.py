"""The job `trace`: a prompt's attribution graph, from the targets back."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
import torch
from torch import Tensor

from sae_desktop.circuits.attributing import Attribution, Target
from sae_desktop.circuits.config import TraceConfig, TraceResult, TraceSettings
from sae_desktop.circuits.prompt import Prompt, Targets, choose_targets
from sae_desktop.circuits.reading.graph_file import (
    Array,
    Graph,
    GraphInfo,
    read_graph_info,
    write_graph,
)
from sae_desktop.circuits.replacement import Pass, ReplacementModel
from sae_desktop.circuits.tracing.assemble import NodeValues, assemble
from sae_desktop.circuits.tracing.kept_rows import KeptRows, mark_of
from sae_desktop.circuits.tracing.needs import GUESSED_L0, needs_of, require_fits, shape_of
from sae_desktop.circuits.tracing.opened import OpenedSet, open_set, prompt_of
from sae_desktop.circuits.tracing.rows import LOGIT_ROW, Rows
from sae_desktop.devices.abilities import taken_of_its_own
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.memory import free_device_memory
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.project import Project, config_record
from sae_desktop.storage.faults import free_bytes

_RANKED_AT_ONCE = 4
"""Batches that are computed before features are ranked again."""
_ENCODED_AT_ONCE = 4096
_GAP = 1e-2
"""Between a node and the sum of its inputs, of the largest: above, something is not linear."""


def trace(config: TraceConfig, context: JobContext) -> TraceResult:
    """Trace a prompt and write its graph; what was computed of one that was cancelled is kept.

    Raises UserError where the set, its model, the prompt or the targets do not allow it, and where
    the memory or the disk does not suffice.
    """
    began = time.monotonic()
    project = Project.open(config.project)
    path = project.graph_path(config.name)
    _refuse_another(path, config)
    opened = open_set(project, config.set, config.device)
    prompt = prompt_of(opened, config.prompt, chat=config.chat)
    watch = _Memory(opened.lm.device)
    check_room(opened, prompt, config, path)
    context.check_cancelled()
    tracer = Tracer(opened, prompt, config)
    context.log(
        f"{tracer.active:,} features fire on {len(prompt.ids):,} tokens; "
        f"{tracer.wanted:,} become nodes."
    )
    kept = KeptRows(path, tracer.mark(config_record(config)))
    kept.load(tracer.rows)
    try:
        for done in tracer.run(context, watch):
            context.progress(done, tracer.total, "nodes")
            kept.keep(tracer.rows)
    except BaseException:
        kept.keep(tracer.rows, now=True)
        raise
    graph, gap = tracer.graph(config)
    watch.look()
    seconds = time.monotonic() - began
    info = msgspec.structs.replace(
        graph.info,
        name=config.name,
        seconds=seconds,
        peak_bytes=watch.peak,
        config=config_record(config),
        made_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    write_graph(path, info, graph.arrays)
    kept.remove()
    context.progress(tracer.total, tracer.total, "nodes")
    return TraceResult(
        name=config.name, path=str(path), nodes=graph.nodes, features=info.kept_nodes,
        active_features=info.all_nodes, edges=graph.edges, targets=info.target_tokens,
        probabilities=tuple(tracer.targets.probabilities.tolist()), logit_mass=info.logit_mass,
        replacement_score=info.replacement_score, completeness_score=info.completeness_score,
        kept_edges=info.kept_edges, largest_gap=gap, seconds=seconds, peak_bytes=watch.peak,
        file_bytes=path.stat().st_size, tokens=len(prompt.ids),
    )  # fmt: skip


def _refuse_another(path: Path, config: TraceConfig) -> None:
    """Return unless there is a graph of the name that another trace has made."""
    try:
        found = read_graph_info(path).config if path.exists() else ""
    except UserError:  # what is damaged is made again
        return
    if path.exists() and found != config_record(config):
        raise UserError(
            f"There is a graph “{config.name}” already, of other settings.",
            kept="It is unchanged.",
            next_step="Choose another name, or delete the graph first.",
        )


def check_room(opened: OpenedSet, prompt: Prompt, settings: TraceSettings, path: Path) -> None:
    """Return if a prompt fits, as far as can be told before it is read. Raises UserError."""
    shape = shape_of(opened.lm, len(prompt.ids))
    free = free_device_memory(opened.lm.device)
    guessed = GUESSED_L0 * len(prompt.ids) * len(opened.members.layers)
    needs = needs_of(shape, settings, guessed, settings.most_logits, free)
    require_fits(needs, free, free_bytes(path.parent), shape)


class Tracer:
    """Finds the inputs of the targets, then of the features that matter most to them."""

    def __init__(self, opened: OpenedSet, prompt: Prompt, settings: TraceSettings) -> None:
        """Freeze the prompt and choose what is explained. Raises UserError as `trace`."""
        lm = opened.lm
        self.opened, self.prompt, self.settings = opened, prompt, settings
        self.model = ReplacementModel(lm, opened.members, prompt.ids, prompt.specials)
        self.active = sum(map(len, self.model.active.values()))
        """Features that fire."""
        if not self.active:
            raise UserError(
                f"No feature of the set “{opened.info.name}” fires on this prompt.",
                next_step="Choose another set or a longer prompt.",
            )
        self.targets: Targets = choose_targets(
            lm, self.model.probabilities(), settings.target, settings.tokens,
            settings.logit_mass, settings.most_logits,
        )  # fmt: skip
        self.attribution = Attribution(self.model)
        most = settings.most_features or self.active
        self.wanted = min(most, self.active)
        """Feature nodes."""
        shape = shape_of(lm, len(prompt.ids))
        free = free_device_memory(lm.device)
        self.needs = needs_of(shape, settings, self.active, len(self.targets.tokens), free)
        self.rows = Rows(self.needs.row_entries)
        self._layers = self.attribution.sources.layers.numpy()

    @property
    def total(self) -> int:
        """Targets there are."""
        return len(self.targets.tokens) + self.wanted

    def mark(self, record: str) -> str:
        """Return what tells this trace from another."""
        told = [record, self.opened.info.digest, self.opened.lm.revision, str(self.needs[3])]
        activations = [active.activations for active in self.model.active.values()]
        return mark_of(told, self.attribution.sources, activations)

    def run(self, context: JobContext, watch: _Memory) -> Iterator[int]:
        """Add to the rows; yields how many there are. Ends early once that is asked for."""

        def step() -> None:
            watch.look()
            context.check_cancelled()

        context.progress(len(self.rows), self.total, "nodes")
        logits = len(self.targets.tokens)
        while len(self.rows) < logits:
            first = len(self.rows)
            last = min(first + self.needs.batch, logits)
            self._add([LOGIT_ROW] * (last - first), self._of_logits(first, last), step)
            yield len(self.rows)
        while len(self.rows) < self.total:
            columns = self._next()
            if not len(columns):
                return
            for first in range(0, len(columns), self.needs.batch):
                if context.stop_requested:
                    return
                batch = columns[first : first + self.needs.batch]
                target = self.attribution.of_features(torch.from_numpy(batch))
                self._add(batch.tolist(), target, step)
                yield len(self.rows)

    def _add(self, targets: list[int], target: Target, step: object) -> None:
        edges = self.attribution.edges(target, step)  # type: ignore[arg-type]
        if not bool(torch.isfinite(edges).all()):
            raise UserError(
                f"Tracing “{self.opened.lm.name}” gives values that are not numbers.",
                next_step="Check the model and the set: their weights may be damaged.",
            )
        self.rows.add(targets, edges)

    def _of_logits(self, first: int, last: int) -> Target:
        directions = self.directions()[first:last]
        return self.attribution.of_logits(directions)

    def directions(self) -> Tensor:
        """Return what raises the targets at the head's input, (n, D)."""
        device = self.model.ids.device
        found = self.model.logit_directions(self.targets.tokens.to(device))
        if self.targets.against is not None:
            found = found - self.model.logit_directions(self.targets.against.to(device))
        return found

    def _next(self) -> Array:
        """Return the places of the next features, by layer, the last first."""
        kinds = self.attribution.sources.kinds.numpy()
        left = kinds == 1
        left[[target for target in self.rows.targets if target >= 0]] = False
        places = np.flatnonzero(left)
        count = self.total - len(self.rows)
        if len(places) > count:
            effect = self.rows.influence(self._layers, self.targets.probabilities.numpy())[places]
            count = min(count, _RANKED_AT_ONCE * self.needs.batch, int(np.count_nonzero(effect)))
            places = places[np.argsort(-effect, kind="stable")[:count]]
        return np.asarray(places[np.argsort(-self._layers[places], kind="stable")])

    # ------------------------------------------------------------ the graph
    def graph(self, settings: TraceSettings) -> tuple[Graph, float]:
        """Return the graph of the rows there are, and by how much it fails to add up at most.

        Raises UserError where that is too much.
        """
        opened = self.opened
        names = opened.lm.token_bytes()
        shown = [*self.targets.tokens.tolist()]
        shown += [] if self.targets.against is None else self.targets.against.tolist()
        info = GraphInfo(
            name="", set=opened.info.name, set_digest=opened.info.digest,
            set_kind=opened.info.kind, model=opened.lm.name,
            model_revision=opened.lm.revision, tokenizer_hash=opened.lm.tokenizer_hash,
            prompt=settings.prompt, token_text=self.prompt.texts, specials=self.prompt.specials,
            target=settings.target,
            target_tokens=tuple(token_text(names[token]) for token in shown),
            logit_mass=self.targets.mass, all_nodes=self.active, layers=self.model.layers,
        )  # fmt: skip
        tokens = np.array(self.prompt.ids, np.int32)
        kept = assemble(
            info, tokens, self._values(), self.rows, settings.keep_edges, settings.most_edges
        )
        if not kept.gap < _GAP:
            raise UserError(
                f"“{opened.lm.name}” cannot be taken apart: the inputs of a node fail to add up to "
                f"it by {kept.gap:.0%} of the largest.",
                kept="No graph was written.",
                next_step="Choose a model such as Llama, GPT-2, Pythia, Gemma or Qwen.",
            )
        return kept.graph, kept.gap

    def _values(self) -> NodeValues:
        model, sources = self.model, self.attribution.sources
        constants = model.constants()
        activations = np.zeros(sources.count, np.float32)
        biases = np.zeros(sources.count, np.float32)
        activations[sources.embeddings] = _numbers(model.seen.embedding[0].norm(dim=-1))
        for layer in range(model.layers):
            activations[sources.errors[layer]] = _numbers(model.errors[layer].norm(dim=-1))
            if layer in model.active:
                place = sources.features[layer]
                activations[place] = _numbers(model.active[layer].activations)
                biases[place] = _numbers(self._pre(constants, layer))
        directions = self.directions()
        return NodeValues(
            sources.kinds.numpy(), self._layers, sources.positions.numpy(), sources.ids.numpy(),
            activations, biases, self.targets.tokens.numpy(),
            self._logits(model.seen, directions), self._logits(constants, directions),
            self.targets.probabilities.numpy(),
        )  # fmt: skip

    def _pre(self, seen: Pass, layer: int) -> Tensor:
        """Return what the features that fire make of what they read in a pass, (n,)."""
        active = self.model.active[layer]
        read = seen.reads[layer][0].detach()
        found = [read.new_zeros(0)]
        for first in range(0, len(active), _ENCODED_AT_ONCE):
            part = slice(first, first + _ENCODED_AT_ONCE)
            W_nI, b_n = self.model.members.encoders(layer, active.features[part])
            found.append((read[active.positions[part]] * W_nI).sum(dim=-1) + b_n)
        return torch.cat(found)

    def _logits(self, seen: Pass, directions: Tensor) -> Array:
        """Return the targets' centred logits in a pass, or their difference, (n,)."""
        logits = self.model.centred_logits(seen.head_in[0, -1].detach())
        found = logits[self.targets.tokens.to(logits.device)]
        if self.targets.against is not None:
            found = found - logits[self.targets.against.to(logits.device)]
        return _numbers(found)


def _numbers(values: Tensor) -> Array:
    return values.detach().to("cpu", torch.float32).numpy()


class _Memory:
    """The most memory the process has taken since it was made, beside what it had."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()
        self._first = self._taken()
        self.peak = 0

    def look(self) -> None:
        self.peak = max(self.peak, self._taken() - self._first)

    def _taken(self) -> int:
        own = taken_of_its_own(self._device)
        return int(self._process.memory_info().rss) if own is None else own
