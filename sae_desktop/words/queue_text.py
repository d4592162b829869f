"""What is said of requests to a model: before, while and after they are made."""

from __future__ import annotations

import math

from sae_desktop.labels.chat import ErrorKind
from sae_desktop.labels.queue.estimate import QueueEstimate
from sae_desktop.labels.queue.progress import QueueProgress
from sae_desktop.words.amounts import duration_words, exact_count, short_count

FAILURE_WORDS: dict[ErrorKind, str] = {
    "certificate": "because the server’s certificate cannot be trusted",
    "closed": "because the model was closed",
    "key": "because the server does not accept the key",
    "malformed": "because what came back was not an answer",
    "no_model": "because the server does not have the model",
    "offline": "because the network is off",
    "quota": "because the account has nothing left",
    "rate": "because the server takes no more requests for now",
    "refused": "because the model refused to answer",
    "server": "because the server failed",
    "timeout": "because no answer came in time",
    "too_long": "because the prompt does not fit the model",
    "unreachable": "because the server was not reached or the connection was lost",
}


def money_text(amount: float) -> str:
    """Return an amount in whatever currency the prices are in: 0.90, 12.40, 0.0042, 0."""
    if amount <= 0.0:
        return "0"
    if amount >= 0.01:
        return f"{amount:,.2f}"
    digits = min(1 - math.floor(math.log10(amount)), 10)
    return f"{amount:.{digits}f}"


def requests_text(count: int) -> str:
    return "1 request" if count == 1 else f"{exact_count(count)} requests"


def estimate_text(estimate: QueueEstimate) -> str:
    """Return what requests will take: “About 1,000 requests, 1.2M tokens, 12 min …”."""
    about = "about" if estimate.measured else "up to"
    parts = [
        requests_text(estimate.requests),
        f"{about} {short_count(estimate.tokens)} tokens",
    ]
    if estimate.seconds is not None:
        parts.append(duration_words(estimate.seconds))
    if estimate.cost:
        parts.append(f"{about} {money_text(estimate.cost)} at the prices you gave")
    said = ", ".join(parts)
    stops = f"; it stops at {money_text(estimate.most_cost)}" if estimate.most_cost else ""
    return f"{said}{stops}."


def counts_text(progress: QueueProgress) -> str:
    """Return “412 of 1,000 requests done, 3 of them failed”."""
    of = f" of {exact_count(progress.total)}" if progress.total else ""
    failed = f", {exact_count(progress.failed)} of them failed" if progress.failed else ""
    return f"{exact_count(progress.done)}{of} requests done{failed}"


def rate_text(progress: QueueProgress) -> str:
    """Return how fast answers come; “–” while that is not known."""
    if progress.rate <= 0.0:
        return "–"
    if progress.rate >= 1.0:
        return f"{progress.rate:.1f} per second"
    return f"{60.0 * progress.rate:.1f} per minute"


def left_text(progress: QueueProgress) -> str:
    """Return how long it still takes, roughly; “–” while that is not known."""
    left = progress.seconds_left
    return "–" if left is None else duration_words(left)


def cost_text(progress: QueueProgress) -> str:
    """Return “0.31 of 2.00”, the second being the limit; “free” where no price was given."""
    spent = progress.cost + progress.unsure
    if progress.most_cost:
        return f"{money_text(spent)} of {money_text(progress.most_cost)}"
    return money_text(spent) if spent else "free"


def failures_text(progress: QueueProgress) -> str:
    """Return how many requests failed for which reasons; empty where none did."""
    if not progress.failed:
        return ""
    failed = f"{_capital(requests_text(progress.failed))} failed"
    reasons = sorted(progress.failures.items(), key=lambda item: -item[1])
    if len(reasons) == 1:
        return f"{failed} {FAILURE_WORDS[reasons[0][0]]}."
    told = "; ".join(f"{exact_count(count)} {FAILURE_WORDS[kind]}" for kind, count in reasons)
    return f"{failed}: {told}."


def notes_text(progress: QueueProgress) -> str:
    """Return what else a person should know of requests: waits, earlier starts, unsure charges."""
    said = []
    if progress.held_seconds >= 1.0:
        said.append(f"The server asks to wait {math.ceil(progress.held_seconds):,} s.")
    if progress.kept:
        was = "was" if progress.kept == 1 else "were"
        said.append(
            f"{_capital(requests_text(progress.kept))} {was} answered before and cost nothing now."
        )
    if progress.interrupted:
        one = progress.interrupted == 1
        said.append(
            f"{_capital(requests_text(progress.interrupted))} {'was' if one else 'were'} under way "
            f"when the program ended last time, and {'is' if one else 'are'} asked again."
        )
    if progress.unsure:
        said.append(
            f"Of the cost, up to {money_text(progress.unsure)} is for requests that were "
            "interrupted: the server may have charged for them or not."
        )
    return " ".join(said)


def summary_text(progress: QueueProgress) -> str:
    """Return what became of all requests, in whole sentences, once they have ended."""
    after = f"after {requests_text(progress.done)}"
    done = {
        "all": f"All {requests_text(progress.done)} are done.",
        "cap": f"The spending limit of {money_text(progress.most_cost)} was reached {after}. "
        "Start it again to continue; each start has its own limit.",
        "stopped": f"Stopped {after}; start it again to continue.",
        "": f"It ended {after}.",
    }[progress.ended]
    if progress.ended == "all" and progress.done == 1:
        done = "The request is done."
    took = f"{short_count(progress.tokens)} tokens"
    spent = progress.cost + progress.unsure
    cost = f", cost {money_text(spent)}" if spent else ""
    sentences = [done, f"It took {took}{cost}.", failures_text(progress), notes_text(progress)]
    return " ".join(filter(None, sentences))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
