"""Write resources/saelens_overrides.json: what SAELens's directory of releases sets right.

Needs SAELens. Of each repository, the fields of configs that are overridden and change the
mathematics, and by folder what the rows of a dictionary were scaled by in training.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "resources" / "saelens_overrides.json"
_MATHEMATICAL = (
    "normalize_activations", "model_from_pretrained_kwargs", "apply_b_dec_to_input", "k",
    "rescale_acts_by_decoder_norm", "activation_fn", "activation_fn_kwargs", "architecture",
)  # fmt: skip


def overrides() -> dict[str, dict[str, Any]]:
    """Return repository → fields. Raises ValueError where releases of one disagree."""
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    found: dict[str, dict[str, Any]] = {}
    for release in get_pretrained_saes_directory().values():
        own = {k: v for k, v in (release.config_overrides or {}).items() if k in _MATHEMATICAL}
        scales = {
            release.saes_map[name]: scale for name, scale in release.norm_scaling_factor.items()
        }
        if scales and release.conversion_func is None:  # the files are SAELens's own
            own["norm_scaling_factor"] = scales
        if own and found.setdefault(release.repo_id, own) != own:
            raise ValueError(f"{release.repo_id} is overridden in two ways")
    return dict(sorted(found.items()))


if __name__ == "__main__":
    TARGET.write_text(json.dumps(overrides(), indent=2) + "\n", encoding="utf-8")
