"""What a dictionary reads and writes, in words. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.dictionary.ends import End, sources

_UNNAMED = "unnamed site"


def ends_text(read: Sequence[End], written: Sequence[End]) -> str:
    """Return what is read and, where it is something else, what is written.

    Such as “blocks.3.mlp.hook_in → blocks.3.hook_mlp_out” or “6 sites, blocks.0.hook_resid_post to
    blocks.5.hook_resid_post”; empty where a dictionary's files do not tell.
    """
    if not read:
        return ""
    if tuple(read) == tuple(written):
        return _told(read)
    return f"{_told(read)} → {_told(written)}"


def _told(ends: Sequence[End]) -> str:
    sites = list(dict.fromkeys(end.site or _UNNAMED for end in ends))
    models = sources(ends)
    of = f" of {models} models" if models > 1 else ""
    if len(sites) == 1:
        return sites[0] + of
    return f"{len(sites)} sites, {sites[0]} to {sites[-1]}{of}"
