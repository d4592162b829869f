"""What the sliders of a dictionary change, in a sentence. Free of torch and Qt."""

from __future__ import annotations

from pathlib import PurePath

from sae_desktop.dictionary.ends import End
from sae_desktop.training.run_folder import DictionarySummary
from sae_desktop.words.ends_text import ends_text


def steered_sites_text(summary: DictionarySummary, only: str = "") -> str:
    """Return where features fire and what is changed; empty where it is one site for both.

    `only`: the one site that is changed of several, where one is chosen.
    """
    read, written = summary.inputs, steered_outputs(summary)
    models = {end.source for end in read}
    if len(models) > 1:
        names = [PurePath(name).name or f"model {n + 1}" for n, name in enumerate(summary.models)]
        return (
            f"A crosscoder of {len(models)} models. The sliders change {names[0]} at "
            f"{only or ends_text(written, written)}; what features fire on is read in all of them "
            f"({', '.join(names)}), without steering."
        )
    if len(written) < 2:
        site = written[0].site if written else summary.site_out
        if not site or site == summary.site:
            return ""
        return f"A transcoder: features fire at {summary.site}, and the sliders change {site}."
    if read == written:
        changed = f"{only} alone" if only else f"all of them ({ends_text(written, written)})"
        return (
            f"A crosscoder: features fire by {len(read)} sites together, read without steering, "
            f"and the sliders change {changed}."
        )
    changed = f"{only} alone" if only else "the MLP outputs of that layer and of all later ones"
    return (
        "A cross-layer transcoder: a feature fires at what the MLP of its layer reads, and its "
        f"slider changes {changed}."
    )


def steered_outputs(summary: DictionarySummary) -> tuple[End, ...]:
    """Return what sliders change: what is written in the first model."""
    return tuple(end for end in summary.outputs if end.source == 0)
