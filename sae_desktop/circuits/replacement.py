"""The replacement model of one prompt: affine in embeddings, features and errors.

Attention patterns and norm denominators are those of the prompt (`freezing`); at each layer's
MLP output stand the features that fire, as their dictionary decodes them, what it writes whatever
fires (b_dec, the skip connection), and the error that makes up the difference to what the MLP
gave. At the special tokens before a prompt (BOS), where heads that have nothing to read rest and
which no dictionary is made for, no features are read, and what the MLP gives is a constant. So
everything that the features, and the logits before any cap, read is an affine function of
embeddings, features and errors, which is what an attribution graph shows.

T tokens, D width, F features of a layer, n features that fire in a layer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sae_desktop.circuits.freezing import Freezer, Mode, freezing, require_frozen
from sae_desktop.circuits.members import Members
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel, require_causal
from sae_desktop.language_model.sites.capture import watch
from sae_desktop.language_model.sites.intervene import logit_factor
from sae_desktop.language_model.sites.resolve import (
    HookPoint,
    Site,
    decoder_layers,
    hook_point,
    site_width,
    text_config,
)

Write = Callable[[int, Tensor, Tensor], Tensor]
"""(layer, what features read there (B, T, I), what its MLP gives (B, T, D)) → what is written."""


@dataclass
class Active:
    """The features of one layer that fire, ordered by token, then feature."""

    positions: Tensor
    """(n,) int64, ascending."""
    features: Tensor
    """(n,) int64."""
    activations: Tensor
    """(n,)."""

    def __len__(self) -> int:
        return len(self.positions)


@dataclass
class Pass:
    """What one forward pass saw."""

    reads: dict[int, Tensor] = field(default_factory=dict)
    """Layer → what its features read, (B, T, I), attached where gradients are kept."""
    given: dict[int, Tensor] = field(default_factory=dict)
    """Layer → what its MLP gave, (B, T, D), whatever was written in its stead."""
    written: dict[int, Tensor] = field(default_factory=dict)
    """Layer → the leaf (1, T, D) that stands for features, errors and biases there."""
    entered: dict[int, Tensor] = field(default_factory=dict)
    """Layer → the leaf that enters it; `layers`: that enters the final norm."""
    left: dict[int, Tensor] = field(default_factory=dict)
    """Layer → what leaves it, attached to its leaves; −1: what leaves the embedding."""
    embedding: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B, T, D): the token embeddings, a leaf where gradients are kept."""
    head_in: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B, T or 1, D): what the unembedding reads, of the last token at least."""
    logits: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B, T or 1, V), after any cap."""


class ReplacementModel:
    """A model and a set of dictionaries, frozen at one prompt."""

    def __init__(
        self, lm: LanguageModel, members: Members, ids: list[int], specials: int = 0
    ) -> None:
        """Read the prompt `ids`; no feature fires at the first `specials` tokens.

        Raises UserError for an encoder, a model whose parts cannot be frozen, and a set that does
        not fit it.
        """
        require_causal(lm, "An attribution graph")
        self.lm = lm
        self.members = members
        self.ids = torch.tensor([ids], device=lm.device)
        self.specials = specials
        self.layers = len(decoder_layers(lm.model))
        self.freezer = Freezer()
        last_only = "logits_to_keep" in inspect.signature(lm.model.forward).parameters
        self._options = {"logits_to_keep": 1} if last_only else {}
        self._require_fits()
        self.seen = self.run(attention="record", norms="record", cut=True)
        require_frozen(lm, self.freezer)
        self.active = {layer: self._active(layer) for layer in members.layers}
        rests = {layer: self._rest(layer) for layer in range(self.layers)}
        before = torch.arange(self.tokens, device=lm.device)[:, None] < specials
        self.errors = {layer: rest.masked_fill(before, 0) for layer, rest in rests.items()}
        """Layer → (T, D), 0 at the special tokens."""
        self.fixed = {layer: rest.masked_fill(~before, 0) for layer, rest in rests.items()}
        """Layer → (T, D): what the MLP gives at the special tokens, a constant of the graph."""

    def _require_fits(self) -> None:
        """Raise UserError where layers or widths are not the model's."""
        members, name = self.members, self.lm.name
        problem = ""
        if any(not 0 <= layer < self.layers for layer in members.layers):
            problem = f"The set has layers up to {max(members.layers)}, but “{name}” has "
            problem += f"{self.layers}."
        for layer in () if problem else members.layers:
            site = members.read_site(layer)
            own = (site_width(self.lm.model, site) if site is not None else 0, self.lm.width)
            told = members.widths(layer)
            if told != own:
                problem = f"Layer {layer} of the set reads {told[0]} numbers and writes {told[1]}, "
                problem += f"but in “{name}” it must be {own[0]} and {own[1]}."
                break
        if problem:
            raise UserError(
                problem, kept="Nothing was traced.",
                next_step="Choose a set that was made for this model.",
            )  # fmt: skip

    @property
    def tokens(self) -> int:
        """T."""
        return int(self.ids.shape[1])

    @property
    def dtype(self) -> torch.dtype:
        return self.seen.embedding.dtype

    # ------------------------------------------------------------ forward passes
    def run(
        self,
        *,
        attention: Mode = "frozen",
        norms: Mode = "frozen",
        write: Write | None = None,
        embedding: Tensor | None = None,
        cut: bool = False,
        ids: Tensor | None = None,
    ) -> Pass:
        """Run the model once and return what it saw.

        `write` says what is written at each MLP's output, None: what the MLP gives; `embedding`
        (B, T, D) replaces the token embeddings. With `cut` the graph of gradients is kept, a
        piece for each layer.
        """
        found = Pass()
        self.freezer.attention, self.freezer.norms = attention, norms
        with freezing(self.lm, self.freezer), ExitStack() as stack:
            self._watch(stack, found, write, embedding, cut)
            stack.enter_context(torch.enable_grad() if cut else torch.no_grad())
            ids = self.ids if ids is None else ids
            if embedding is not None and len(embedding) > len(ids):
                ids = ids.expand(len(embedding), -1)
            output = self.lm.model(input_ids=ids, use_cache=False, **self._options)
        self.freezer.normed.clear()
        found.logits = output.logits.detach()
        return found

    def _watch(
        self,
        stack: ExitStack,
        found: Pass,
        write: Write | None,
        embedding: Tensor | None,
        cut: bool,
    ) -> None:
        def hooked(handle: Any) -> None:
            stack.callback(handle.remove)

        def embedded(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            value = output if embedding is None else embedding.to(output)
            found.embedding = value.detach().requires_grad_(cut)
            return found.embedding

        hooked(self.lm.model.get_input_embeddings().register_forward_hook(embedded))
        for layer in range(self.layers):
            site = self.members.read_site(layer)
            if site is not None:
                self._watch_read(hooked, found, layer, site)
            # In the order of registration: the layer's leaf is in place before it is watched.
            if cut:
                self._cut(hooked, found, layer)
            point = hook_point(self.lm.model, Site(layer, "hook_mlp_out"))
            hooked(_written(point, self._writer(found, layer, write, cut)))

        def before_head(module: nn.Module, args: Any) -> None:
            found.head_in = args[0]

        hooked(self.lm.model.get_output_embeddings().register_forward_pre_hook(before_head))

    def _watch_read(
        self, hooked: Callable[[Any], None], found: Pass, layer: int, site: Site
    ) -> None:
        point = hook_point(self.lm.model, site)
        norm = point.norm

        def see(value: Tensor) -> None:
            found.reads[layer] = value if norm is None else self.freezer.normed[norm]

        plain = HookPoint(point.module, point.side, point.scale, None, point.centred)
        hooked(watch(plain, see))

    def _cut(self, hooked: Callable[[Any], None], found: Pass, layer: int) -> None:
        module = decoder_layers(self.lm.model)[layer]

        def enter(module: nn.Module, args: Any, kwargs: Any) -> Any:
            value = args[0] if args else kwargs["hidden_states"]
            found.left[layer - 1] = value
            found.entered[layer] = value.detach().requires_grad_()
            if args:
                return (found.entered[layer], *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": found.entered[layer]}

        def leave(module: nn.Module, args: Any, output: Any) -> Any:
            value = output[0] if isinstance(output, tuple | list) else output
            found.left[layer] = value
            found.entered[layer + 1] = value.detach().requires_grad_()
            if isinstance(output, tuple | list):
                return type(output)((found.entered[layer + 1], *output[1:]))
            return found.entered[layer + 1]

        hooked(module.register_forward_pre_hook(enter, with_kwargs=True, prepend=True))
        if layer == self.layers - 1:
            hooked(module.register_forward_hook(leave))

    def _writer(
        self, found: Pass, layer: int, write: Write | None, cut: bool
    ) -> Callable[[Tensor], Tensor]:
        def writer(given: Tensor) -> Tensor:
            found.given[layer] = given.detach()
            read = found.reads.get(layer)
            if not cut:
                if write is None:
                    return given
                return write(layer, given[..., :0] if read is None else read, given)
            skipped = None if read is None else self.members.skip(layer, read)
            leaf = given.detach()
            if skipped is not None:
                leaf = leaf - skipped.detach()
            found.written[layer] = leaf = leaf.requires_grad_()
            return leaf if skipped is None else leaf + skipped

        return writer

    # ------------------------------------------------------------ what stands there
    def _active(self, layer: int) -> Active:
        read = self.seen.reads[layer]
        found = self.fired(layer, read)
        if not bool(torch.isfinite(read).all() and torch.isfinite(found.activations).all()):
            raise UserError(
                f"Layer {layer} of “{self.lm.name}” gives values that are not numbers for this "
                "prompt.",
                next_step="Check the model and the set: their weights may be damaged.",
            )
        return found

    def fired(self, layer: int, read_BTI: Tensor) -> Active:
        """Return what fires on what a layer's features read in a pass, positions in B · T rows."""
        rows, features, activations = self.members.active(layer, read_BTI.detach().flatten(0, 1))
        kept = rows % self.tokens >= self.specials
        return Active(rows[kept], features[kept], activations[kept])

    def written_by_features(
        self, layer: int, fired: Mapping[int, Active] | None = None, copies: int = 1
    ) -> Tensor:
        """Return what features write at a layer's MLP output, (B · T, D).

        `fired`: layer → those that fire in a pass of B copies; None: the prompt's own, (T, D).
        """
        fired = self.active if fired is None else fired
        total = torch.zeros_like(self.seen.given[layer][0]).repeat(copies, 1)
        for source in self.members.layers:
            if not self.members.writes_to(source, layer):
                continue
            active = fired[source]
            for rows in _pieces(len(active)):
                vectors = self.members.decoders(source, layer, active.features[rows])
                total.index_add_(
                    0, active.positions[rows], vectors * active.activations[rows, None]
                )
        return total

    def _rest(self, layer: int) -> Tensor:
        written = self.seen.written[layer][0].detach()
        return written - self.written_by_features(layer) - self.members.bias(layer, written)

    def constants(self) -> Pass:
        """Return the pass with embeddings, features and errors at 0: what biases give."""

        def write(layer: int, read: Tensor, given: Tensor) -> Tensor:
            bias = self.members.bias(layer, given[0])
            skipped = self.members.skip(layer, read) if read.shape[-1] else None
            value = (self.fixed[layer] + bias).expand_as(given)
            return value if skipped is None else value + skipped

        return self.run(write=write, embedding=torch.zeros_like(self.seen.embedding))

    # ------------------------------------------------------------ logits
    def centred_logits(self, head_in: Tensor) -> Tensor:
        """Return the logits before any cap, less their mean, (…, V), of what the head reads."""
        head = self.lm.model.get_output_embeddings()
        logits: Tensor = head(head_in) * logit_factor(text_config(self.lm.model))
        return logits - logits.mean(dim=-1, keepdim=True)

    def logit_directions(self, tokens: Tensor) -> Tensor:
        """Return what raises the centred logits of `tokens` (n,) at the head's input, (n, D)."""
        head = self.lm.model.get_output_embeddings()
        weight: Tensor = head.weight.detach()
        mean = weight.mean(dim=0, dtype=torch.promote_types(weight.dtype, torch.float32))
        found = weight[tokens].to(mean.dtype) - mean
        return (found * logit_factor(text_config(self.lm.model))).to(self.dtype)

    def probabilities(self) -> Tensor:
        """Return the model's own, for the token after the prompt, (V,)."""
        logits = self.seen.logits[0, -1]
        return torch.softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=-1)


def _written(point: HookPoint, change: Callable[[Tensor], Tensor]) -> Any:
    """Replace what passes at an MLP's output, in units of what is added to the stream."""

    def after(module: nn.Module, args: Any, output: Any) -> Any:
        value = output[0] if isinstance(output, tuple | list) else output
        made = change(value * point.scale if point.scale != 1.0 else value)
        made = made if point.scale == 1.0 else made / point.scale
        if isinstance(output, tuple | list):
            return type(output)((made, *output[1:]))
        return made

    return point.module.register_forward_hook(after)


_PIECE = 65_536


def _pieces(count: int) -> Iterator[slice]:
    for first in range(0, count, _PIECE):
        yield slice(first, first + _PIECE)
