"""Answers are read strictly: what is not clearly one is none."""

from __future__ import annotations

import pytest

from sae_desktop.labels.judging.answers import (
    LONGEST_ANSWER,
    numbered,
    one,
    said,
    whole_number,
    yes_or_no,
)

YES, NO = 1.0, 0.0


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"1": "yes", "2": "no"}', (YES, NO)),
        ('{"1": true, "2": false}', (YES, NO)),
        ('{"2": "no", "1": "yes"}', (YES, NO)),
        ('```json\n{"1": "Yes.", "2": "NO"}\n```', (YES, NO)),
        ('["yes", "no"]', (YES, NO)),
        ("[1, 0]", (YES, NO)),
        ('{"answers": ["yes", "no"]}', (YES, NO)),
        ('{"answers": {"1": "yes", "2": "no"}}', (YES, NO)),
        ("1: yes\n2: no", (YES, NO)),
        ("Here they are.\n\n1. yes\n2) no\n", (YES, NO)),
        ("<think>1: no\n2: no</think>1: yes\n2: no", (YES, NO)),
        ("1: no\n2: no</think>1: yes\n2: no", (YES, NO)),
        ('{"1": "perhaps", "2": "no"}', (None, NO)),
        ('{"1": null, "2": {}}', (None, None)),
        ('{"1": 2, "2": 0.5}', (None, None)),
    ],
)
def test_answers__that_are_clear_are_taken(text: str, read: tuple[float | None, ...]) -> None:
    assert numbered(text, 2, yes_or_no) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes, no",
        "The first is a yes and the second is not.",
        '{"0": "yes", "1": "no"}',
        '{"1": "yes"}',
        '{"1": "yes", "2": "no", "3": "no"}',
        '{"1": "yes", "1": "no", "2": "no"}',
        '{"1": "yes", "2": "no"',
        '{"first": "yes", "second": "no"}',
        '["yes"]',
        '["yes", "no", "no"]',
        "1: yes",
        "1: yes\n2: no\n2: yes",
        "1: yes\n2: no, or perhaps yes",
        "1: yes\n2: no\n3: no",
        "<think>\n1: yes\n2: no",
        "[" * 100_000,
        "1: yes\n2: no" + " " * LONGEST_ANSWER,
    ],
)
def test_answers__that_are_not_clear_are_none(text: str) -> None:
    assert numbered(text, 2, yes_or_no) == (None, None)


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0.0), (3, 3.0), ("2", 2.0), (" 3. ", 3.0), (2.0, 2.0), (4, None), (-1, None),
     (2.5, None), ("two", None), ("3/3", None), ("٣", None), (True, None), (None, None),
     (float("nan"), None), (1e300, None), ([3], None)],
)  # fmt: skip
def test_numbers__are_whole_and_within_their_bounds(value: object, number: float | None) -> None:
    assert whole_number(0, 3)(value) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("4", 4.0), ('{"intruder": 4}', 4.0), ('{"intruder": "4"}', 4.0), ('{"other": 4}', None),
     ('{"intruder": 4, "why": 1}', None), ("Number 4", None), ("4 or 5", None), ("6", None)],
)  # fmt: skip
def test_one_answer__is_the_value_or_stands_under_its_name(text: str, number: float | None) -> None:
    assert one(text, whole_number(1, 5), "intruder") == number


def test_thoughts__are_not_said() -> None:
    assert said("<think>\nHm.\n</think>\n\nYes") == "Yes"
    assert said("<THINKING>a</THINKING>b<think>c</think>d") == "bd"
    assert said("<think>never ends") == ""
