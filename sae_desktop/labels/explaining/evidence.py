"""What a feature is explained from, as a prompt's fields. Free of torch.

Contexts come from documents that names may be made from: no held-out one is ever sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.chat import Ask
from sae_desktop.labels.examples import Example, examples
from sae_desktop.labels.explaining.cleaning import one_line
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig
from sae_desktop.labels.judging.texts import fired, marked, marks_for, plain
from sae_desktop.labels.prompts import Prompt

SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
    "additionalProperties": False,
}
_BYTE = "⟨0x[0-9A-F]{2}⟩"
_TOKENS = 20
"""Tokens named of those that become more likely, and less."""


@dataclass(frozen=True)
class Evidence:
    """A question about a feature, and what is in it."""

    feature: int
    ask: Ask
    rows: tuple[int, ...] = ()
    """Of the index's text, of the contexts that are sent."""
    contrast_rows: tuple[int, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)


class EvidenceReader:
    """Makes questions about the features of an index."""

    def __init__(self, index: FeatureIndex, prompt: Prompt, config: ExplainFeaturesConfig) -> None:
        self._index, self._prompt, self._config = index, prompt, config

    def read(self, feature: int, per_interval: int | None = None) -> Evidence | None:
        """Return the question about a feature; None where there is nothing to explain it from.

        `per_interval`: contexts of each interval, where they are to be fewer than the config says.
        """
        wanted = self._prompt.fields
        fields: dict[str, str] = {}
        shown: tuple[Example, ...] = ()
        silent: tuple[Example, ...] = ()
        if wanted & {"contexts", "contrast"}:
            shown, silent, fields = self._contexts(feature, per_interval)
        if wanted & {"promoted", "lowered"}:
            fields["promoted"] = _tokens(self._index.top_logits(feature, centred=True))
            fields["lowered"] = _tokens(self._index.bottom_logits(feature, centred=True))
        if not shown and not fields.get("promoted"):
            return None
        config = self._config
        ask = Ask(
            self._prompt.messages(**fields), config.most_tokens, config.temperature, SCHEMA,
            seed=config.seed,
        )  # fmt: skip
        rows, contrast = tuple(e.row for e in shown), tuple(e.row for e in silent)
        return Evidence(feature, ask, rows, contrast, fields)

    def _contexts(
        self, feature: int, per_interval: int | None
    ) -> tuple[tuple[Example, ...], tuple[Example, ...], dict[str, str]]:
        config = self._config
        count = config.per_interval if per_interval is None else per_interval
        found = examples(
            self._index, feature, seed=config.seed, explain=count, test=0,
            silent=config.look_alikes if "contrast" in self._prompt.fields else 0,
        )  # fmt: skip
        silent = _nearest(found.contrast, config.look_alikes * count // config.per_interval)
        marks = marks_for([*found.explain, *silent])
        lines = [
            f"{number}. ({example.interval}) "
            + whole_characters(marked(example, fired(example), marks), marks)
            for number, example in enumerate(found.explain, start=1)
        ]
        others = [
            f"{number}. {whole_characters(plain(example), marks)}"
            for number, example in enumerate(silent, start=1)
        ]
        fields = {
            "contexts": "\n".join(lines),
            "contrast": "\n".join(others) or "(none)",
            "first": marks[0],
            "last": marks[1],
            "most": str(found.intervals),
            "count": str(len(lines)),
        }
        return found.explain, silent, fields


def whole_characters(line: str, marks: tuple[str, str]) -> str:
    """Return a line with the bytes that tokens cut characters into put together again.

    A run of them in which one is marked is marked as a whole; bytes that are no character are �.
    """
    first, last = marks
    run = re.compile(rf"(?:{_BYTE}|{re.escape(first)}(?={_BYTE})|(?<=⟩){re.escape(last)})+")

    def put(found: re.Match[str]) -> str:
        text = found.group()
        said = bytes(int(byte, 16) for byte in re.findall(r"⟨0x([0-9A-F]{2})⟩", text))
        if not said:
            return text
        whole = said.decode("utf-8", "replace")
        opens, closes = text.count(first), text.count(last)
        if closes > opens:  # it began before the run
            return f"{whole}{last}"
        return f"{first}{whole}{last if closes >= opens else ''}" if opens else whole

    return run.sub(put, line)


def _nearest(contrast: tuple[Example, ...], count: int) -> tuple[Example, ...]:
    """Return the silent places that tell most: of look-alikes, then on the same tokens."""
    order = ("neighbour", "same_token", "random")
    ordered = sorted(contrast, key=lambda example: order.index(example.kind))
    near = sum(example.kind == "neighbour" for example in ordered)
    # Half of them on the same tokens, where there are so many.
    first = ordered[: min(near, max(count - count // 2, 0))]
    rest = [e for e in ordered if e.kind == "same_token"][: count - len(first)]
    found = [*first, *rest]
    more = [e for e in ordered if not any(e is one for one in found)]
    return tuple([*found, *more][: max(count, 0)])


def _tokens(found: list[tuple[str, float]]) -> str:
    """Return tokens, each in quotes, since a space before one means something."""
    said = (one_line(token) if token.strip() else "" for token, _ in found[:_TOKENS])
    return ", ".join(f"“{token}”" for token in said if token)
