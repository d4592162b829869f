"""What a step asks of the rows of its batch that other processes have.

Several processes may take one step together, each with rows of its own (`training.ranks`).
Gradients are means over rows and are averaged afterwards; what is decided over the whole batch is
asked for here. Alone, a process has all rows, and every answer is its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


class BatchMates:
    """Nobody: all rows of the batch are here.

    Those of a subclass answer together: whoever has rows of a batch asks the same, in the same
    order.
    """

    def begin(self, position: int) -> None:
        """Begin with the batch whose first row is the run's row `position`."""

    def rows(self, own: int) -> int:
        """Return how many rows the whole batch has, `own` of which are here."""
        return own

    def per_row(self, count: float, own: int) -> float:
        """Return a count over the own rows as a mean over all rows."""
        return count / own

    def total(self, count: int) -> int:
        """Return a number of things here as that of everybody."""
        return count

    def summed(self, own: Tensor) -> Tensor:
        """Return sums over the own rows as sums over all rows; `own` stays what it is."""
        return own

    def average_(self, means: Sequence[Tensor], own: int) -> None:
        """Replace means over the own rows by means over all rows, in place."""

    def lowest(self, value: float) -> float:
        """Return the lowest of everybody's numbers."""
        return value

    def least(self, values: Tensor) -> Tensor | None:
        """Return the smallest () of everybody's values (n,); None where nobody has any."""
        return values.min() if len(values) else None

    def smallest(self, values: Tensor, place: int) -> Tensor:
        """Return () the value at a place, counted from 1, when everybody's are sorted upwards."""
        return values.kthvalue(place).values

    def taken(self, count: int, above: int, ties: int) -> int:
        """Return how many of the `ties` here are among the `count` that everybody keeps.

        `above` are kept here already. Ties are taken in the order of the batch's rows.
        """
        del ties
        return count - above


ALONE = BatchMates()
