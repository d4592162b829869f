"""The job `explain_features`: labels by a model that answers, through the project's queue.

Every answer is in the project's ledger before it is used, so nothing is asked twice, whatever
becomes of the job; labels are added to the notes as they come.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.chat import Answer, Ask, ChatError, ChatModel
from sae_desktop.labels.explaining.cleaning import label_of
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig, ExplainFeaturesResult
from sae_desktop.labels.explaining.evidence import Evidence, EvidenceReader
from sae_desktop.labels.explaining.fitting import Fitting, window_of
from sae_desktop.labels.explaining.prompts import explain_prompt
from sae_desktop.labels.models.open import open_chat_model
from sae_desktop.labels.prompts import Prompt
from sae_desktop.labels.queue.asking import ask_all
from sae_desktop.labels.queue.ledger import Ledger
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.progress import QueueProgress
from sae_desktop.labels.selection import select
from sae_desktop.language_model.names import public_name
from sae_desktop.project import Project, existing
from sae_desktop.project_labels import MODEL, Label
from sae_desktop.project_notes import Notes

_SAVE_SECONDS = 2.0
_MOST_AT_ONCE = 200
_HALVINGS = 3
"""How often contexts are halved for a model that finds a prompt too long."""
_MOST_THOUGHTS = 20_000
"""Characters that are kept with a label."""


def explain_features(config: ExplainFeaturesConfig, context: JobContext) -> ExplainFeaturesResult:
    """Ask a model for labels of the selected features, and add them to the notes.

    Raises UserError where nothing is selected, the prompt is damaged or the model cannot be
    asked; labels until then are kept.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    prompt = explain_prompt(project.path, config.prompt)
    name = existing("index", config.index, project.indexes())
    index = FeatureIndex(project.index_path(name))
    with closing(Notes(project.notes_path)) as notes:
        features = select(index, notes, config.selection).tolist()
        with (
            closing(open_chat_model(config.model, context)) as model,
            closing(Ledger(project.requests_path)) as ledger,
        ):
            job = _Explaining(config, context, index, notes, model, ledger, prompt)
            job.ask(features)
    return job.result(len(features), time.perf_counter() - began)


class _Explaining:
    """One run of the job."""

    def __init__(
        self, config: ExplainFeaturesConfig, context: JobContext, index: FeatureIndex,
        notes: Notes, model: ChatModel, ledger: Ledger, prompt: Prompt,
    ) -> None:  # fmt: skip
        self._config, self._context = config, context
        self._index, self._notes, self._model, self._ledger = index, notes, model, ledger
        self._prompt = prompt
        reader = EvidenceReader(index, prompt, config)
        count = getattr(model, "prompt_tokens", None)
        window = window_of(model, config.model)
        self._fitting = Fitting(reader, config.per_interval, window, count)
        self._asked: dict[int, Evidence] = {}
        """What is under way, or answered and not noted yet."""
        self._found: list[Label] = []
        self._saved = time.monotonic()
        self._too_long: list[int] = []
        self._shortened: set[int] = set()
        self._counts = dict.fromkeys(
            ("labels", "refused", "nonsense", "failed", "no_text", "cut", "out_of_form"), 0
        )
        self._answered = 0
        self._faults: dict[str, int] = {}
        self._progress = QueueProgress()

    def ask(self, features: Sequence[int]) -> None:
        """Ask about features; about those whose prompt was too long again, with fewer contexts."""
        waiting = list(features)
        for less in range(_HALVINGS + 1):
            limits = self._progress.left_of(self._config.limits)
            if limits is None:
                self._progress = msgspec.structs.replace(self._progress, ended="cap")
                break
            self._ask_once(waiting, less, limits)
            waiting, self._too_long = self._too_long, []
            if not waiting or self._progress.ended != "all":
                break
        self._counts["failed"] += len(waiting)
        self._say(len(features), len(waiting))

    def _ask_once(self, features: Sequence[int], less: int, limits: QueueLimits) -> None:
        asking = ask_all(
            self._asks(features, less), self._model, self._ledger, limits,
            self._context, total=len(features),
        )  # fmt: skip
        try:
            with closing(asking):
                for feature, outcome in asking:
                    self._take(feature, outcome)
                    if time.monotonic() - self._saved > _SAVE_SECONDS:
                        self._save()
        finally:
            self._save()
            self._progress = self._progress.and_then(asking.progress)

    def _asks(self, features: Sequence[int], less: int) -> Iterator[tuple[int, Ask]]:
        for feature in features:
            self._context.check_cancelled()
            try:
                evidence, shortened = self._fitting.read(feature, less)
            except ChatError as error:
                self._take(feature, error)
                continue
            if evidence is None:
                self._counts["no_text"] += 1
                continue
            if shortened:
                self._shortened.add(feature)
            self._asked[feature] = evidence
            yield feature, evidence.ask

    # ------------------------------------------------------------------ answers
    def _take(self, feature: int, outcome: Answer | ChatError) -> None:
        evidence = self._asked.pop(feature, None)
        if isinstance(outcome, ChatError):
            if outcome.kind == "too_long" and evidence is not None:
                self._too_long.append(feature)
            elif outcome.kind == "refused":
                self._answered += 1
                self._counts["refused"] += 1
            else:
                self._answered += 1
                self._counts["failed"] += 1
                if evidence is None:
                    self._faults[outcome.what] = self._faults.get(outcome.what, 0) + 1
            return
        self._answered += 1
        cleaned = label_of(outcome, *_told(evidence))
        self._counts["cut"] += cleaned.cut
        if cleaned.fault:
            self._counts["refused" if cleaned.fault == "refused" else "nonsense"] += 1
            self._faults[cleaned.fault] = self._faults.get(cleaned.fault, 0) + 1
        elif evidence is not None:
            self._counts["out_of_form"] += cleaned.prose
            self._found.append(self._label(cleaned.label, evidence, outcome))
            if len(self._found) >= _MOST_AT_ONCE:
                self._save()

    def _label(self, text: str, evidence: Evidence, answer: Answer) -> Label:
        made_from: dict[str, Any] = {
            "model": self._author,
            "answered_as": public_name(answer.model),
            "prompt": self._prompt.name,
            "prompt_digest": self._prompt.digest,
            "rows": evidence.rows,
            "contrast_rows": evidence.contrast_rows,
            "temperature": self._config.temperature,
            "seed": self._config.seed,
            "thoughts": answer.thoughts[:_MOST_THOUGHTS],
        }
        return Label(
            feature=evidence.feature, text=text, method=MODEL, author=self._author,
            evidence=msgspec.json.encode(made_from).decode(),
        )  # fmt: skip

    @property
    def _author(self) -> str:
        return self._config.model.title

    def _save(self) -> None:
        if self._found:
            self._counts["labels"] += self._notes.add_labels(
                self._index.info.dictionary, self._found
            )
            self._found = []
        self._saved = time.monotonic()

    # ------------------------------------------------------------------ what is said
    def _say(self, features: int, too_long: int) -> None:
        say = self._context.log
        if self._shortened:
            say(
                f"Fewer contexts were sent of {len(self._shortened):,} of {features:,} features, "
                "so that they fit the model’s window."
            )
        if too_long:
            say(f"The prompt stayed too long for the model with {too_long:,} features.")
        for fault, count in self._faults.items():
            words = _FAULT_WORDS.get(fault, fault)
            say(f"{count:,} × {words}")

    def result(self, features: int, seconds: float) -> ExplainFeaturesResult:
        progress = self._progress
        return ExplainFeaturesResult(
            index=self._config.index,
            model=self._author,
            features=features,
            shortened=len(self._shortened),
            left=max(features - self._answered - self._counts["no_text"], 0)
            if progress.ended != "all"
            else 0,
            prompt_tokens=progress.prompt_tokens,
            answer_tokens=progress.answer_tokens,
            cost=progress.cost,
            ended="" if progress.ended == "all" else progress.ended,
            requests=progress,
            seconds=seconds,
            **self._counts,
        )


def _told(evidence: Evidence | None) -> tuple[str, tuple[str, ...]]:
    """Return (how to answer, marks) of a question."""
    if evidence is None:
        return "", ()
    told = " ".join(m.content for m in evidence.ask.messages if m.role == "system")
    return told, tuple(evidence.fields[n] for n in ("first", "last") if n in evidence.fields)


_FAULT_WORDS = {
    "refused": "the model answered that it will not, so there is no label.",
    "nothing": "the answer held no description, so there is no label.",
    "not whole": "the answer ended before its description was whole; allow it more tokens.",
    "repeats itself": "the answer repeats the same words, so there is no label.",
    "repeats the prompt": "the answer repeats a piece of the question, so there is no label.",
    "reply": "the answer speaks to whoever asked instead of describing, so there is no label.",
    "too long": "the answer was far too long to be a description, so there is no label.",
}
