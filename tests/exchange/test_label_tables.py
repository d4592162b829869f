"""Tables of labels are read as a corpus's tables are, and what cannot be is said with its row."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sae_desktop.errors import UserError
from sae_desktop.exchange.label_rows import told_row
from sae_desktop.exchange.labels import read_rows


def _check(feature: int) -> int:
    if not 0 <= feature < 10:
        raise UserError(f"There is no feature {feature}.")
    return feature


INDEX: Any = SimpleNamespace(check_feature=_check)


def told(path: Path) -> list[dict[str, Any]]:
    found = []
    for number, row in enumerate(read_rows(path), 1):
        one = told_row(row, number, INDEX)
        label, score = one.label, one.fields.get("score")
        if label is not None:
            one.fields["label"], score = label.text, label.score
        known = {} if score is None else {"score": score}
        found.append({"feature": one.feature, **one.fields, **known})
    return found


WANTED = [
    {"feature": 5, "label": "Größe; Maß", "score": 0.5},
    {"feature": 7, "label": "two, three"},
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        'feature,label,score\n5,Größe; Maß,0.5\n7,"two, three",\n',
        'feature;label;score\n5.0;"Größe; Maß";0,5\n7.0;two, three;\n',
        "Feature\tLabel\tScore\r\n#5\tGröße; Maß\t0.5\r\n7,0\ttwo, three\t\r\n",
        "id|explanation|score\n5|Größe; Maß|0.5\n7|two, three|\n",
    ],
)
def test_labels__are_read_whatever_wrote_the_table(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    assert told(path) == WANTED


def test_labels__without_names_of_columns_are_a_number_and_a_text(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("5\tfive\n7\tseven\n")
    assert told(path) == [{"feature": 5, "label": "five"}, {"feature": 7, "label": "seven"}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.jsonl", '{"feature": 5, "label": "five"}\n{"feature": 7.0, "label": "seven"}\n'),
        ("l.json", '[{"feature": 5, "label": "five"}, {"feature": "7", "label": "seven"}]'),
        ("l.json", '{"5": "five", "7": "seven"}'),
    ],
)
def test_json_labels__may_be_lines_a_list_or_one_object(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    assert told(tmp_path / name) == [
        {"feature": 5, "label": "five"},
        {"feature": 7, "label": "seven"},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feature;label\n5;a\n5.5;b\n", "Row 2: “5.5” is not a feature"),
        ("feature;label\n5;a\n77;b\n", "Row 2: There is no feature 77"),
        ("feature,label\n5,a\n7,b, c\n8,d\n", "Row 3 .* has more fields"),
        ("feature,label,score\n5,a,much\n", "Row 1: “much” is not a score"),
        ("feature,label\n5,a\n,b\n", "Row 2: “None” is not a feature"),
    ],
)
def test_rows_that_cannot_be_read__are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        told(path)
    assert caught.value.kept == "Nothing was changed."


def test_labels_in_an_encoding_that_is_none__are_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("feature,label\n5,größe\n".encode("latin-1"))
    with pytest.raises(UserError, match="offset 18 is not valid"):
        told(path)
