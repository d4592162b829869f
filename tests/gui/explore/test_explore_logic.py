"""What Explore and Steer decide without Qt."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sae_desktop.features.config import ChatTurn, ProbeResult
from sae_desktop.features.reading.chat_text import parse_chat, written_chat
from sae_desktop.features.reading.facts import Context, Share
from sae_desktop.gui.explore.ask.probe_summary import MatrixRows, ProbeTable
from sae_desktop.gui.explore.context_groups import bucket_title, context_groups, origin_text
from sae_desktop.gui.explore.page.company_bars import share_rows, shares_note
from sae_desktop.gui.parts.colour_scale import (
    DECADES,
    ColourScale,
    contrast,
    diverging,
    readable_on,
)
from sae_desktop.gui.state.feature_link import feature_link, parse_feature_link
from sae_desktop.gui.steer import rack as racks
from sae_desktop.steering.config import (
    DecoderRow,
    Intervention,
    MeanDifference,
    RandomDirection,
)
from sae_desktop.words.amounts import (
    one_in_text,
    percent_text,
    probability_text,
    signed_text,
    whole_percent_text,
)
from sae_desktop.words.running_text import RunningText, shown_token, utf16_length


# ---------------------------------------------------------------- colours
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_text_colour__is_readable_on_any_ground(ground: tuple[int, int, int]) -> None:
    assert contrast(readable_on(ground), ground) >= 4.5


def test_contrast__of_black_and_white_is_21() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)


def test_scale__is_logarithmic_and_linear_on_request() -> None:
    log, linear = ColourScale(10.0), ColourScale(10.0, logarithmic=False)
    assert log.position(10.0) == linear.position(10.0) == 1.0
    assert log.position(10 ** (1 - DECADES / 2)) == pytest.approx(0.5)
    assert linear.position(1.0) == pytest.approx(0.1)
    assert log.position(10 ** (1 - DECADES)) == pytest.approx(0.0)
    assert log.share(0.0) == linear.share(0.0) == 0.0
    assert log.share(0.001) > 0.0  # what fires is never painted as what does not
    for scale in (log, linear):
        assert scale.position(scale.activation(0.3)) == pytest.approx(0.3)


def test_scale__of_a_dead_feature_colours_nothing() -> None:
    assert ColourScale(0.0).share(3.0) == 0.0
    assert ColourScale(1.0).share(float("nan")) == 0.0


def test_diverging__takes_the_side_of_the_sign() -> None:
    assert diverging(2.0, 2.0, (0, 0, 0), (0, 0, 255), (255, 128, 0)) == (255, 128, 0)
    assert diverging(-2.0, 2.0, (0, 0, 0), (0, 0, 255), (255, 128, 0)) == (0, 0, 255)


# ---------------------------------------------------------------- running text
def test_running_text__joins_the_bytes_of_a_character() -> None:
    text = RunningText(["a", "⟨0xE4⟩", "⟨0xBA⟩⟨0xBA⟩", "b"])
    assert text.shown == text.source == "a人b"
    assert [(p.first, p.end) for p in text.pieces] == [(0, 1), (1, 3), (3, 4)]


def test_running_text__keeps_bytes_that_are_no_character() -> None:
    text = RunningText(["⟨0xE4⟩", "x"])
    assert text.shown == "⟨0xE4⟩x"
    assert len(text.pieces) == 2


def test_running_text__shows_newlines_tabs_and_lone_spaces_but_copies_them_as_they_are() -> None:
    text = RunningText(["if", " x", ":", "\n", "    ", "\t", "y"])
    assert text.shown == "if x:↵····→y"
    assert text.copied(0, text.length) == "if x:\n    \ty"


def test_running_text__counts_as_qt_does() -> None:
    text = RunningText(["😀", "ab"])
    assert text.length == utf16_length("😀ab") == 4
    assert text.piece_at(1) == 0
    assert text.piece_at(2) == 1
    assert text.copied(2, 4) == "ab"
    assert text.copied(1, 3) == "a"


def test_running_text__shows_controls_of_direction_instead_of_obeying_them() -> None:
    assert "\u202e" not in RunningText(["a\u202eb"]).shown


@given(st.lists(st.text(min_size=1, max_size=6), max_size=12))
def test_running_text__is_covered_by_its_pieces(tokens: list[str]) -> None:
    text = RunningText(tokens)
    assert utf16_length(text.shown) == utf16_length(text.source) == text.length
    assert "".join(piece.text for piece in text.pieces) == text.source
    edges = [piece.start_offset for piece in text.pieces] + [text.length]
    assert edges == sorted(edges)
    assert [p.first for p in text.pieces] == [0, *(p.end for p in text.pieces[:-1])][
        : len(text.pieces)
    ]


# ---------------------------------------------------------------- probe
RESULT = ProbeResult(
    tokens=["a", "b", "c"],
    offsets=[0, 0, 1, 3],
    features=[7, 7, 9],
    activations=[2.0, 3.0, 1.0],
    attributions=[0.5, -0.25, 1.5],
)
MAXIMA = np.array([0.0] * 7 + [30.0, 1.0, 0.0], dtype=np.float32)


def _rows(rows: MatrixRows) -> list[tuple[int, list[int], list[float]]]:
    found = [rows.row(n) for n in range(len(rows))]
    return [
        (r.feature, r.positions.tolist(), [round(v, 3) for v in r.values.tolist()]) for r in found
    ]


def test_probe__gives_a_features_activation_on_each_token() -> None:
    table = ProbeTable(RESULT)
    assert table.activations_of(7).tolist() == [0.0, 2.0, 3.0]
    assert table.activations_of(7, 1, 2).tolist() == [2.0]
    assert table.activations_of(8).tolist() == [0.0, 0.0, 0.0]


def test_probe__ranks_features_by_each_measure() -> None:
    table = ProbeTable(RESULT, MAXIMA)
    assert _rows(table.rows("activation", 0, 3)) == [(7, [1, 2], [2.0, 3.0]), (9, [2], [1.0])]
    # Feature 9 was silent on the indexed text: what it does here is all of its maximum.
    assert _rows(table.rows("share", 0, 3)) == [(9, [2], [1.0]), (7, [1, 2], [0.067, 0.1])]
    assert _rows(table.rows("attribution", 0, 3)) == [(9, [2], [1.5]), (7, [1, 2], [0.5, -0.25])]
    assert _rows(table.rows("activation", 0, 2)) == [(7, [1], [2.0])]
    assert _rows(table.rows("activation", 0, 1)) == []
    assert _rows(ProbeTable(ProbeResult(tokens=[])).rows("activation", 0, 0)) == []


def test_probe__ranks_features_at_a_token() -> None:
    result = ProbeResult(
        tokens=["a", "b"], offsets=[0, 2, 3], features=[1, 2, 1], activations=[1.0, 2.0, 9.0]
    )
    table = ProbeTable(result)
    assert table.rows("activation", 0, 2).features.tolist() == [1, 2]
    assert table.rows_at("activation", 0, 2, 0).features.tolist() == [2, 1]
    assert table.rows_at("activation", 0, 2, 1).features.tolist() == [1]


def test_probe__reads_a_long_answer_from_its_file_once(tmp_path: Path) -> None:
    path = tmp_path / "probe-1.npz"
    names = ("offsets", "features", "activations", "attributions")
    np.savez(path, **{name: np.array(getattr(RESULT, name)) for name in names})
    table = ProbeTable(ProbeResult(tokens=RESULT.tokens, file=str(path)))
    inline = ProbeTable(RESULT)
    assert _rows(table.rows("activation", 0, 3)) == _rows(inline.rows("activation", 0, 3))
    assert not path.exists()
    with pytest.raises(OSError, match="probe-1"):
        ProbeTable(ProbeResult(tokens=RESULT.tokens, file=str(path)))


def test_chat__is_read_from_lines_that_name_a_speaker() -> None:
    text = "Hello\nSystem: Be kind.\nuser: Hi\nthere\nassistant:\nuser: x"
    assert [(t.role, t.content) for t in parse_chat(text)] == [
        ("user", "Hello"),
        ("system", "Be kind."),
        ("user", "Hi\nthere"),
        ("user", "x"),
    ]
    assert parse_chat("  ") == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("system", "user", "assistant")),
            st.lists(
                st.sampled_from(("Hi", "user: no turn", "\\\\USER: a", "a\\b", "assistant:x", "")),
                min_size=1, max_size=3,
            ).map(lambda lines: "\n".join(lines).strip()),
        ).filter(lambda turn: bool(turn[1])),
        max_size=4,
    )
)  # fmt: skip
def test_chat__written_as_text_comes_back_whatever_is_said(said: list[tuple[str, str]]) -> None:
    turns = [ChatTurn(role=role, content=content) for role, content in said]  # type: ignore[arg-type]
    assert parse_chat(written_chat(turns)) == turns


def test_token_alone__shows_spaces_and_control_characters() -> None:
    assert [shown_token(t) for t in (" Lord", "\n", "\u202e", " ", "\x07", "ab")] == [
        "·Lord", "↵", "�", "·", "␇", "ab",
    ]  # fmt: skip


# ---------------------------------------------------------------- contexts and links
def _context(
    bucket: int, source: str = "udhr", language: str = "fr", *, token: str = "a", slot: int = 0
) -> Context:
    return Context(slot, bucket, 0, 1.0, [token], np.ones(1), 0, source, language, "", "")


def test_groups__are_the_top_and_then_the_buckets_from_the_top_down() -> None:
    buckets = [0] * 20 + [1] * 4 + [5] * 3
    contexts = [_context(b, token=f"word{n}") for n, b in enumerate(buckets)]
    whole = context_groups(contexts, 5, short=False)
    assert [(g.name, len(g.contexts), g.hidden) for g in whole] == [
        ("Top 20", 20, 0),
        ("80–100% of the maximum", 3, 0),
        ("0–20% of the maximum", 4, 0),
    ]
    short = context_groups(contexts, 5, short=True)
    assert [(len(g.contexts), g.hidden) for g in short] == [(6, 14), (1, 2), (1, 3)]


def test_groups__fold_contexts_that_read_the_same() -> None:
    words = ["a", "b", "a", "a", "c"]
    contexts = [_context(0, token=word, slot=slot) for slot, word in enumerate(words)]
    (short,) = context_groups(contexts, 5, short=True)
    assert [c.slot for c in short.contexts] == [0, 1, 4]
    assert short.times == {0: 3}
    assert short.hidden == 0
    (whole,) = context_groups(contexts, 5, short=False)
    assert len(whole.contexts) == 5


def test_shares__are_ranked_and_the_rest_is_summed() -> None:
    rows = share_rows([Share(f"l{n}", n, 100) for n in range(15)], most=3)
    assert [row.name for row in rows] == ["l14", "l13", "l12", "11 more"]
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    assert share_rows([Share("en", 0, 10)]) == []
    assert shares_note([Share("en", 3, 10)]) == "of its firings"
    assert bucket_title(4, 5) == "60–80% of the maximum"
    assert origin_text(_context(0, language="")) == "udhr"
    info = SimpleNamespace(corpus="builtin", texts=[])
    origin = origin_text(_context(0, source="kjv"), info)  # type: ignore[arg-type]
    assert origin == "King James Bible · French"


def test_shares__weigh_by_activation_and_tell_firings_beside_it() -> None:
    # A feature of French that fires weakly all over English.
    shares = [Share("en", 70, 1000, 7.0), Share("fr", 30, 100, 63.0)]
    french, english = share_rows(shares)
    assert (french.name, french.share, french.text) == ("fr", pytest.approx(0.9), "90% · 30%")
    assert (english.name, english.share, english.text) == ("en", pytest.approx(0.1), "10% · 70%")
    assert "90% of its activation" in french.tip
    assert "30 of 100 firings" in french.tip
    assert shares_note(shares) == "of its activation · of its firings"


def test_link__comes_back_as_it_went() -> None:
    assert parse_feature_link(feature_link("my index/2", 12)) == ("my index/2", 12)
    assert parse_feature_link("12") is None


# ---------------------------------------------------------------- figures
def test_figures__keep_their_digits_and_signs() -> None:
    assert percent_text(0.0) == "0%"
    assert percent_text(0.0001234) == "0.0123%"
    assert percent_text(0.5) == "50.0%"
    assert percent_text(1.0) == "100%"
    assert one_in_text(0.0) == "never"
    assert one_in_text(1 / 8130) == "1 in 8,130"
    assert one_in_text(0.4) == "1 in 2.5"
    assert signed_text(-0.456) == "−0.46"
    assert signed_text(0.456) == "+0.46"
    assert signed_text(-0.001) == "0.00"
    shares = (-0.12, -0.001, 0.0, 1.07)
    assert [whole_percent_text(share) for share in shares] == ["−12%", "0%", "0%", "107%"]
    assert probability_text(0.0001) == "<0.1%"
    assert probability_text(0.123) == "12.3%"


# ---------------------------------------------------------------- rack
def entry(feature: int) -> racks.RackEntry:
    return racks.RackEntry(feature=feature)


def acts(rack: racks.Rack) -> list[Intervention]:
    return racks.interventions(rack, racks.How())


def test_rack__tells_the_engine_only_what_is_on() -> None:
    rack = racks.added(racks.added((), entry(3)), entry(5))
    assert acts(rack) == []
    rack = racks.moved(rack, 3, 2.5)
    assert acts(rack) == [Intervention(feature=3, strength=2.5)]
    assert acts(racks.switched(rack, 3, False)) == []
    assert racks.switched(rack, 3, False)[0].strength == 2.5
    assert acts(racks.reset(rack, 3)) == []
    assert racks.removed(rack, 3) == (entry(5),)
    assert racks.added(rack, entry(3)) == rack


def test_rack__holds_a_feature_at_nothing_when_on_at_zero() -> None:
    rack = racks.moved(racks.added((), entry(1)), 1, 0.0)
    assert acts(rack) == [Intervention(feature=1, strength=0.0)]


def test_rack__keeps_strengths_within_its_limits() -> None:
    rack = racks.added((), entry(1))
    assert racks.moved(rack, 1, 99.0)[0].strength == 10.0
    assert racks.moved(rack, 1, -99.0)[0].strength == -10.0


def test_rack__gives_directions_in_typical_norms_and_chosen_tokens_as_numbers() -> None:
    direction = RandomDirection(seed=4)
    known = racks.RackEntry(direction=direction)
    rack = racks.moved(racks.added(racks.added((), known), known), known.key, 0.5)
    how = racks.How(mode="add", place="tokens", start=3, tokens=(1, 2), sites=("blocks.2.x",))
    assert racks.interventions(rack, how) == [
        Intervention(
            direction=direction, strength=0.5, unit="norm", mode="add", tokens=[1, 2],
            sites=["blocks.2.x"],
        )
    ]  # fmt: skip
    # No token chosen is no token, and features have activations at their own site only.
    assert racks.interventions(rack, racks.How(place="tokens")) == []
    assert racks.interventions(rack, racks.How(sites=("blocks.2.x",)))[0].sites == []


@pytest.mark.parametrize(
    "how",
    [
        racks.How(mode="multiply", place="output"),
        racks.How(place="prompt", start=2),
        racks.How(mode="add", place="tokens", tokens=(0, 4), sites=("blocks.1.hook_resid_post",)),
    ],
)
def test_rack__comes_back_from_what_the_engine_was_told(how: racks.How) -> None:
    directed = racks.RackEntry(
        direction=DecoderRow(dictionary="big", feature=9), strength=0.4, on=True
    )
    other = racks.RackEntry(feature=3, index="later", index_hash="h", strength=1.0, on=True)
    rack = (racks.RackEntry(feature=3, strength=-2.0, on=True), directed, other)
    told = racks.interventions(rack, how)
    assert racks.from_interventions(told) == (rack, how)
    # A control is more than sliders can show.
    control = [Intervention(feature=3, direction=RandomDirection())]
    assert racks.interventions(*racks.from_interventions(control)) != control


def test_rack__says_what_it_does_in_a_line() -> None:
    told = [
        Intervention(feature=3, strength=-2.0),
        Intervention(direction=DecoderRow(dictionary="big", feature=9), unit="norm", strength=0.5),
    ]
    assert racks.acts_title(told) == "clamp #3 −2×, #9 of big 0.5 norms"
    assert racks.acts_title([Intervention(feature=3, index="later")]) == "clamp #3 of later 1×"
    assert racks.acts_title([]) == "plain"
    texts = MeanDifference(on=["I am happy and the world is bright today"], off=["sad"])
    assert racks.direction_title(texts).endswith("minus “sad”")


def test_numbers__are_read_as_they_are_written() -> None:
    assert racks.parsed_numbers(" 7, 2-4 3") == (2, 3, 4, 7)
    assert racks.numbers_text((2, 3, 4, 7)) == "2-4, 7"
    assert racks.parsed_numbers("") == ()
    for wrong in ("x", "4-2", "1-", "0-99999999", "-3"):
        with pytest.raises(ValueError, match=r"."):
            racks.parsed_numbers(wrong)


def test_rack__finds_features_by_number_and_by_label() -> None:
    labels = {2: "the Lord", 5: "Lord in French", 900: "Lord elsewhere"}
    assert racks.found_features("#7", 64, labels) == [7]
    assert racks.found_features("lord", 64, labels) == [5, 2]
    assert racks.found_features("99", 64, labels) == []
    assert racks.found_features(" ", 64, labels) == []
