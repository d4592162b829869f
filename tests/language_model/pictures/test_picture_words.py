"""What stands for pictures among words: token for token what the models' own processors write."""

from __future__ import annotations

from typing import Any

import pytest
import transformers
from toy_pictures import (
    FAMILIES,
    image_processor,
    marked_tokenizer,
    noise_picture,
    picture_config,
)
from transformers.models.smolvlm import processing_smolvlm

from sae_desktop.language_model.pictures.reader import PictureReader
from sae_desktop.language_model.text.text_reader import TextReader

_PLACES = {"gemma3": "<start_of_image>", "qwen": "<|vision_start|><|image_pad|><|vision_end|>"}
_TOKENS = {"image_token", "boi_token", "eoi_token", "image_token_id"}


def own_processor(family: str, tokenizer: Any, **images: Any) -> Any:
    """The processor of a family; those that ask for one of video get none."""
    pictures = image_processor(family, **images)
    if family == "llava":
        return transformers.LlavaProcessor(
            pictures, tokenizer, patch_size=7, vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
        )  # fmt: skip
    if family == "idefics3":
        return transformers.Idefics3Processor(pictures, tokenizer, image_seq_len=4)
    if family == "paligemma":
        pictures.image_seq_length = 16
        return transformers.PaliGemmaProcessor(pictures, tokenizer)
    if family == "gemma3":
        tokenizer.image_token, tokenizer.image_token_id = "<image_soft_token>", _id(tokenizer)
        tokenizer.boi_token, tokenizer.eoi_token = "<start_of_image>", "<end_of_image>"
        tokenizer.boi_token_id = tokenizer.convert_tokens_to_ids("<start_of_image>")
        return transformers.Gemma3Processor(pictures, tokenizer, image_seq_length=4)
    kind = "SmolVLMProcessor" if family == "smolvlm" else "Qwen2VLProcessor"
    if family == "qwen2_5_vl":
        kind = "Qwen2_5_VLProcessor"
    without_video = type(
        kind,
        (getattr(transformers, kind),),
        {"check_argument_for_proper_class": lambda self, name, argument: type(argument)},
    )
    more = {"image_seq_len": 4} if family == "smolvlm" else {}
    return without_video(pictures, tokenizer, None, **more)


def _id(tokenizer: Any) -> int:
    return int(tokenizer.convert_tokens_to_ids("<image_soft_token>"))


def check(family: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing_smolvlm, "num2words", object())  # for videos alone
    tokenizer = marked_tokenizer(family)
    processor = own_processor(family, marked_tokenizer(family), **changes)
    text = TextReader(family, tokenizer, 512, 380, causal=True)
    text.__dict__["window_tokens"] = ((0,), ()) if family == "paligemma" else ((), ())
    reader = PictureReader(family, picture_config(family), image_processor(family, **changes), text)
    wide, tall = noise_picture(61, 30), noise_picture(33, 90, seed=1)
    place = _PLACES.get("qwen" if family.startswith("qwen") else family, "<image>")
    if family == "paligemma":
        given, written = [wide, tall, "a dog\n then"], f"{place}{place}a dog\n then"
    else:
        given, written = ["a dog\n", wide, " then", tall], f"a dog\n{place} then{place}"

    own = processor(images=[[wide, tall]], text=[written], return_tensors="pt")
    batch = reader.batch([given])

    assert batch.inputs["input_ids"].tolist() == own["input_ids"].tolist()
    for name in set(batch.inputs) - {"input_ids"}:
        assert batch.inputs[name].equal(own[name]), name
    assert set(own) - set(batch.inputs) <= {"labels"}


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs__are_those_of_the_models_own_processor(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(family, {}, monkeypatch)


def test_inputs__are_those_of_idefics_without_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    check("idefics3", {"do_image_splitting": False}, monkeypatch)
