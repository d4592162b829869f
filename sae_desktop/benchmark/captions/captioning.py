"""Pictures captioned by a model as it is, and with its values changed, many captions at once.

B rows, T tokens of a caption, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from sae_desktop.benchmark.captions.outcomes import Written
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.jobs import JobContext
from sae_desktop.steering.breaking import breaking, repetition
from sae_desktop.steering.config import Intervention, Sampling
from sae_desktop.steering.generate import PaddedTokens, continuations, forward, room_left
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.prompts import Prompt, pictures_of, read_prompt

_AT_ONCE = 32
_LOGITS_AT_ONCE = 2**25
"""Numbers of the logits that are read at a time."""


class Asked(NamedTuple):
    """One caption to be written."""

    prompt: str
    interventions: Sequence[Intervention] = ()


class Captioner:
    """Writes captions greedily; each ends with its first line that has something in it."""

    def __init__(
        self, opened: OpenedIndex, preparer: Preparer, prompt: str, *, chat: bool, tokens: int
    ) -> None:
        """`prompt`: after which captions are judged; `tokens`: of a caption at most."""
        self._opened, self._preparer = opened, preparer
        self._prompt, self._chat = prompt, chat
        self._tokens = tokens
        self._names = opened.lm.token_bytes()

    def captions(self, picture: str, asked: Sequence[Asked], context: JobContext) -> list[Written]:
        """Return the captions of a picture's file, one for each that is asked for.

        Raises UserError for a picture or prompt that cannot be read, and for changes that cannot
        be done.
        """
        prompts = {
            text: read_prompt(self._opened, text, [picture], chat=self._chat)
            for text in dict.fromkeys([self._prompt, *(one.prompt for one in asked)])
        }
        ids: list[tuple[int, ...]] = []
        for first in range(0, len(asked), _AT_ONCE):
            context.check_cancelled()
            ids += self._written(prompts, asked[first : first + _AT_ONCE], context)
        likely = self._log_probabilities(prompts[self._prompt], list(dict.fromkeys(ids)))
        return [self._caption(own, likely[own]) for own in ids]

    def _written(
        self, prompts: dict[str, Prompt], asked: Sequence[Asked], context: JobContext
    ) -> list[tuple[int, ...]]:
        """Return the tokens of each caption; an end-of-text token is not one of them."""
        lm = self._opened.lm
        read = [prompts[one.prompt] for one in asked]
        rows = [prompt.ids for prompt in read]
        plans = [self._preparer.plan(one.interventions) for one in asked]
        steering = Steering(self._preparer, plans)
        positions = _positions(PaddedTokens.of(rows).pads, read)
        room = room_left(lm, rows, self._tokens, context)
        texts: list[list[int]] = [[] for _ in asked]
        for step in continuations(
            lm, rows, steering.transforms(positions), positions,
            Sampling(max_new_tokens=room, repetition_penalty=1.0),
            stopped=lambda: [self._has_ended(text) for text in texts], pictures=pictures_of(read),
        ):  # fmt: skip
            for text, token in zip(texts, step.ids, strict=True):
                if token is not None and token not in lm.eos_ids:
                    text.append(token)
        return [tuple(text) for text in texts]

    def _has_ended(self, ids: Sequence[int]) -> bool:
        return b"\n" in b"".join(self._names[i] for i in ids).lstrip()

    def _caption(self, ids: Sequence[int], log_probability: float | None) -> Written:
        whole = b"".join(self._names[i] for i in ids).decode("utf-8", "replace").strip()
        text = whole.splitlines()[0].strip() if whole else ""
        repeats = breaking(repetition(ids), None, 0.0, None) is not None
        return Written(text, not text or repeats, log_probability)

    def _log_probabilities(
        self, prompt: Prompt, texts: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, ...], float | None]:
        """Return the mean of each caption's tokens under the plain model; None of an empty one."""
        lm, start = self._opened.lm, len(prompt.ids)
        found: dict[tuple[int, ...], float | None] = dict.fromkeys(texts)
        written = [ids for ids in texts if ids]
        longest = start + max(map(len, written), default=0)
        at_once = min(max(_LOGITS_AT_ONCE // (longest * lm.vocabulary_size), 1), _AT_ONCE)
        for first in range(0, len(written), at_once):
            part = written[first : first + at_once]
            same = [prompt] * len(part)
            batch = PaddedTokens.whole(
                [[*prompt.ids, *ids] for ids in part], pictures=pictures_of(same)
            )
            logits, _ = forward(lm, batch, {}, _positions(batch.pads, same))
            for row, ids in enumerate(part):
                logs_TV = logits[row, start - 1 : start - 1 + len(ids)].float().log_softmax(-1)
                chosen_T1 = torch.tensor(ids, device=logs_TV.device)[:, None]
                found[ids] = float(logs_TV.gather(1, chosen_T1).mean())
        return found


def _positions(pads: Sequence[int], prompts: Sequence[Prompt]) -> Positions:
    return Positions(
        pads, prompts[0].specials, [len(p.ids) - p.specials for p in prompts],
        [p.of_pictures() for p in prompts],
    )  # fmt: skip
