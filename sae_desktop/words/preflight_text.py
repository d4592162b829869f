"""What a training needs of the machine, in words. Free of Qt."""

from __future__ import annotations

from sae_desktop.storage.faults import format_bytes
from sae_desktop.training.planning.preflight_config import PreflightResult
from sae_desktop.words.amounts import duration_words


def preflight_problem(found: PreflightResult) -> str:
    """Return why the training does not fit and what would; empty where it fits."""
    if found.fits:
        return ""
    if not found.would_fit:
        return f"{found.problem} Free some space."
    return f"{found.problem} This would fit: {'; or '.join(found.would_fit)}."


def preflight_text(found: PreflightResult) -> str:
    """Return the room it takes and, where steps were measured, the time."""
    rooms = [
        f"{format_bytes(room.needed_bytes)} of {format_bytes(room.free_bytes)} free {room.place}"
        for room in found.rooms
    ]
    text = f"Takes {', '.join(rooms)}; {found.precision} on {found.device}."
    if found.seconds is None or found.step_seconds is None:
        return text
    million = found.seconds_per_million_tokens or 0.0
    return (
        f"{text} Measured: {duration_words(found.seconds)} in all, "
        f"{million:.3g} s per million rows, {1e3 * found.step_seconds:.3g} ms per step."
    )


def preflight_details(found: PreflightResult) -> str:
    """Return every need, a line each, for a tooltip."""
    lines = []
    for room in found.rooms:
        lines.append(f"{room.place.capitalize()}: {format_bytes(room.needed_bytes)}")
        lines += [f"    {need.what}: {format_bytes(need.bytes)}" for need in room.needs]
    lines.append(f"Up to {found.largest_features:,} features would fit.")
    return "\n".join(lines)
