"""The jobs `steer` and `sweep_strengths`: a prompt continued, plain and with the model changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.load import LanguageModel, require_causal
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.steering.breaking import CRITERION, breaking, repetition
from sae_desktop.steering.compare import Compared, compare, perplexity
from sae_desktop.steering.config import (
    MOST_VARIANTS,
    NextToken,
    Sampling,
    SteerConfig,
    SteeredToken,
    SteerResult,
    SweepPoint,
    SweepStrengthsConfig,
    SweepStrengthsResult,
    Variant,
    VariantResult,
    WatchedText,
    scaled,
)
from sae_desktop.steering.generate import PaddedTokens, continuations, room_left
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.own_share import OwnShares
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.prompts import (
    pictures_of,
    pictures_read,
    read_prompt,
    refuse_without_pictures,
)
from sae_desktop.steering.token_stream import TokenStream
from sae_desktop.steering.watching import Watching

NEXT_TOKENS = 10


def steer(config: SteerConfig, context: JobContext) -> SteerResult:
    """Continue the prompt in every variant at once, and stream them as SteeredToken.

    Special tokens before the prompt are left as they are (see `Positions`). The texts returned
    are what was streamed, joined. Raises UserError for interventions that cannot be done, for
    no prompt, for one that leaves the model no room, and for too many variants.
    """
    _check(config.sampling, config.variants)
    opened = open_index(config.project, config.index, config.device)
    run = _Run(opened, config, Preparer(config.project, opened))
    return run.generate(context)


def sweep_strengths(config: SweepStrengthsConfig, context: JobContext) -> SweepStrengthsResult:
    """Steer at every strength, the plain model once beside them.

    Raises UserError as `steer`, for no strengths, and for a watched text without a token.
    """
    strengths = list(dict.fromkeys(config.strengths))
    if not strengths:
        raise UserError("No strength was given.", next_step="Enter at least one, such as 5.")
    _check(config.sampling, [config.variant])
    opened = open_index(config.project, config.index, config.device)
    watched = [_first_token(opened.lm, text) for text in config.watched]
    preparer = Preparer(config.project, opened)
    variants = [Variant(name="plain"), *(_scaled(config.variant, s) for s in strengths)]
    results: list[VariantResult] = []
    chances: list[list[float]] = []
    for first in range(0, len(variants), MOST_VARIANTS):
        context.check_cancelled()
        context.progress(first, len(variants), "strengths")
        part = SteerConfig(
            project=config.project, index=config.index, prompt=config.prompt,
            variants=variants[first : first + MOST_VARIANTS], sampling=config.sampling,
            chat=config.chat, pictures=config.pictures, device=config.device,
        )  # fmt: skip
        run = _Run(opened, part, preparer)
        results += run.generate(_Inner(context)).variants
        chances += [[float(p[i]) for i in watched] for p in run.first_probabilities]
    context.progress(len(variants), len(variants), "strengths")
    plain = results[0]
    return SweepStrengthsResult(
        points=[
            _point(s, found, chance, plain)
            for s, found, chance in zip(strengths, results[1:], chances[1:], strict=True)
        ],
        plain=plain,
        plain_watched=chances[0],
        criterion=CRITERION,
    )


class _Inner(SilentContext):
    """The context of one part: cancelled with the whole, silent otherwise."""

    def __init__(self, outer: JobContext) -> None:
        self._outer = outer

    def check_cancelled(self) -> None:
        self._outer.check_cancelled()


def _check(sampling: Sampling, variants: Sequence[Variant]) -> None:
    refuse_beyond_limits(sampling)
    if not 1 <= len(variants) <= MOST_VARIANTS:
        raise UserError(
            f"{len(variants)} variants were asked for.",
            next_step=f"Ask for 1 to {MOST_VARIANTS}.",
        )


class _Run:
    """One generation of several variants."""

    def __init__(self, opened: OpenedIndex, config: SteerConfig, preparer: Preparer) -> None:
        require_causal(opened.lm, "Steering")
        self._opened, self._config, self._preparer = opened, config, preparer
        read = [read_prompt(opened, v.prompt or config.prompt, config.pictures, chat=config.chat)
                for v in config.variants]  # fmt: skip
        refuse_without_pictures(config.variants, config.pictures)
        self._read = read
        self._prompts = [prompt.ids for prompt in read]
        self._pictures = pictures_of(read)
        plans = [preparer.plan(v.interventions) for v in config.variants]
        stops = [[preparer.gate(gate) for gate in v.stop] for v in config.variants]
        self._watching = Watching(preparer, config.monitors)
        self._steering = Steering(preparer, plans, stops, self._watching.gates)
        self._positions = Positions(
            PaddedTokens.of(self._prompts).pads, read[0].specials,
            [len(p.ids) - p.specials for p in read],
            [p.of_pictures() for p in read] if config.pictures else (),
        )  # fmt: skip
        self._added: tuple[dict[int, list[Tensor]], ...] = ({}, {})
        """Row → lengths of what was added: to the prompt's tokens, and to those written."""
        self._writing = False
        self._ended: set[int] = set()
        self._stopped: set[int] = set()
        """Rows that a gate ended."""
        self.first_probabilities: list[Tensor] = []
        """(V,) of each variant, after the prompt, at temperature 1."""
        self._on_prompts: list[list[WatchedText]] = [[] for _ in self._prompts]

    def generate(self, context: JobContext) -> SteerResult:
        lm, config = self._opened.lm, self._config
        room = room_left(lm, self._prompts, config.sampling.max_new_tokens, context)
        sampling = msgspec.structs.replace(config.sampling, max_new_tokens=room)
        names = lm.token_bytes()
        streams = [TokenStream(names) for _ in self._prompts]
        outputs: list[list[int]] = [[] for _ in self._prompts]
        next_tokens: list[NextToken] = []
        transforms = self._steering.transforms(self._positions, self._note_added)
        for step in continuations(
            lm, self._prompts, transforms, self._positions, sampling,
            stopped=self._stops, pictures=self._pictures,
        ):  # fmt: skip
            context.check_cancelled()
            last = step.position == room - 1 or context.stop_requested
            if step.position == 0:
                self._writing = True
                next_tokens = self._likeliest(step.logits_BV, names)
                self._on_prompts = self._watch_prompts()
            texts = []
            rows = zip(streams, outputs, step.ids, strict=True)
            for row, (stream, output, token) in enumerate(rows):
                written = None if token is None or token in lm.eos_ids else token
                texts.append(stream.push(written, last=last or written is None))
                if written is None:
                    self._ended.add(row)
                else:
                    output.append(written)
            told = next_tokens if step.position == 0 else []
            context.output(SteeredToken(position=step.position, texts=texts, next_tokens=told))
            context.progress(step.position + 1, room, "tokens")
            if last:
                break
        compared = [Compared([], [], watched) for watched in self._on_prompts]
        own = OwnShares(self._preparer, config.variants)
        if config.compare:
            compared = compare(
                lm, self._prompts, self._pictures, outputs, self._steering, self._positions,
                own.transforms(), self._watching,
            )  # fmt: skip
        results = [
            self._result(number, streams[number].text, outputs[number], compared[number])
            for number in range(len(outputs))
        ]
        return SteerResult(
            variants=self._with_own(results, own, outputs) if config.compare else results,
            next_tokens=next_tokens,
            site=self._preparer.sites,
            prompt_tokens=self._own_prompt(names),
            typical_norm=self._preparer.typical_norm,
            pictures=pictures_read(self._read[0], config.pictures),
        )

    def _with_own(
        self, results: list[VariantResult], own: OwnShares, outputs: Sequence[Sequence[int]]
    ) -> list[VariantResult]:
        """Return the results with how much of each text is its features' own."""

        def share(variant: int, row: int) -> float | None:
            return own.share(variant, row, len(self._prompts[row]), outputs[row])

        variants = self._config.variants
        found = []
        for number, result in enumerate(results):
            plain = next(
                (row for row, v in enumerate(variants)
                 if not v.interventions and self._prompts[row] == self._prompts[number]), None,
            )  # fmt: skip
            beside = None if plain is None else share(number, plain)
            found.append(
                msgspec.structs.replace(result, own=share(number, number), plain_own=beside)
            )
        return found

    def _stops(self) -> list[bool]:
        """Return which rows end at this pass because a gate fired."""
        assert self._steering.gates is not None
        now = self._steering.gates.stopped() or [False] * len(self._prompts)
        self._stopped |= {row for row, stops in enumerate(now) if stops} - self._ended
        return now

    def _watch_prompts(self) -> list[list[WatchedText]]:
        """Return what the monitors say of each row's prompt, after the pass that read it."""
        specials, width = self._positions.specials, max(map(len, self._prompts))
        found = []
        for row, prompt in enumerate(self._prompts):
            own = slice(width - len(prompt) + specials, width)
            found.append(self._watching.texts(self._steering, row, own, len(prompt) - specials))
        return found

    def _own_prompt(self, names: Sequence[bytes]) -> list[str]:
        """Return the tokens of the prompt of all, without the special ones before it."""
        variants = zip(self._read, self._config.variants, strict=True)
        own = next((prompt for prompt, v in variants if not v.prompt), None)
        return [] if own is None else own.names(names)

    def _note_added(self, row: int, lengths: Tensor) -> None:
        if self._writing:  # the newest token alone: some models read all anew at each step
            lengths = lengths[-1:]
        if row not in self._ended:
            self._added[self._writing].setdefault(row, []).append(lengths.cpu())

    def _likeliest(self, logits_BV: Tensor, names: Sequence[bytes]) -> list[NextToken]:
        """Return the tokens likeliest in any variant, the likeliest first, at temperature 1."""
        chances_BV = logits_BV.softmax(-1)
        self.first_probabilities = list(chances_BV)
        best = chances_BV.amax(0).topk(min(NEXT_TOKENS, chances_BV.shape[-1])).indices.tolist()
        return [
            NextToken(token=token_text(names[i]), probabilities=chances_BV[:, i].tolist())
            for i in best
        ]

    def _result(self, row: int, text: str, ids: Sequence[int], compared: Compared) -> VariantResult:
        variant, tokens = self._config.variants[row], compared.tokens
        added = self._added[0].get(row) or self._added[1].get(row)
        strength = None
        if added:
            strength = float(torch.cat(added).mean()) / max(self._preparer.typical_norm, 1e-12)
        return VariantResult(
            name=variant.name,
            prompt=variant.prompt or self._config.prompt,
            text=text,
            tokens=tokens,
            perplexity=perplexity(tokens),
            kl=sum(t.kl for t in tokens) / len(tokens) if tokens else None,
            repetition=repetition(ids),
            typical_strength=strength,
            stopped=row in self._stopped,
            prompt_open=compared.prompt_open,
            watched=compared.watched,
        )


def _scaled(variant: Variant, strength: float) -> Variant:
    return msgspec.structs.replace(
        variant,
        name=f"{strength:g}",
        interventions=scaled(variant.interventions, strength),
    )


def _point(
    strength: float, found: VariantResult, chances: list[float], plain: VariantResult
) -> SweepPoint:
    return SweepPoint(
        strength=strength,
        text=found.text,
        watched=chances,
        perplexity=found.perplexity,
        kl=found.kl,
        repetition=found.repetition,
        broken=breaking(found.repetition, found.perplexity, plain.repetition, plain.perplexity)
        is not None,
    )


def _first_token(lm: LanguageModel, text: str) -> int:
    ids = lm.encode(text)
    if not ids:
        raise UserError("A text whose probability is followed is empty.", next_step="Leave it out.")
    return ids[0]
