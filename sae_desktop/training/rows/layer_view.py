"""One layer of rows that are read for several dictionaries: a source of its own for one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sae_desktop.dictionary.architectures import Batch
from sae_desktop.errors import UserError
from sae_desktop.training.measuring.held_out import HeldOut
from sae_desktop.training.measuring.samples import SampleText
from sae_desktop.training.measuring.splice import SpliceText
from sae_desktop.training.rows.data import Array, Side, Sides
from sae_desktop.training.rows.pool import Feed
from sae_desktop.training.rows.source import Source
from sae_desktop.training.rows.targets import TargetPlan


class LayerView(Source):
    """Of a source with as many inputs as outputs: the n-th of both."""

    def __init__(self, whole: Source, number: int) -> None:
        plan = whole.plan
        self._whole, self._number = whole, number
        self._outputs = len(plan.inputs)
        self.plan = TargetPlan(plan.target, (plan.inputs[number],), (plan.outputs[number],))
        self.info, self.position = whole.info, whole.position
        x = [part.width for part in plan.inputs]
        y = [part.width for part in plan.outputs]
        self._x = slice(sum(x[:number]), sum(x[: number + 1]))
        self._y = slice(sum(y[:number]), sum(y[: number + 1]))

    @property
    def sides(self) -> Sides:
        """How its part is normalised; what is set is set in the whole."""
        whole = self._whole.sides
        assert whole.y is not None
        return Sides(Side((whole.x.affines[self._number],)), Side((whole.y.affines[self._number],)))

    @sides.setter
    def sides(self, own: Sides) -> None:
        whole = self._whole.sides
        assert whole.y is not None
        assert own.y is not None
        x, y = list(whole.x.affines), list(whole.y.affines)
        x[self._number], y[self._number] = own.x.affines[0], own.y.affines[0]
        self._whole.sides = Sides(Side(tuple(x)), Side(tuple(y)))

    def select(self, batch: Batch) -> Batch:
        """Return what its dictionary is given of a batch of the whole."""
        return Batch(batch.x_TI[:, self._x].contiguous(), batch.y_TO[:, self._y].contiguous())

    def measured_on(self, rows: int, text: SpliceText | None, sample: SampleText | None) -> HeldOut:
        """Return what its dictionary is measured on, of what the whole gives for that."""
        n = self._number
        if text is not None:
            text = replace(
                text, inputs=text.inputs[n : n + 1], outputs=text.outputs[n : n + 1],
                typical_norms=text.typical_norms[n : n + 1], means=text.means[n : n + 1],
            )  # fmt: skip
        if sample is not None:
            sample = replace(sample, x_RD=sample.x_RD[:, self._x])
        return HeldOut(self.held_out(rows), text, sample)

    @property
    def pool_bytes(self) -> int:
        return 0  # counted once, by the whole

    def feed(self) -> Feed:
        raise UserError("A layer’s rows are read with those of all layers.")

    def sample_parts(
        self, rows: int, seed: int | None, which: Sequence[int] | None = None
    ) -> list[Array]:
        return self._whole.sample_parts(rows, seed, self._numbers(which))

    def held_out_parts(self, rows: int, which: Sequence[int] | None = None) -> list[Array]:
        return self._whole.held_out_parts(rows, self._numbers(which))

    def _numbers(self, which: Sequence[int] | None) -> list[int]:
        own = [self._number, self._outputs + self._number]
        return own if which is None else [own[number] for number in which]

    def metadata(self) -> Mapping[str, Any]:
        of_whole = self._whole.plan.metadata()
        kept = {key: v for key, v in self._whole.metadata().items() if key not in of_whole}
        return kept | self.plan.metadata()

    def texts(self, device: str) -> tuple[SpliceText | None, SampleText | None]:
        return self._whole.texts(device)
