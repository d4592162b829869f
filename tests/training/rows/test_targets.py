"""From a target and sites to the parts of a batch, and what is refused on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from stored import write_store

from sae_desktop.activations.layout import StoreInfo
from sae_desktop.activations.store import ActivationStore
from sae_desktop.corpus.config import decode_made
from sae_desktop.errors import UserError
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.rows.target_architecture import architecture_of
from sae_desktop.training.rows.targets import Part, check_aligned, resolve_target

STREAM = "blocks.1.hook_resid_post"
INS = tuple(f"blocks.{layer}.mlp.hook_in" for layer in range(3))
OUTS = tuple(f"blocks.{layer}.hook_mlp_out" for layer in range(3))


def info(*sites: str, width: int = 8, **changes: Any) -> StoreInfo:
    return StoreInfo(model="m", sites=list(sites), widths=[width] * len(sites), **changes)


def config(**changes: Any) -> TrainConfig:
    return TrainConfig(**({"project": "p", "name": "n", "activations": "a"} | changes))


def test_input__is_the_site_named_or_the_first() -> None:
    plan = resolve_target(config(), info(STREAM, INS[0]))
    assert plan.inputs == plan.outputs == (Part(0, STREAM, 8),)
    assert plan.setup_fields() == {"width": 8, "out_width": None, "parts": (), "skip": False}
    assert plan.metadata() == {"target": "input", "hook_name": STREAM}
    named = resolve_target(config(sites=(INS[0],)), info(STREAM, INS[0]))
    assert named.inputs[0].site == INS[0]


@pytest.mark.parametrize("target", ["transcoder", "skip_transcoder"])
def test_transcoder__reads_one_site_and_writes_another(target: str) -> None:
    sites: dict[str, Any] = {"sites": (INS[1],), "output_sites": (OUTS[1],)}
    store = StoreInfo(model="m", sites=[*INS, *OUTS], widths=[8] * 3 + [6] * 3)
    plan = resolve_target(config(target=target, **sites), store)
    assert (plan.inputs, plan.outputs) == ((Part(0, INS[1], 8),), (Part(0, OUTS[1], 6),))
    fields = plan.setup_fields()
    assert fields == {"width": 8, "out_width": 6, "parts": (), "skip": target != "transcoder"}
    assert plan.metadata()["hook_name_out"] == OUTS[1]
    of_two = resolve_target(config(target=target), info(INS[0], OUTS[0]))
    assert of_two.metadata()["hook_name_out"] == OUTS[0]


def test_crosscoder__has_a_part_for_each_layer_or_model() -> None:
    layers = resolve_target(config(target="crosscoder"), info(STREAM, *OUTS))
    assert [part.site for part in layers.inputs] == [STREAM, *OUTS]
    assert layers.reconstructs_input
    assert layers.setup_fields() == {
        "width": 32, "out_width": None, "parts": (8, 8, 8, 8), "skip": False,
    }  # fmt: skip
    models = resolve_target(
        config(target="crosscoder", other_activations=("b", "c")),
        info(STREAM),
        [info(OUTS[2], width=5), info(INS[0])],
    )
    assert models.inputs == (Part(0, STREAM, 8), Part(1, OUTS[2], 5), Part(2, INS[0], 8))
    assert models.metadata()["sources"] == [0, 1, 2]
    assert models.metadata()["input_sites"] == [STREAM, OUTS[2], INS[0]]


def test_cross_layer__pairs_the_layers_in_their_order() -> None:
    store = info(OUTS[1], STREAM, INS[1], INS[0], OUTS[0])
    plan = resolve_target(
        config(target="cross_layer_transcoder", architecture="jumprelu", features=64), store
    )
    assert [part.site for part in plan.inputs] == [*INS[:2]]
    assert [part.site for part in plan.outputs] == [*OUTS[:2]]
    assert plan.setup_fields()["parts"] == (8, 8)
    assert plan.setup_fields()["out_width"] == 16


def test_target__decides_on_the_class() -> None:
    assert architecture_of(config(architecture="topk")).title == "TopK"
    across = config(target="cross_layer_transcoder", architecture="jumprelu")
    assert architecture_of(across).title == "Cross-layer transcoder"


CROSS = {"target": "cross_layer_transcoder", "architecture": "jumprelu", "features": 63}


@pytest.mark.parametrize(
    ("changes", "sites", "message"),
    [
        ({"sites": (STREAM, INS[0])}, (STREAM, INS[0]), "reads one site"),
        ({"sites": (INS[0],)}, (STREAM,), "no site"),
        ({"output_sites": (INS[0],)}, (STREAM, INS[0]), "no separate output sites"),
        ({"target": "transcoder"}, (STREAM,), "not clear which"),
        ({"target": "transcoder"}, (*INS, *OUTS), "not clear which"),
        (
            {"target": "transcoder", "sites": (STREAM,), "output_sites": (STREAM,)},
            (STREAM,),
            "the same site",
        ),
        ({"target": "crosscoder"}, (STREAM,), "several sites or several models"),
        ({"target": "crosscoder", "sites": (STREAM, STREAM)}, (STREAM,), "named twice"),
        (CROSS, (*INS, OUTS[0]), "the same layers"),
        (CROSS, (INS[0], OUTS[0]), "several layers"),
        (
            CROSS | {"sites": INS[::-1], "output_sites": OUTS[::-1]},
            (*INS, *OUTS),
            "must be in order",
        ),
        (CROSS | {"architecture": "topk"}, (*INS, *OUTS), "cannot be trained as “topk”"),
        (CROSS | {"features": 64}, (*INS, *OUTS), "cannot be divided equally among 3 layers"),
        (CROSS | {"resample": True}, (*INS, *OUTS), "random directions"),
    ],
)
def test_what_cannot_be__is_refused(
    changes: dict[str, Any], sites: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        resolve_target(config(**changes), info(*sites))
    assert caught.value.next_step


def test_other_stores__are_for_crosscoders() -> None:
    with pytest.raises(UserError, match="crosscoder of several models"):
        resolve_target(config(other_activations=("b",)), info(STREAM), [info(STREAM)])
    asked = config(target="crosscoder", sites=(STREAM,))
    with pytest.raises(UserError, match="other store 2 has no site"):
        resolve_target(asked, info(STREAM), [info(STREAM), info(OUTS[0])])


def test_record__of_when_there_was_one_other_store_is_still_read() -> None:
    before = msgspec.json.encode({"type": "train", "project": "p", "name": "d", "stream": None})
    for told, right in (("b", ("b",)), ("", ()), (["b", "c"], ("b", "c"))):
        record = msgspec.json.encode(msgspec.json.decode(before) | {"other_activations": told})
        assert decode_made(record, TrainConfig).other_activations == right


def store(folder: Path, tokens: list[int], tokenizer: str = "t") -> ActivationStore:
    found = info(STREAM, width=2, tokenizer_hash=tokenizer, dtype="float32")
    write_store(folder, found, {STREAM: np.ones((len(tokens), 2), dtype="<f4")}, tokens).close()
    return ActivationStore.open(folder)


def test_stores_of_two_models__must_hold_the_same_tokens(tmp_path: Path) -> None:
    first = store(tmp_path / "first", [5, 6, 7, 8])
    check_aligned(first, store(tmp_path / "same", [5, 6, 7, 8]))
    check_aligned(first, store(tmp_path / "tuned", [5, 6, 7, 8], "u"))
    for name, tokens, tokenizer, message in (
        ("shorter", [5, 6, 7], "t", "4 and 3 rows"),
        ("other", [5, 6, 9, 8], "t", "from row 2 on"),
        ("tokenizer", [5, 6, 7, 0], "u", "different tokenizers"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            check_aligned(first, store(tmp_path / name, tokens, tokenizer))
        assert "same corpus" in caught.value.next_step
