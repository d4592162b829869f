"""How amounts are written: with a unit, three digits, and words where a person reads them."""

from __future__ import annotations

import datetime
import math

from sae_desktop.storage.faults import three_digits

_THOUSAND_NAMES = ("", "k", "M", "G", "T")
MINUS = "−"


def short_count(count: float) -> str:
    """Return a count in short: 950, 12.3k, 2M."""
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(_THOUSAND_NAMES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{three_digits(value)}{_THOUSAND_NAMES[unit]}"


def exact_count(count: float) -> str:
    """Return a whole number with its thousands set apart: 1,240,000."""
    return f"{round(count):,}"


def duration_text(seconds: float | None) -> str:
    """Return a duration for a table: "0:42", "12:05", "3 h 20 min"; "–" when unknown."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    total = max(round(seconds), 0)
    if total < 3600:
        return f"{total // 60}:{total % 60:02d}"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def elapsed_text(seconds: float) -> str:
    """Return a length of time that was measured: 8.2 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def time_left_text(seconds: float) -> str:
    """Return how long a job still takes: "28 s left", "3 min 05 s left"."""
    whole = max(round(seconds), 0)
    return f"{whole} s left" if whole < 60 else f"{elapsed_text(whole)} left"


def device_text(device: str) -> str:
    """Return a device's name as it is said: CPU; a GPU's is its own."""
    return "CPU" if device == "cpu" else device


def duration_words(seconds: float) -> str:
    """Return a duration for a sentence: "a few seconds", "about 3 min", "about 2 h"."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    hours = seconds / 3600
    return f"about {hours:.1f} h" if hours < 10 else f"about {hours:.0f} h"


def rate_text(rate: float, unit: str) -> str:
    """Return "12.3k tokens per second", "1.8 checkpoints per minute"; nothing for an unknown rate.

    A slow rate is told by the minute or the hour, so that it is a number one can picture.
    """
    if not (rate > 0 and math.isfinite(rate)):
        return ""
    for seconds, per in ((1, "second"), (60, "minute")):
        if rate * seconds >= 1:
            return f"{short_count(rate * seconds)} {unit} per {per}"
    return f"{short_count(rate * 3600)} {unit} per hour"


def share_text(share: float | None, digits: int = 1) -> str:
    """Return a share of one in percent: "3.4%"."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{share * 100:.{digits}f}%"


def figure_text(value: float | None, digits: int = 3) -> str:
    """Return a plain figure with fixed digits, or "–" where it was not measured."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}"


def when_text(moment: datetime.datetime, now: datetime.datetime) -> str:
    """Return when something was, as one says it: "just now", "14:05", "Mon 14:05", "3 Nov 2026"."""
    age = now - moment
    if datetime.timedelta(0) <= age < datetime.timedelta(minutes=2):
        return "just now"
    if moment.date() == now.date():
        return f"today {moment:%H:%M}"
    if datetime.timedelta(0) <= age < datetime.timedelta(days=6):
        return f"{moment:%a %H:%M}"
    return f"{moment.day} {moment:%b %Y}"


def elide_middle(text: str, length: int) -> str:
    """Return `text` cut in its middle to at most `length` characters."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def percent_text(share: float, digits: int = 3) -> str:
    """Return a share of 1 as a percentage with significant digits, three if not told: 0.0123%."""
    percent = 100.0 * share
    if percent <= 0.0:
        return "0%"
    decimals = min(max(digits - 1 - math.floor(math.log10(percent)), 0), 8)
    return f"{percent:.{decimals}f}%"


def one_in_text(density: float) -> str:
    """Return how rare a feature is: "1 in 8,130"; "never" when it does not fire."""
    if density <= 0.0:
        return "never"
    times = 1.0 / density
    return f"1 in {times:.1f}" if times < 9.95 else f"1 in {exact_count(times)}"


def signed_text(value: float, decimals: int = 2) -> str:
    """Return a figure with its sign always shown: +0.41, −1.20, 0.00."""
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0.0:
        return text
    return ("+" if value > 0 else MINUS) + text


def whole_percent_text(share: float) -> str:
    """Return a share of either sign in whole percents, without a sign at 0: −12%, 0%, 107%."""
    percent = round(100.0 * share)
    return f"{MINUS if percent < 0 else ''}{abs(percent)}%"


def probability_text(probability: float) -> str:
    """Return a probability as a percentage of fixed decimals: 12.3%, <0.1%."""
    if 0.0 < probability < 0.0005:
        return "<0.1%"
    return f"{100.0 * probability:.1f}%"
