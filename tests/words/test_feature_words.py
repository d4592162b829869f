"""What stands in the place of a label: the strongest context with its token, and the tokens."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.features.reading.names_file import NamePiece
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project_labels import NAMING
from sae_desktop.words.feature_words import (
    AUTOMATIC_NAME,
    FIRES_ON,
    NARROW,
    NEVER_FIRED,
    NO_CONTEXT,
    RAISES,
    STRONGEST_ON,
    UNREADABLE,
    WIDE,
    FeatureWords,
    FeatureWordsReader,
    feature_words,
)
from sae_desktop.words.name_text import evidence_lines

LORD, CHINESE, DEF, ARABIC, NEWLINE, DEAD = range(6)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_index(tmp_path_factory.mktemp("words") / "i.h5")


@pytest.fixture(scope="module")
def index(path: Path) -> FeatureIndex:
    return FeatureIndex(path)


def copy_with(path: Path, folder: Path, **arrays: np.ndarray | None) -> FeatureIndex:
    """The index with other arrays, or without those that are None."""
    copy = folder / "other.h5"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        for name, values in arrays.items():
            place = name.replace("__", "/")
            del file[place]
            if values is not None:
                file[place] = values
    return FeatureIndex(copy)


def test_words__mark_the_token_of_the_strongest_firing(index: FeatureIndex) -> None:
    words = feature_words(index, LORD)
    activations = np.load(index.path.with_name("activations.npy"))[LORD]
    row = int(activations.argmax())
    passage = index.passages[index.passage_at(row)]
    first = int(passage["first_row"])
    text = "".join(index.token(int(t)) for t in index.tokens[first : first + passage["length"]])
    assert words.peak == "Lord"
    assert words.context(200).replace("[Lord]", "Lord") == text.replace("\n", "↵")
    assert words.tokens == ("Lord",)
    assert words.told == STRONGEST_ON


def test_words__keep_the_token_whole_in_whatever_room_there_is(index: FeatureIndex) -> None:
    for feature in range(index.features):
        words = feature_words(index, feature)
        for room in (8, NARROW, 64, 200):
            shown = words.context(room)
            assert f"[{words.peak}]" in shown or feature == DEAD
            bare = shown.strip("\u2068\u2069")
            assert len(bare) <= max(room, len(words.peak) + 4) or feature == DEAD


def test_words__say_that_text_was_left_out_and_only_then() -> None:
    words = FeatureWords("the ", "king", " of France", starts=True, ends=False)
    assert words.context(40) == "the [king] of France…"
    assert words.context(16) == "…e [king] of Fr…"
    assert FeatureWords("the ", "king", " of", starts=True, ends=True).context(40) == (
        "the [king] of"
    )


def test_words__give_the_room_before_the_token_to_what_comes_after_it() -> None:
    words = FeatureWords("a long way before the ", "king", ".", starts=True, ends=True)
    assert words.context(28) == "…ong way before the [king]."


def test_words__put_the_tokens_behind_the_context_where_there_is_room() -> None:
    words = FeatureWords(" the ", "king", " of", tokens=("king", "King", "kings"))
    assert words.line(64) == "… the [king] of… · king, King, kings"
    assert words.line(30) == "… the [king] of…"


def test_words__do_not_repeat_the_only_token() -> None:
    assert FeatureWords("the ", "king", " of", tokens=("king",)).line(64) == "…the [king] of…"


def test_words__show_characters_whole_that_the_tokens_cut(index: FeatureIndex) -> None:
    words = feature_words(index, CHINESE)
    assert "⟨0x" not in words.before + words.peak
    assert len(words.peak) == 1
    assert words.peak in "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。"
    assert words.tokens == ()


def test_words__leave_out_bytes_whose_character_lies_outside_what_was_read(
    index: FeatureIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sae_desktop.words.feature_words._BEFORE", 2)
    monkeypatch.setattr("sae_desktop.words.feature_words._AFTER", 2)
    found = [feature_words(index, feature) for feature in range(index.features)]
    assert any("，" in words.before + words.peak + words.after for words in found)
    assert not any("⟨0x" in words.before + words.after for words in found)


def test_words__of_wide_letters_take_the_room_they_need(index: FeatureIndex) -> None:
    shown = feature_words(index, CHINESE).context(20)
    assert sum(2 if ord(c) > 0x2FFF else 1 for c in shown) <= 20


def test_words__of_a_script_that_runs_to_the_left_turn_nothing_around_them(
    index: FeatureIndex,
) -> None:
    shown = feature_words(index, ARABIC).line()
    assert shown.startswith("\u2068")
    assert shown.count("\u2068") == shown.count("\u2069") >= 1
    assert "\u2068" not in feature_words(index, LORD).line()


def test_words__show_newlines_and_spaces_that_are_the_token(index: FeatureIndex) -> None:
    words = feature_words(index, NEWLINE)
    assert words.peak in ("↵", "·")
    assert set(words.tokens) <= {"↵", "·"}
    assert "\n" not in words.line(200)


def test_words__do_not_obey_controls_in_the_text(path: Path, tmp_path: Path) -> None:
    with h5py.File(path) as file:
        data = bytes(file["vocabulary/bytes"][:])
    other = data.replace(b" the", b"\xe2\x80\xae\x07", 1)  # right-to-left override, bell
    index = copy_with(path, tmp_path, vocabulary__bytes=np.frombuffer(other, np.uint8))
    shown = "".join(feature_words(index, f).line(400) for f in range(index.features))
    assert not {"\u202e", "\x07"} & set(shown)
    assert "�␇" in shown


def test_words__say_that_a_feature_never_fired(index: FeatureIndex) -> None:
    words = feature_words(index, DEAD)
    assert words.line().startswith(NEVER_FIRED)
    assert words.told == RAISES
    assert (
        words.tokens
        == tuple(dict.fromkeys(t.strip() for t, _ in index.top_logits(DEAD) if "⟨" not in t))[:4]
    )


def test_words__of_an_index_without_contexts_are_its_tokens(path: Path, tmp_path: Path) -> None:
    with h5py.File(path) as file:
        rows = np.full_like(file["contexts/row"][:], -1)
    index = copy_with(path, tmp_path, contexts__row=rows)
    words = feature_words(index, LORD)
    assert (words.line(), words.told) == ("Lord", FIRES_ON)
    nothing = dict.fromkeys(
        ("firing_tokens__ids", "firing_tokens__counts", "firing_tokens__sums", "logits__top_ids")
    )
    index = copy_with(path, tmp_path, contexts__row=rows, **nothing)
    assert feature_words(index, LORD).line() == NO_CONTEXT
    assert feature_words(index, DEAD).line() == NEVER_FIRED


def test_words__of_a_damaged_feature_say_so(path: Path, tmp_path: Path) -> None:
    with h5py.File(path) as file:
        rows = file["contexts/row"][:]
    rows[LORD] = 1 << 40
    reader = FeatureWordsReader(copy_with(path, tmp_path, contexts__row=rows))
    assert reader.words(LORD).line() == UNREADABLE
    assert reader.words(DEF).peak in ("def", "class")


def test_words__of_a_number_that_is_no_feature_are_empty(index: FeatureIndex) -> None:
    assert feature_words(index, index.features) == FeatureWords()
    assert feature_words(index, -1).line() == ""


def test_words__are_read_once(index: FeatureIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = FeatureWordsReader(index)
    first = reader.words(LORD)
    monkeypatch.setattr(FeatureIndex, "context", lambda *_: pytest.fail("read again"))
    assert reader.words(LORD) is first


def test_words__spoken_name_what_they_are(index: FeatureIndex) -> None:
    spoken = feature_words(index, LORD).spoken
    assert spoken.startswith("strongest in “")
    assert spoken.endswith("; fires most strongly on Lord")


def test_words__tip_is_of_whole_phrases_in_short_lines() -> None:
    words = FeatureWords(
        before="one two three " * 12,
        peak="king",
        after=" of France" * 12,
        tokens=("king", "King"),
        told=STRONGEST_ON,
    )
    lines = words.tip.splitlines()
    assert lines[0] == "No label yet."
    assert lines[1].startswith("Strongest in “…")
    assert lines[-2] == "Fires most strongly on king, King"
    assert lines[-1] == "The brackets mark the token on which the feature is strongest."
    assert len(lines) > 4
    assert max(map(len, lines)) <= WIDE


def test_tip__of_a_name_says_first_how_far_to_believe_it_then_where_it_comes_from() -> None:
    pieces = [
        NamePiece("key", ":", 0.95, 111.0),
        NamePiece("previous", "after line breaks", 0.66, 35.9),
        NamePiece("language", "Welsh text", 0.53, 2.92),
        NamePiece("raises", "meth", 0.0, 0.0),
        NamePiece("raises", "do", 0.0, 0.0),
    ]
    words = FeatureWords(
        before="of the ", peak="king", after=" of", name="“:”, after line breaks",
        evidence=evidence_lines(pieces), score=0.92, score_low=0.86, score_high=0.96,
        measure=NAMING,
    )  # fmt: skip
    score, marker, evidence = words.tip.split("\n\n")
    assert score.replace("\n", " ") == (
        "“:”, after line breaks 0.92: of 100 pairs of texts, one where it fires and one where it "
        "is silent, the name picks the right one in 92 (95% interval 86 to 96; guessing: 50). "
        "This is the name score, from when the name was made; no label score is known of it."
    )
    assert marker.replace("\n", " ") == AUTOMATIC_NAME
    assert evidence.replace("\n", " ") == (
        "95% of its firings are on “:”, at least 111 times as often as elsewhere. "
        "66% are after line breaks, at least 36 times as often. "
        "53% are in Welsh text, at least 2.9 times as often. "
        "It raises “meth” and “do”. Strongest in “…of the [king] of…”"
    )
    assert max(map(len, words.tip.splitlines())) <= WIDE


def test_words__tip_tells_of_no_brackets_without_any() -> None:
    assert FeatureWords(remark=NEVER_FIRED).tip == "No label yet.\nNever fired"


def test_name__that_is_cut_leaves_no_piece_of_a_quotation() -> None:
    words = FeatureWords(name="after “la”: “operación”, “orden” or “obra” · Spanish")
    assert words.line(22) == "after “la”: …"
    assert words.line(30) == "after “la”: “operación”, …"
    assert words.line(60) == words.name
    assert FeatureWords(name="“internationally”, “other”").line(10) == "“internat…"
    assert FeatureWords(name="words of the Bible, often").line(20) == "words of the Bible…"
