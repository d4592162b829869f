"""The held-out texts by which labels are judged, read from an index."""

from __future__ import annotations

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.examples import SILENT_KINDS, Example, Examples, examples
from sae_desktop.labels.judging.question import Subject
from sae_desktop.labels.judging.reread import Reread

_MORE = 4
"""So many times the silent texts that are wanted are drawn, to choose those of its languages."""
_KEPT = 64
"""Features whose texts are kept in memory."""


class Subjects:
    """Reads the texts of one feature after another."""

    def __init__(
        self,
        index: FeatureIndex,
        *,
        seed: int,
        per_interval: int,
        silent: int,
        reread: Reread | None = None,
    ) -> None:
        self._index, self._seed, self._reread = index, seed, reread
        self._per_interval, self._silent = per_interval, silent
        self._kept: dict[int, Examples] = {}

    def examples(self, feature: int) -> Examples:
        """Return all that is read of a feature; what was read last is kept."""
        if feature not in self._kept:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[feature] = examples(
                self._index, feature, seed=self._seed, explain=self._per_interval,
                test=self._per_interval, silent=_MORE * self._silent,
                known=None if self._reread is None else self._reread.known(feature),
            )  # fmt: skip
        return self._kept[feature]

    def of(self, feature: int, label: str = "") -> Subject:
        """Return a label with the texts it is judged by.

        Silent texts are, where there are enough, in the languages of those in which it fires: a
        label that tells no more than a language must not pass.
        """
        return self._subject(self.examples(feature), label, seed_of(self._seed, feature))

    def direction(self, number: int, like: int) -> tuple[Examples, Subject] | None:
        """Return a random direction that fires as often as a feature, and its texts without a
        label; None where the model could not be asked."""
        if self._reread is None:
            return None
        read = self._reread.direction(
            number, like, per_interval=self._per_interval, silent=_MORE * self._silent
        )
        return read, self._subject(read, "", seed_of(self._seed, like))

    def _subject(self, read: Examples, label: str, seed: int) -> Subject:
        firing = tuple(e for e in read.test if e.fires)
        spoken = {self._language(e) for e in firing}
        silent: list[Example] = []
        for kind in SILENT_KINDS:
            drawn = read.tested(kind)
            own = [e for e in drawn if self._language(e) in spoken]
            enough = 2 * len(own) >= min(self._silent, len(drawn))
            silent += (own if enough else drawn)[: self._silent]
        return Subject(label, firing, tuple(silent), seed)

    def _language(self, example: Example) -> bytes:
        return bytes(self._index.documents["language"][example.document])


def seed_of(seed: int, feature: int) -> int:
    """Return a seed of a feature's own."""
    return (seed << 32) + feature


def usable(subject: Subject, least: int = 4) -> bool:
    """Return whether there are enough texts of both kinds for a figure to mean anything."""
    return min(len(subject.firing), len(subject.silent)) >= least
