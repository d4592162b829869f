"""The job `steer`: a prompt continued plain and with features clamped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.opened import OpenedIndex, open_index
from sae_desktop.features.suitable import require_writing_where_it_reads
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.token_text import token_text
from sae_desktop.steering.config import (
    Clamp,
    SteerConfig,
    SteeredToken,
    SteerResult,
    TokenProbability,
)
from sae_desktop.steering.generate import continuations, steer_row
from sae_desktop.steering.interventions import clamp
from sae_desktop.steering.token_stream import TokenStream

NEXT_TOKENS = 10


def steer(config: SteerConfig, context: JobContext) -> SteerResult:
    """Continue `config.prompt` twice and stream both sides as SteeredToken.

    Every token of prompt and output is steered, but for the beginning-of-sequence token put
    before the prompt (see `steer_row`). The texts returned are what was streamed, joined.
    Raises UserError for a feature that is not there or never fired, and for a prompt that
    leaves the model no room.
    """
    if not 0 <= config.temperature < math.inf:
        raise UserError(f"The temperature is {config.temperature}.", next_step="Use 0 or more.")
    opened = open_index(config.project, config.index, config.device)
    require_writing_where_it_reads(opened.index.info.dictionary, opened.dictionary)
    transform = clamp_transform(opened, config.clamps) if config.clamps else None
    prompt_ids = _prompt_ids(opened, config)
    count = _room(opened.lm, prompt_ids, config.max_new_tokens, context)
    steps = continuations(
        opened.lm,
        prompt_ids,
        opened.site,
        transform,
        max_new_tokens=count,
        temperature=config.temperature,
        seed=config.seed,
    )
    names = opened.lm.token_bytes()
    plain, steered = TokenStream(names), TokenStream(names)
    next_tokens: list[TokenProbability] = []
    for step in steps:
        context.check_cancelled()
        if step.position == 0:
            next_tokens = likeliest(step.logits_2V, names)
        last = step.position == count - 1 or context.stop_requested
        texts = [
            _push(stream, token, last, opened.lm)
            for stream, token in zip((plain, steered), step.ids, strict=True)
        ]
        context.output(
            SteeredToken(
                position=step.position,
                plain=texts[0],
                steered=texts[1],
                next_tokens=next_tokens if step.position == 0 else [],
            )
        )
        context.progress(step.position + 1, count, "tokens")
        if last:
            break
    return SteerResult(
        prompt=config.prompt, plain=plain.text, steered=steered.text, next_tokens=next_tokens
    )


def clamp_transform(opened: OpenedIndex, clamps: Sequence[Clamp]) -> Callable[[Tensor], Tensor]:
    """Return the transform of a batch of two that clamps features on its steered row.

    Raises UserError for a feature that is not there, is named twice, or never fired.
    """
    maxima = opened.index.columns["max_activation"]
    ids, values = [], []
    for item in clamps:
        feature = opened.index.check_feature(item.feature)
        top = float(maxima[feature])
        if feature in ids:
            raise UserError(
                f"Feature {feature} is clamped twice.", next_step="Keep one of the two."
            )
        if top <= 0:
            raise UserError(
                f"Feature {feature} never fired on the indexed text: it has no maximum that a "
                "clamp could be a multiple of.",
                next_step="Choose a feature with a density above 0.",
            )
        ids.append(feature)
        values.append(item.clamp * top)
    dictionary = opened.dictionary
    ids_n = torch.tensor(ids, device=dictionary.device)
    values_n = torch.tensor(values, device=dictionary.device)
    directions_nD = dictionary.W_dec[ids_n].float()

    def change(x_BSD: Tensor) -> Tensor:
        acts_BSn = dictionary.encode_features(x_BSD, ids_n).float()
        return clamp(x_BSD, acts_BSn, values_n, directions_nD)

    return steer_row(change, skip_first=bool(opened.bos))


def likeliest(logits_2V: Tensor, names: list[bytes]) -> list[TokenProbability]:
    """Return the tokens likeliest on either side, the likeliest first, at temperature 1."""
    probabilities_2V = logits_2V.softmax(-1)
    best = probabilities_2V.amax(0).topk(min(NEXT_TOKENS, logits_2V.shape[-1])).indices.tolist()
    return [
        TokenProbability(
            token=token_text(names[token]),
            plain=float(probabilities_2V[0, token]),
            steered=float(probabilities_2V[1, token]),
        )
        for token in best
    ]


def _push(stream: TokenStream, token: int | None, last: bool, lm: LanguageModel) -> str:
    if token is not None and token in lm.eos_ids:
        return stream.push(None, last=True)  # the end is no part of the text
    return stream.push(token, last=last)


def _prompt_ids(opened: OpenedIndex, config: SteerConfig) -> list[int]:
    lm, text = opened.lm, config.prompt
    if config.chat:
        if not getattr(lm.tokenizer, "chat_template", None):
            raise UserError(
                f"“{lm.name}” has no chat template.", next_step="Steer it without “chat”."
            )
        text = lm.tokenizer.apply_chat_template(
            [{"role": "user", "content": config.prompt}], add_generation_prompt=True, tokenize=False
        )
    ids = lm.encode(text)
    if ids[: len(opened.bos)] != opened.bos:  # some templates begin with it themselves
        ids = opened.bos + ids
    if not ids:
        raise UserError("The prompt is empty.", next_step="Type the beginning of a text.")
    return ids


def _room(lm: LanguageModel, prompt_ids: list[int], wanted: int, context: JobContext) -> int:
    """Return how many tokens to generate: `wanted`, or what the model's context leaves."""
    if wanted < 1:
        raise UserError(f"{wanted} tokens were asked for.", next_step="Ask for at least one.")
    room = lm.context_size - len(prompt_ids)
    if room < 1:
        raise UserError(
            f"The prompt has {len(prompt_ids):,} tokens; “{lm.name}” reads at most "
            f"{lm.context_size:,}.",
            next_step="Shorten the prompt.",
        )
    if room < wanted:
        context.log(f"The model's context leaves room for {room:,} of {wanted:,} tokens.")
    return min(wanted, room)
