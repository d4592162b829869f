"""Which stores a form offers for the sites and models of a dictionary."""

from __future__ import annotations

import datetime

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from sae_desktop.dictionary.ends import End
from sae_desktop.gui.forms.store_choice import StoreChoice
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_folder import DictionarySummary
from sae_desktop.words.inventory import DictionaryItem, StoreItem

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def store(name: str, **widths: int) -> StoreItem:
    return StoreItem(
        name=name, rows=9, rows_wanted=9, width=next(iter(widths.values())), model="m",
        site=next(iter(widths)), corpus="c", bytes=0, modified=NOW, harvest=None,
        sites=tuple(widths), widths=tuple(widths.values()),
    )  # fmt: skip


STORES = [store("a", x=4), store("both", x=4, y=6), store("tuned", x=4), store("wide", x=8, y=6)]


def item(
    read: tuple[End, ...], written: tuple[End, ...] = (), models: tuple[str, ...] = ("m",)
) -> DictionaryItem:
    train = TrainConfig(
        project="p", name="d", activations="a", other_activations=("tuned",) * (len(models) - 1)
    )
    summary = DictionarySummary(
        name="d", architecture="topk", width=sum(end.width for end in read), features=3, model="m",
        site="x", inputs=read, outputs=written or read, models=models, bytes=0, train=train,
        result=None, evaluation=None,
    )  # fmt: skip
    return DictionaryItem(name="d", summary=summary, train=train, rows=0, bytes=0, modified=NOW)


def offered(choice: StoreChoice) -> list[list[str]]:
    return [[field.itemText(n) for n in range(field.count())] for field in choice.fields]


@pytest.mark.parametrize(
    ("what", "written", "right"),
    [
        (item((End("x", 4),)), False, [["a", "both", "tuned"]]),
        (item((End("x", 4), End("y", 6, 0, 4))), False, [["both"]]),
        (item((End("x", 4),), (End("y", 6),)), False, [["a", "both", "tuned"]]),
        (item((End("x", 4),), (End("y", 6),)), True, [["both"]]),
        (
            item((End("x", 4), End("x", 4, 1, 4)), models=("m", "other")), False,
            [["a", "both", "tuned"]] * 2,
        ),
    ],
)  # fmt: skip
def test_stores__offered_hold_every_site_of_the_dictionary(
    qapp: QApplication, what: DictionaryItem, written: bool, right: list[list[str]]
) -> None:
    rows: list[tuple[str, QWidget, str]] = []
    choice = StoreChoice(STORES, what, lambda *row: rows.append(row), written=written)
    assert offered(choice) == right
    assert choice.problem() is None
    if len(choice.fields) > 1:
        assert choice.store.currentText() == "a"
        assert choice.others == ("tuned",)
        assert [row[0] for row in rows] == ["Activations", "Of model 2"]
        assert "“other”" in rows[1][2]


def test_stores__that_lack_a_site_are_told(qapp: QApplication) -> None:
    choice = StoreChoice(STORES, item((End("x", 4), End("z", 4, 0, 4))), lambda *row: None)
    problem = choice.problem()
    assert problem is not None
    assert "holds all 2 of its sites" in problem[0]
