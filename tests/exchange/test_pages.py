"""Pages for people: whole in one file, nothing of what others wrote taken for markup."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from job_contexts import RecordingContext
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.exchange.config import ExportDictionaryConfig
from sae_desktop.exchange.dictionaries import export_dictionary
from sae_desktop.exchange.pages import curve
from sae_desktop.exchange.steering_page import write_steering_page
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    NextToken,
    OutputToken,
    SteerConfig,
    SteerResult,
    Variant,
    VariantResult,
)
from sae_desktop.steering.kept_pictures import KeptPicture

EVIL = '<script>alert("1")</script>'


def assert_closed(text: str) -> None:
    """Nothing runs in it, and it asks for nothing."""
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert re.search(r"(?:src|href)=\"(?!data:)", text) is None
    assert "http" not in re.sub(r"http-equiv", "", text)


def test_steering_page__shows_every_text_and_lets_none_run(tmp_path: Path) -> None:
    index = FeatureIndex(write_sample_index(tmp_path / "i.h5"))
    steered = Variant(name="steered", interventions=[Intervention(feature=3, strength=-2.0)])
    config = SteerConfig(project="p", index="i", prompt=EVIL, variants=[PLAIN, steered])
    tokens = [
        OutputToken(text=EVIL, log_probability=-0.1, plain_log_probability=-5.0, kl=2.0),
        OutputToken(text=" sea", log_probability=-1.0, plain_log_probability=-1.0, kl=0.5),
    ]
    result = SteerResult(
        variants=[
            VariantResult(name="plain", prompt=EVIL, text=" it"),
            VariantResult(
                name="steered", prompt=EVIL, text=EVIL + " sea", tokens=tokens, perplexity=9.0,
                kl=1.25, typical_strength=0.5,
            ),
        ],
        next_tokens=[NextToken(token=" God", probabilities=[0.4, 0.25])],
        pictures=[KeptPicture(place="/home/me/<b>.png", digest="0", thumbnail=b"small")],
    )  # fmt: skip
    page = tmp_path / "s.html"
    write_steering_page(page, index.info, config, result)
    text = page.read_text(encoding="utf-8")
    assert_closed(text)
    assert "&lt;script&gt;" in text
    assert "change of 0.50 typical norms" in text
    assert "clamp feature 3, -2 maxima, all" in text
    assert "<td>·God</td><td>40.00%</td><td>25.00%</td>" in text
    assert 'title="probability 0.905, plain 0.00674, KL 2.00 nats"' in text
    assert text.count("<i style=") == 2
    small = base64.b64encode(b"small").decode()
    assert f'<img src="data:image/webp;base64,{small}" alt="&lt;b&gt;.png"' in text
    assert "/home/me" not in text
    with pytest.raises(UserError, match="not a page name"):
        write_steering_page(tmp_path / "s.txt", index.info, config, result)


def test_run_page__has_figures_settings_and_curves(small_project: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    config = ExportDictionaryConfig(
        project=str(small_project), dictionary="dict", path=str(page), format="html"
    )
    assert export_dictionary(config, RecordingContext()).files == 1
    text = page.read_text(encoding="utf-8")
    assert_closed(text)
    assert "<h2>Loss</h2>" in text
    assert text.count("<polyline") >= 4
    assert "<td>precision</td><td>auto</td>" in text


def test_curve__is_scaled_to_its_ends_and_survives_little() -> None:
    x = np.arange(1.0, 5001.0)
    drawn = curve(x, 1e4 / x, "rows")
    assert drawn is not None
    assert drawn.logarithmic
    points = re.findall(r"([\d.]+),([\d.]+)", drawn.points)
    assert len(points) <= 420
    heights = [float(y) for _, y in points]
    assert heights == sorted(heights)  # it falls
    assert drawn.top == "1e+04"
    assert curve(np.array([np.nan]), np.array([1.0]), "rows") is None
    one = curve(np.array([1.0]), np.array([2.0]), "rows")
    assert one is not None
    assert one.last == "2"
