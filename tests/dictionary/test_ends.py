"""What every kind of dictionary says that it reads and writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from toy_dictionaries import ELSEWHERE, LAYERS, OUT, SIDE_BY_SIDE, D, cross_layer, toy_dictionary

from sae_desktop.dictionary import Dictionary, save
from sae_desktop.dictionary.ends import End, inputs, outputs, reconstructs

INS = [f"blocks.{layer}.mlp.hook_in" for layer in range(LAYERS)]
OUTS = [f"blocks.{layer}.hook_mlp_out" for layer in range(LAYERS)]
STREAM = "blocks.3.hook_resid_post"


def of_layers() -> Dictionary:
    found = cross_layer()
    found.metadata |= {"hook_name": INS[0], "input_sites": INS, "output_sites": OUTS}
    return found


def of_models() -> Dictionary:
    told = {"input_sites": [STREAM, STREAM], "output_sites": [STREAM, STREAM], "sources": [0, 1]}
    return toy_dictionary(parts=(2, 4), metadata=told)


KINDS = {
    "plain": (toy_dictionary(), [End(STREAM, D)], [End(STREAM, D)]),
    "nameless": (toy_dictionary(metadata={"a": 1}), [End("given", D)], [End("given", D)]),
    "transcoder": (
        toy_dictionary(out=OUT, metadata=ELSEWHERE),
        [End(ELSEWHERE["hook_name"], D)],
        [End(ELSEWHERE["hook_name_out"], OUT)],
    ),
    "skip transcoder that does not say where it writes": (
        toy_dictionary(skip=True), [End(STREAM, D)], [End("", D)],
    ),
    "crosscoder of sites": (
        toy_dictionary(parts=(2, 4), metadata=SIDE_BY_SIDE),
        [End("a", 2), End("b", 4, 0, 2)],
        [End("a", 2), End("b", 4, 0, 2)],
    ),
    "crosscoder of models": (
        of_models(),
        [End(STREAM, 2, 0, 0), End(STREAM, 4, 1, 2)],
        [End(STREAM, 2, 0, 0), End(STREAM, 4, 1, 2)],
    ),
    "cross-layer transcoder": (
        of_layers(),
        [End(site, D, 0, D * layer) for layer, site in enumerate(INS)],
        [End(site, D, 0, D * layer) for layer, site in enumerate(OUTS)],
    ),
    "cross-layer transcoder without sites": (
        cross_layer(),
        [End("", D, 0, D * layer) for layer in range(LAYERS)],
        [End("", D, 0, D * layer) for layer in range(LAYERS)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_ends__are_the_same_of_a_dictionary_and_of_its_file(kind: str, tmp_path: Path) -> None:
    dictionary, read, written = KINDS[kind]
    save(dictionary, tmp_path)
    cfg = msgspec.json.decode((tmp_path / "cfg.json").read_bytes())
    for told in (dictionary, cfg):
        assert list(inputs(told, "given")) == read
        assert list(outputs(told, "given")) == written
        assert reconstructs(told) == ("transcoder" not in kind)


def test_ends__that_do_not_fit_are_refused() -> None:
    wrong = toy_dictionary(parts=(2, 4), metadata=SIDE_BY_SIDE | {"output_sites": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="writes 2 sites, but names 3"):
        outputs(wrong)


def test_ends__are_told_without_torch() -> None:
    code = "import sys; import sae_desktop.dictionary.ends; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
