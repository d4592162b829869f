"""Questions that fit the window of the model that is asked. Free of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import Ask, ChatError
from sae_desktop.labels.explaining.evidence import Evidence, EvidenceReader
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.token_count import ask_tokens

_SPARE = 1.15
"""By how much an estimate of tokens may be too low."""

Count = Callable[[Ask], int]


class Fitting:
    """Makes each question as long as the window allows."""

    def __init__(
        self, reader: EvidenceReader, per_interval: int, window: int, count: Count | None
    ) -> None:
        """`window` 0: not known. `count`: the model's own tokens; None: they are estimated."""
        self._reader, self._per_interval = reader, per_interval
        self._window, self._count = window, count

    @property
    def exact(self) -> bool:
        return self._count is not None

    def tokens(self, ask: Ask) -> int:
        return ask_tokens(ask) if self._count is None else self._count(ask)

    def read(self, feature: int, less: int = 0) -> tuple[Evidence | None, bool]:
        """Return a question and whether contexts were left out, so that it fits.

        `less`: how many times the contexts are to be halved first, since the model refused more.
        Raises UserError where even one context of each interval does not fit.
        """
        count = max(self._per_interval >> less, 1)
        while True:
            evidence = self._reader.read(feature, count)
            if evidence is None or self._fits(evidence.ask):
                return evidence, count < self._per_interval
            if count == 1:
                raise ChatError(
                    "too_long",
                    f"The model’s window of {self._window:,} tokens has no room for the shortest "
                    f"question about feature {feature}.",
                    next_step="Choose a model with a larger window, or a shorter prompt.",
                )
            count = max(count // 2, 1) if not self.exact else count - 1

    def _fits(self, ask: Ask) -> bool:
        if not self._window:
            return True
        spare = 1.0 if self.exact else _SPARE
        return self.tokens(ask) * spare + ask.most_tokens <= self._window


def window_of(model: Any, choice: ModelChoice) -> int:
    """Return the tokens that a model reads at once; 0 where neither it nor its server says."""
    if choice.window:
        return choice.window
    if choice.local:
        return int(getattr(model, "window", 0))
    from sae_desktop.labels.models.nearby import served_models

    try:
        listed = served_models(model.models())
    except (UserError, AttributeError):
        return 0  # it lists none; what is too long is told when it is asked
    return next((one.window for one in listed if one.name == choice.model), 0)
