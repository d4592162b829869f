"""The job `mitigate`: a behaviour before and after, the cost, and how it is won back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.load import require_causal
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project
from sae_desktop.safety.mitigation.adaptive import WORDINGS, Attacked, Writing, attack
from sae_desktop.safety.mitigation.behaviour import Shows, Written, refuses, shows_target, write
from sae_desktop.safety.mitigation.config import (
    REFUSALS_TOLD,
    Figure,
    MitigateConfig,
    MitigateResult,
    Outcome,
    Searched,
)
from sae_desktop.safety.mitigation.cost import Cost, costs, figure
from sae_desktop.safety.mitigation.ways import GATED, UNGATED, Ways, all_ways, gates_of
from sae_desktop.safety.monitors.file import read_monitor
from sae_desktop.safety.monitors.intervals import wilson
from sae_desktop.safety.monitors.scoring import Scorer, unit_scores
from sae_desktop.safety.monitors.texts import Documents, ReadText, Watched
from sae_desktop.steering.config import Variant
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.prompts import prompt_ids
from sae_desktop.steering.ready_gates import monitor_reader

_EXAMPLES = 10


def mitigate(config: MitigateConfig, context: JobContext) -> MitigateResult:
    """Return what the steering does, beside its rivals, on the same prompts and texts.

    Raises UserError for steering without a condition, without prompts or a behaviour, for prompts
    that leave no room, and for too little ordinary text.
    """
    refuse_beyond_limits(config)
    _check(config)
    opened = open_index(config.project, config.index, config.device)
    require_causal(opened.lm, "Steering")
    return _Test(config, opened, context).run()


class _Test:
    def __init__(self, config: MitigateConfig, opened: OpenedIndex, context: JobContext) -> None:
        self._config, self._opened, self._context = config, opened, context
        preparer = Preparer(config.project, opened)
        self._ways = Ways(opened.lm, preparer, len(opened.bos))
        self._prompts = [self._ids(text) for text in config.prompts]
        self._harmless = [self._ids(text) for text in config.harmless]
        self._shows = self._behaviour()
        size = min(config.context_size, opened.lm.context_size)
        settings = msgspec.structs.replace(config, context_size=size)
        documents = Documents(settings, opened.lm, config.documents)
        room = size - len(opened.bos)
        self._texts = [
            opened.bos + text.ids[:room]
            for group in documents.groups(context)
            for text in group
            if len(text.ids) > 1
        ]
        if not self._texts:
            raise UserError("There is no ordinary text to measure the cost on.",
                            next_step="Choose a corpus with texts in it.")  # fmt: skip

    def run(self) -> MitigateResult:
        config, context = self._config, self._context
        variants, open_on = all_ways(self._ways, config.variant, self._texts, config.seed)
        steps = len(variants) * (len(self._prompts) + len(self._harmless)) + len(self._texts)
        written: list[list[Written]] = []
        refused: list[int] = []
        done = 0
        for variant in variants:
            rows = []
            for prompt in [*self._prompts, *self._harmless]:
                context.check_cancelled()
                rows.append(write(self._ways, variant, prompt, config.sampling))
                done += 1
                context.progress(done, steps, "texts", "Writing")
            written.append(rows[: len(self._prompts)])
            others = rows[len(self._prompts) :]
            refused.append(sum(one.stopped or refuses(one.text) for one in others))
        found = costs(self._ways, variants, self._texts, context, done, steps)
        shown = [[self._shows(one.text) for one in own] for own in written]
        outcomes = [
            self._outcome(variant.name, shown[n], shown[0], found[n], found[0], refused[n],
                          open_on[variant.name])
            for n, variant in enumerate(variants)
        ]  # fmt: skip
        searched = [
            self._searched(variant, written[0], shown[0], shown[n])
            for n, variant in enumerate(variants)
            if config.tries and variant.name in (GATED, UNGATED)
        ]
        pairs = zip(config.prompts, written[0], written[1], strict=True)
        return MitigateResult(
            outcomes=outcomes,
            plain_loss=sum(found[0].loss) / len(found[0].loss),
            searched=[one for one in searched if one.attacks],
            examples=[(p, a.text, b.text) for p, a, b in pairs if a.text != b.text][:_EXAMPLES],
            notes=self._notes(shown[0], open_on[GATED]),
        )  # fmt: skip

    def _ids(self, text: str) -> list[int]:
        ids = prompt_ids(self._opened, text, chat=self._config.chat)
        room = self._opened.lm.context_size - len(ids) - self._config.sampling.max_new_tokens
        if room < 0:
            raise UserError(
                f"The prompt “{text[:60]}” with what is written after it is longer than "
                f"“{self._opened.lm.name}” reads.",
                next_step="Shorten it, or write fewer tokens.",
            )
        return ids

    def _behaviour(self) -> Shows:
        config, opened = self._config, self._opened
        if config.targets:
            return shows_target(config.targets)
        opened_of = self._ways.preparer.opened_of
        source, reader = monitor_reader(config.project, config.monitor, opened.lm, opened_of)
        promise = read_monitor(Project.open(config.project), config.monitor).promise
        scorer = Scorer([reader], opened.bos, opened.eos, opened.lm.context_size)

        def shows(text: str) -> bool:
            ids = opened.lm.encode(text)
            if not ids:
                return False
            read = ReadText(ids)
            found_SK = scorer.components([read], SilentContext())[0][0]
            scores = unit_scores(reader, found_SK, read, Watched(promise.unit)).scores
            return bool((scores > source.threshold).any())

        return shows

    def _outcome(
        self, name: str, shown: Sequence[bool], before: Sequence[bool], cost: Cost, plain: Cost,
        refused: int, open_share: float,
    ) -> Outcome:  # fmt: skip
        seed = self._config.seed
        gone = [not now for now, then in zip(shown, before, strict=True) if then]
        added = [a - b for a, b in zip(cost.loss, plain.loss, strict=True)]
        mean = max(sum(plain.loss) / len(plain.loss), 1e-12)
        return Outcome(
            name=name, shown=sum(shown), of=len(shown), share=wilson(sum(shown), len(shown)),
            removed=_share(gone) if gone else None, loss=figure(added, seed),
            loss_share=figure([one / mean for one in added], seed), kl=figure(cost.kl, seed),
            refused=refused, harmless=len(self._harmless), open_share=open_share,
        )  # fmt: skip

    # ------------------------------------------------------------------ won back
    def _searched(
        self, variant: Variant, plain: Sequence[Written], before: Sequence[bool],
        after: Sequence[bool],
    ) -> Searched:  # fmt: skip
        """Search prompts whose behaviour a variant stopped, what it has as conditions included."""
        config = self._config
        stopped = [n for n, (a, b) in enumerate(zip(before, after, strict=True))
                   if a and not b and plain[n].ids]  # fmt: skip
        chosen = stopped[: config.attacked]
        found = []
        for number, n in enumerate(chosen):
            self._tell_attack(number, len(chosen))
            text, ids = config.prompts[n], self._prompts[n]
            asked = Attacked(text, ids, self._wordings(text), self._place(text, ids))
            model = Writing(self._ways, variant, config.sampling, self._shows, plain[n].ids)
            told = partial(self._tell_attack, number, len(chosen))
            found.append(attack(model, asked, config.tries, config.seed + n, self._context, told))
        if chosen:
            self._tell_attack(len(chosen), len(chosen))
        won = sum(one.won for one in found)
        return Searched(way=variant.name, attacks=found, won=won, share=wilson(won, len(found)))

    def _tell_attack(self, done: int, prompts: int, share: float = 0.0) -> None:
        self._context.progress(done + share, prompts, "prompts", "Trying to win it back")

    def _wordings(self, text: str) -> list[tuple[str, list[int]]]:
        """Return a prompt in other words, those that leave room for what is written."""
        room = self._opened.lm.context_size - self._config.sampling.max_new_tokens
        said = [wording.format(text) for wording in WORDINGS]
        read = [(one, prompt_ids(self._opened, one, chat=self._config.chat)) for one in said]
        return [(one, ids) for one, ids in read if len(ids) <= room]

    def _place(self, text: str, ids: Sequence[int]) -> int:
        """Return where in a prompt's tokens its own text begins, after what a template puts."""
        own = self._opened.lm.encode(text)
        if self._config.chat:
            for place in range(len(ids) - len(own) + 1):
                if list(ids[place : place + len(own)]) == own:
                    return place
        return len(self._opened.bos)

    def _notes(self, before: Sequence[bool], opened: float) -> list[str]:
        notes = []
        if not any(before):
            notes.append("The plain model shows the behaviour after none of the prompts, so that "
                         "nothing is there to be stopped.")  # fmt: skip
        if not opened:
            notes.append("The condition was true on no token of the ordinary text read, so that "
                         "nothing was added to its loss; other text may differ.")  # fmt: skip
        if not self._config.tries:
            notes.append("No prompt was searched: nothing is said of how it is won back.")
        if self._harmless:
            notes.append(REFUSALS_TOLD)
        return notes


def _share(gone: Sequence[bool]) -> Figure:
    low, high = wilson(sum(gone), len(gone))
    return Figure(value=sum(gone) / len(gone), low=low, high=high)


def _check(config: MitigateConfig) -> None:
    if not gates_of(config.variant):
        raise UserError(
            "The steering has no condition.",
            next_step="Say when it is to work, such as when a monitor fires.",
        )
    if not config.prompts:
        raise UserError("There are no prompts.", next_step="Give at least one.")
    if not config.targets and not config.monitor:
        raise UserError(
            "Nothing says what the behaviour is.",
            next_step="Give texts that show it, or a monitor that fires on it.",
        )
