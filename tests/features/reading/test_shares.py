"""Shares by language and source are of all firings, also of those in documents that name none."""

from __future__ import annotations

from pathlib import Path

import h5py
import msgspec
import pytest
from sample_index import write_sample_index

from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.page.company_bars import share_rows
from sae_desktop.language_model.text.token_text import visible_token


def test_shares__count_what_names_no_language(tmp_path: Path) -> None:
    path = write_sample_index(tmp_path / "i.h5")
    whole = FeatureIndex(path)
    feature = int((whole.array("languages/counts")[:, :2] > 0).all(axis=1).argmax())
    before = whole.languages(feature)
    firings = int(whole.columns["firings"][feature])
    assert sum(share.firings for share in before) == firings
    del whole
    # As of documents without a language: the last one's name is not known.
    with h5py.File(path, "r+") as file:
        info = msgspec.json.decode(file.attrs["info"], type=IndexInfo)
        info = msgspec.structs.replace(info, languages=info.languages[1:])
        file.attrs["info"] = msgspec.json.encode(info).decode()
        for name in ("languages/counts", "languages/sums", "languages/tokens"):
            values = file[name][..., 1:]
            del file[name]
            file[name] = values
    index = FeatureIndex(path)
    found = index.languages(feature)
    assert found[-1].name == ""
    assert (found[-1].firings, found[-1].tokens) == (before[0].firings, before[0].tokens)
    rows = {row.name: row.share for row in share_rows(found)}
    whole_activation = sum(share.activation or 0.0 for share in before)
    assert rows["not known"] == pytest.approx((before[0].activation or 0.0) / whole_activation)
    assert sum(rows.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("\n", "↵"), (" \n", "·↵"), ("\n ", "↵·"), ("\n    ", "↵····"), ("  ", "··"), (" a", "·a"),
        ("a b", "a b"), ("a ", "a·"), ("\t", "→"), ("a\tb", "a→b"), ("\r\n", "␍↵"), ("", ""),
    ],
)  # fmt: skip
def test_tokens_of_other_spaces__look_otherwise(token: str, shown: str) -> None:
    assert visible_token(token) == shown
