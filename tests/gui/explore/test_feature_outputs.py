"""A feature of several layers: strips of where it writes and what drives it, one output chosen."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sae_desktop.dictionary.ends import End
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.page.share_strip import ShareStrip, StripBar
from sae_desktop.gui.state.session import Session
from sae_desktop.words.output_words import ALL_OUTPUTS, short_names

LAYERS = 3
STRENGTH = [0.25, 1.0, 0.0]
SHARES = [0.9, 0.1, 0.0]


def of_layers(index: FeatureIndex) -> None:
    """Let an index tell of three layers: logits and neighbours differ from output to output."""
    features = index.features
    ends = tuple(End(f"blocks.{n}.hook_mlp_out", 4, 0, 4 * n) for n in range(LAYERS))
    index.info = msgspec.structs.replace(index.info, inputs=ends, outputs=ends)
    numbers = np.broadcast_to(np.arange(LAYERS), (features, LAYERS))[..., None]
    written = numbers < 2  # nothing at the last
    index._mapped |= {
        "parts/strength": np.tile(np.float32(STRENGTH), (features, 1)),
        "parts/functional": np.tile(np.float32(SHARES), (features, 1)),
        "parts/logit_top_ids": np.where(written, np.add(numbers, [[[5, 6]]]), -1),
        "parts/logit_top_values": np.where(written, 1.0, np.nan) * [[[2.0, 1.0]]],
        "parts/logit_bottom_ids": np.where(written, np.add(numbers, [[[8]]]), -1),
        "parts/logit_bottom_values": np.where(written, -1.0, np.nan),
        "parts/neighbour_ids": np.where(written, np.add(numbers, [[[3, 4]]]), -1),
        "parts/neighbour_cosines": np.where(written, 0.5, np.nan) * [[[1.0, 0.5]]],
    }


def shown_features(panel: ExplorePanel) -> list[int]:
    return [link.row.feature for link in panel.page.neighbours.links() if link.isVisibleTo(panel)]


def test_strips__are_not_there_for_one_site(panel: ExplorePanel, session: Session) -> None:
    session.select_feature(0)
    assert panel.page.outputs.isHidden()


def test_output__chosen_by_key_or_by_name_is_what_the_page_shows(
    panel: ExplorePanel, session: Session
) -> None:
    index = session.index
    assert index is not None
    session.select_feature(0)
    of_layers(index)
    session.select_feature(2)
    page = panel.page
    assert not page.outputs.isHidden()
    whole, near = page.raised.text(), shown_features(panel)
    QTest.keyClick(page.outputs.strip, Qt.Key.Key_Right)
    QTest.keyClick(page.outputs.strip, Qt.Key.Key_Right)
    assert page.outputs.choice.currentText() == "By L1 alone"
    assert [line.split("\t")[1] for line in page.raised.text().splitlines()] == ["+2.00", "+1.00"]
    assert shown_features(panel) == [4, 5]
    session.select_feature(1)  # the output stays
    assert shown_features(panel) == [4, 5]
    page.outputs.choice.setCurrentIndex(3)
    assert page.raised.text() == ""
    assert not page._logits.none.isHidden()
    page.outputs.choice.setCurrentText(ALL_OUTPUTS)
    session.select_feature(2)
    assert (page.raised.text(), shown_features(panel)) == (whole, near)


def test_bars__are_as_high_as_the_shares_and_say_what_they_are(
    panel: ExplorePanel, session: Session
) -> None:
    assert session.index is not None
    of_layers(session.index)
    session.select_feature(2)
    outputs = panel.page.outputs
    assert [bar.share for bar in outputs.strip._bars] == STRENGTH
    tips = [bar.tip for bar in outputs.strip._bars]
    assert "blocks.0.hook_mlp_out" in tips[0]
    assert "25.0%" in tips[0]
    assert "writes nothing here" in tips[2]
    assert [bar.name for bar in outputs.inputs._bars] == ["L0", "L1", "L2"]
    assert "loses 90.0% of its activation" in outputs.inputs._bars[0].tip


def test_click__chooses_a_bar_and_lets_it_go(qtbot) -> None:  # type: ignore[no-untyped-def]
    strip = ShareStrip("x")
    qtbot.addWidget(strip)
    strip.set_bars([StripBar(f"L{n}", 0.5, "tip") for n in range(30)])
    strip.resize(420, strip.sizeHint().height())
    strip.show()
    place = strip.cell(17).center().toPoint()
    for expected in (17, None):
        with qtbot.waitSignal(strip.chosen) as caught:
            QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=place)
        assert caught.args == [expected]
    assert strip.minimumSizeHint().width() <= 400


@pytest.mark.parametrize(
    ("ends", "models", "names"),
    [
        ([End("blocks.3.hook_mlp_out", 4), End("blocks.7.hook_mlp_out", 4)], ["m"], ["L3", "L7"]),
        ([End("blocks.3.hook_mlp_out", 4), End("blocks.3.hook_attn_out", 4)], ["m"],
         ["mlp_out", "attn_out"]),
        ([End("blocks.3.hook_mlp_out", 4), End("blocks.3.hook_mlp_out", 4, 1)],
         ["a/base", "a/tuned"], ["base", "tuned"]),
    ],
)  # fmt: skip
def test_short_names__are_what_tells_outputs_apart(
    ends: list[End], models: list[str], names: list[str]
) -> None:
    assert short_names(ends, models) == names
