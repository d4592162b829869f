"""Whether a known model is on this machine, told without loading anything. Free of torch."""

from __future__ import annotations

from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.names import KNOWN, ORIGIN, same_name


def lacking_known(name: str) -> str:
    """Return the short name of a known model that is not on this machine, however it is called.

    Empty: it is here, or it is not one that is known.
    """
    short = next((known for known in KNOWN if same_name(name, known)), "")
    if not short or (models_cache() / short / ORIGIN).is_file():
        return ""
    from huggingface_hub import try_to_load_from_cache  # slow to import

    of_hub = try_to_load_from_cache(KNOWN[short].hub, KNOWN[short].weights)
    return "" if isinstance(of_hub, str) else short
