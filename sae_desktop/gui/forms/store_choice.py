"""Fields for the stores that a dictionary's rows are in: one for each of its models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QComboBox, QWidget

from sae_desktop.dictionary.ends import End, sources
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.inventory import DictionaryItem, StoreItem

NO_STORE = "No store to choose"


class StoreChoice:
    """The store of the first model, and one for each of the others."""

    def __init__(
        self,
        stores: Sequence[StoreItem],
        item: DictionaryItem,
        add_row: Callable[[str, QWidget, str], None],
        *,
        written: bool = False,
    ) -> None:
        """Offer the stores that hold what the dictionary reads, and what it writes if asked."""
        summary = item.summary
        self._width = summary.width if summary else None
        self._ends: tuple[End, ...] = ()
        if summary is not None:
            ends = (*summary.inputs, *(summary.outputs if written else ()))
            self._ends = ends if len(set(ends)) > 1 and all(end.site for end in ends) else ()
        trained = (item.train.activations, *item.train.other_activations) if item.train else ()
        models = summary.models if summary else ()
        self.fields: list[QComboBox] = []
        for number in range(sources(self._ends)):
            field = QComboBox()
            field.addItems([store.name for store in stores if self._fits(store, number)])
            field.setPlaceholderText(NO_STORE)
            if number < len(trained):
                field.setCurrentText(trained[number])
            add_row(*self._words(number, field, models))
            self.fields.append(field)

    @property
    def store(self) -> QComboBox:
        """The first model's."""
        return self.fields[0]

    @property
    def others(self) -> tuple[str, ...]:
        """The stores of the other models."""
        return tuple(field.currentText() for field in self.fields[1:])

    def problem(self) -> tuple[str, QComboBox] | None:
        """Return why there is nothing to choose in a field; None where every one has something."""
        for number, field in enumerate(self.fields):
            if not field.count():
                return self._missing(number), field
        return None

    def _fits(self, store: StoreItem, number: int) -> bool:
        if not self._ends:
            return self._width is None or store.width == self._width
        held = dict(zip(store.sites, store.widths, strict=False))
        return all(held.get(end.site) == end.width for end in self._of(number))

    def _of(self, number: int) -> list[End]:
        return [end for end in dict.fromkeys(self._ends) if end.source == number]

    def _words(
        self, number: int, field: QComboBox, models: Sequence[str]
    ) -> tuple[str, QComboBox, str]:
        if len(models) < 2:
            return "Activations", field, "The store to read rows from"
        model = models[number] or f"model {number + 1}"
        if number:
            return f"Of model {number + 1}", field, f"The same tokens through “{model}”"
        return "Activations", field, f"The store to read rows from, of “{model}”"

    def _missing(self, number: int) -> str:
        if not self._ends:
            of = f" of width {exact_count(self._width)}" if self._width else ""
            return f"The project has no store{of}. Harvest the dictionary’s site first."
        wanted = self._of(number)
        which = wanted[0].site if len(wanted) == 1 else f"all {len(wanted)} of its sites"
        of = f" of model {number + 1}" if number else ""
        return f"The project has no store{of} that holds {which}. Harvest them in one pass first."
