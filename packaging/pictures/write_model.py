"""Write the trained model as the folder that ships: its weights in 8 bit, and all that reads them.

    python packaging/pictures/write_model.py CACHE --builtin resources/models/builtin \
        --out resources/models/builtin-pictures
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from model import IMAGE_TOKEN, MEAN, PATCH, STD, joined, new_eyes
from safetensors.numpy import load_file
from scenes import SIDE
from transformers import (
    AutoTokenizer,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SiglipImageProcessor,
)

from sae_desktop.language_model.files.packed import pack

BY_HAND = ("README.md", "NOTICE")
"""Stay where they are."""
_OF_THIS_MACHINE = ("_name_or_path", "is_local", "local_files_only")
"""Said by transformers of where files were read from."""


def write(model: LlavaForConditionalGeneration, builtin: Path, out: Path) -> None:
    """Replace what is in `out`, but for what is written by hand."""
    out.mkdir(exist_ok=True)
    for path in out.iterdir():
        if path.name not in BY_HAND:
            path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder)
        model.save_pretrained(whole)
        _processor(builtin).save_pretrained(whole)
        for path in whole.glob("*.json"):
            told = json.loads(path.read_text())
            for part in (told, told.get("text_config", {})):
                for key in _OF_THIS_MACHINE:
                    part.pop(key, None)
            (out / path.name).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        # Its hidden units begin far above 0, which its second layer's bias takes off again.
        pack(load_file(whole / "model.safetensors"), out, fine="multi_modal_projector")


def _processor(builtin: Path) -> LlavaProcessor:
    tokenizer = AutoTokenizer.from_pretrained(builtin)
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    pictures = SiglipImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_mean=[MEAN] * 3, image_std=[STD] * 3
    )
    return LlavaProcessor(
        image_processor=pictures, tokenizer=tokenizer, patch_size=PATCH,
        vision_feature_select_strategy="full", image_token=IMAGE_TOKEN,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--builtin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = joined(args.builtin, new_eyes(0), 0)
    model.load_state_dict(torch.load(args.cache / "pictures.pt", weights_only=True)["model"])
    write(model, args.builtin, args.out)
    for path in sorted(args.out.iterdir()):
        print(f"{path.stat().st_size:>10,} {path.name}")


if __name__ == "__main__":
    main()
