"""Several continuations side by side in one batch: the model as it is, and the model steered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, require_causal
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.prompt_pictures import PromptPictures, turns_by_place

Transforms = Mapping[Site, Callable[[Tensor], Tensor]]


class ReadBefore(dict[Site, Callable[[Tensor], Tensor]]):
    """What is done at each site in a pass, which needs its tokens read beforehand."""

    def __init__(
        self,
        transforms: Transforms,
        read: Callable[[PaddedTokens, int], None],
    ) -> None:
        """`read` is called with the batch and the columns that are done, before each pass."""
        super().__init__(transforms)
        self.read = read


@dataclass(frozen=True)
class Step:
    """One token of every row."""

    position: int
    ids: list[int | None]
    """None for a row that has ended. An end-of-text token is given once."""
    logits_BV: Tensor
    """Before the temperature, float32 on the CPU."""


@dataclass(frozen=True)
class PaddedTokens:
    """Prompts padded on the left, or whole texts padded on the right. B rows, S columns."""

    ids_BS: Tensor
    mask_BS: Tensor
    """1 for a token, 0 for padding."""
    pictures: PromptPictures | None = None
    """Those that some of the tokens stand for."""

    @classmethod
    def of(
        cls,
        prompts: Sequence[Sequence[int]],
        pad: int = 0,
        pictures: PromptPictures | None = None,
    ) -> PaddedTokens:
        width = max(map(len, prompts))
        ids = [[pad] * (width - len(p)) + list(p) for p in prompts]
        mask = [[0] * (width - len(p)) + [1] * len(p) for p in prompts]
        return cls(torch.tensor(ids), torch.tensor(mask), pictures)

    @classmethod
    def whole(
        cls,
        texts: Sequence[Sequence[int]],
        pad: int = 0,
        pictures: PromptPictures | None = None,
    ) -> PaddedTokens:
        """Return texts that nothing is added to: what follows a token is nothing to it."""
        width = max(map(len, texts))
        ids = torch.tensor([list(t) + [pad] * (width - len(t)) for t in texts])
        return cls(ids, torch.ones_like(ids), pictures)

    def with_next(self, ids_B: Tensor) -> PaddedTokens:
        """Return the same with a token more in each row."""
        ones = torch.ones(len(ids_B), 1, dtype=self.mask_BS.dtype)
        return PaddedTokens(
            torch.cat([self.ids_BS, ids_B[:, None]], dim=1),
            torch.cat([self.mask_BS, ones], dim=1),
            self.pictures,
        )

    @property
    def pads(self) -> list[int]:
        """Columns of padding before each row."""
        found: list[int] = (self.mask_BS == 0).sum(dim=1).tolist()
        return found

    def inputs(self, device: torch.device, model_takes: Mapping[str, object]) -> dict[str, Tensor]:
        """Return the arguments of the model; without padding neither mask nor positions."""
        arguments = {"input_ids": self.ids_BS.to(device)}
        if bool(self.mask_BS.all()):
            return arguments
        arguments["attention_mask"] = self.mask_BS.to(device)
        if "position_ids" in model_takes:
            arguments["position_ids"] = (self.mask_BS.cumsum(1) - 1).clamp_min(0).to(device)
        return arguments


def forward(
    lm: LanguageModel,
    batch: PaddedTokens,
    transforms: Transforms,
    positions: Positions,
    *,
    done: int = 0,
    cache: object = None,
    use_cache: bool = False,
    last_only: bool = False,
) -> tuple[Tensor, object]:
    """Read the columns from `done` on; return their logits (B, ·, V) and the cache.

    The model's lock is held meanwhile. `cache` holds the columns before; the one returned is None
    of a model that has none to continue from. Raises UserError for padding that the model would
    read.
    """
    takes = inspect.signature(lm.model.forward).parameters
    inputs = batch.inputs(lm.device, takes)
    if turns_by_place(lm):
        inputs["position_ids"] = _positions(lm, batch)
    for name in ("input_ids", "position_ids"):
        if name in inputs:
            inputs[name] = inputs[name][..., done:]
    if batch.pictures is not None and done == 0:
        inputs |= batch.pictures.inputs(lm, batch.mask_BS)
    kept = cache_name(lm)
    use_cache = use_cache and kept is not None
    options: dict[str, object] = {"use_cache": use_cache} if "use_cache" in takes else {}
    if cache is not None and kept is not None:
        options[kept] = cache
    if last_only and "logits_to_keep" in takes:
        options["logits_to_keep"] = 1
    positions.begin(done)
    if isinstance(transforms, ReadBefore):
        transforms.read(batch, done)
    if not use_cache and "attention_mask" in inputs:
        _require_blind_to_padding(lm, takes)
    with lm.lock, torch.no_grad(), ExitStack() as stack:
        for site, transform in transforms.items():
            stack.enter_context(intervention(lm, site, transform))
        out = lm.model(**inputs, **options)
    return out.logits, getattr(out, kept, None) if use_cache and kept is not None else None


def _positions(lm: LanguageModel, batch: PaddedTokens) -> Tensor:
    """Return the positions of all columns, (B, S), or with pictures (3, B, S)."""
    if batch.pictures is not None:
        found = batch.pictures.position_ids(lm, batch.ids_BS, batch.mask_BS)
        if found is not None:
            return found
    return (batch.mask_BS.cumsum(1) - 1).clamp_min(0).to(lm.device)


def cache_name(lm: LanguageModel) -> str | None:
    """Return under which name a model takes and gives what it keeps of tokens it has read.

    None of one that cannot continue from that, or keeps a state in which tokens are not told apart.
    """
    takes = inspect.signature(lm.model.forward).parameters
    if "past_key_values" in takes:
        return "past_key_values"
    stateful = getattr(lm.model, "_is_stateful", False)
    return "cache" if "cache" in takes and not stateful else None  # since transformers 5.24


def _require_blind_to_padding(lm: LanguageModel, takes: Mapping[str, object]) -> None:
    """Raise UserError for a model that reads padding as text, as some recurrent ones do."""
    token = min(3, lm.vocabulary_size - 1)
    plain, padded = (
        PaddedTokens.of([[token, token]]),
        PaddedTokens.of([[token, token], [token] * 4]),
    )
    with lm.lock, torch.no_grad():
        alone = lm.model(**plain.inputs(lm.device, takes)).logits[0, -1]
        beside = lm.model(**padded.inputs(lm.device, takes)).logits[0, -1]
    if not torch.allclose(alone.float(), beside.float(), rtol=1e-2, atol=1e-2):
        raise UserError(
            f"“{lm.name}” cannot read prompts of different lengths side by side: padding would "
            "change the result.",
            next_step="Give all variants the same prompt, or prompts with the same number of "
            "tokens.",
        )


def continuations(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    transforms: Transforms,
    positions: Positions,
    sampling: Sampling,
    *,
    use_cache: bool = True,
    stopped: Callable[[], Sequence[bool]] | None = None,
    pictures: PromptPictures | None = None,
) -> Iterator[Step]:
    """Yield token after token of all rows, until each has ended or the number is reached.

    `transforms` change the values of their sites in the batch (B, S, D). All rows draw from the
    same random numbers, so where their probabilities agree so do their tokens. The model's lock
    is held during forward passes only. `stopped` is asked after each pass which rows end there.
    `pictures`: those in the prompts. Raises UserError for an encoder.
    """
    require_causal(lm, "Steering")
    generator = torch.Generator().manual_seed(sampling.seed)
    batch = PaddedTokens.of(prompts, pictures=pictures)
    barred = [] if pictures is None else pictures.barred
    cache: object = None
    done = 0
    ended = [False] * len(prompts)
    for position in range(sampling.max_new_tokens):
        use_cache = use_cache and (position == 0 or cache is not None)
        logits, cache = forward(
            lm, batch, transforms, positions,
            done=done, cache=cache, use_cache=use_cache, last_only=True,
        )  # fmt: skip
        done = batch.ids_BS.shape[1] if cache is not None else 0
        logits_BV = logits[:, -1].float().cpu()
        weighed_BV = penalised(logits_BV, batch, sampling)
        if barred:
            weighed_BV = weighed_BV.index_fill(1, torch.tensor(barred), -torch.inf)
        chosen_B = choose(weighed_BV, sampling, generator)
        if stopped is not None:
            ended = [over or now for over, now in zip(ended, stopped(), strict=True)]
        ids = [None if over else int(i) for i, over in zip(chosen_B.tolist(), ended, strict=True)]
        yield Step(position, ids, logits_BV)
        ended = [token is None or token in lm.eos_ids for token in ids]
        if all(ended):
            return
        batch = batch.with_next(chosen_B)


def room_left(
    lm: LanguageModel, prompts: Sequence[Sequence[int]], wanted: int, context: JobContext
) -> int:
    """Return how many tokens to generate: `wanted`, or what the model's context leaves.

    Raises UserError for a prompt that leaves nothing.
    """
    longest = max(map(len, prompts))
    room = lm.context_size - longest
    if room < 1:
        raise UserError(
            f"The prompt has {longest:,} tokens; “{lm.name}” reads at most {lm.context_size:,}.",
            next_step="Shorten the prompt.",
        )
    if room < wanted:
        context.log(f"The model's context leaves room for {room:,} of {wanted:,} tokens.")
    return min(wanted, room)


def penalised(logits_BV: Tensor, batch: PaddedTokens, sampling: Sampling) -> Tensor:
    """Return the logits with those of tokens that stand in a row already drawn towards unlikely.

    As CTRL and the library's own `generate` have it: of prompt and text, padding left out.
    """
    penalty = sampling.repetition_penalty
    if penalty == 1:
        return logits_BV
    counts_BV = torch.zeros_like(logits_BV)
    counts_BV.scatter_add_(1, batch.ids_BS, batch.mask_BS.to(counts_BV))
    less = torch.where(logits_BV < 0, logits_BV * penalty, logits_BV / penalty)
    return torch.where(counts_BV > 0, less, logits_BV)


def choose(logits_BV: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Return the next token of each row (B,), by the Gumbel-max trick with shared noise."""
    if sampling.temperature <= 0:
        return logits_BV.argmax(-1)
    scaled = logits_BV / sampling.temperature
    if 0 < sampling.top_k < scaled.shape[-1]:
        least = scaled.topk(sampling.top_k, dim=-1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < least, -torch.inf)
    if sampling.top_p < 1.0:
        ordered, order = scaled.softmax(-1).sort(dim=-1, descending=True)
        # The first whose sum reaches the share is the last one kept.
        beyond = ordered.cumsum(-1) - ordered >= sampling.top_p
        scaled = scaled.masked_fill(beyond.scatter(-1, order, beyond), -torch.inf)
    uniform_V = torch.rand(logits_BV.shape[-1], generator=generator).clamp_min(1e-20)
    return (scaled - torch.log(-torch.log(uniform_V))).argmax(-1)
