"""What is said of monitors, for the window and the command line. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.safety.monitors.config import Promise


def promise_text(promise: Promise) -> str:
    """Return what a threshold keeps, and on how much text that rests, in sentences."""
    units = {"token": "tokens", "message": "messages", "conversation": "conversations"}
    role = f" of the role {promise.role}" if promise.role else ""
    if promise.method == "conformal":
        sure = "on average over calibration texts"
    else:
        sure = f"with a confidence of {promise.confidence:.0%}"
    return (
        f"Of ordinary {units[promise.unit]}{role}, at most {promise.rate:.2%} fire, {sure}, as "
        f"far as they are such as the {promise.blocks:,} documents or chats of calibration; each "
        f"counts once, whatever its length, since what lies in one depends on one another. "
        f"{promise.firing:.4g} of them fired, for which the bound is {promise.bound:.2%}."
    )
