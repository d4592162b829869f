"""What the probabilities of an answer’s tokens say: of yes against no, of the numbers 0 to 10."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sae_desktop.labels.chat import Answer, AnsweredToken
from sae_desktop.labels.judging.answers import yes_or_no

ALTERNATIVES = 20
"""As many as servers give at most."""


def probability_of_yes(answer: Answer) -> float | None:
    """Return p(yes) / (p(yes) + p(no)) at the answer's first word; None unless that is one."""
    token = next((t for t in answer.logprobs or () if t.text.strip(' "\n\t')), None)
    if token is None or _meant(token.text) is None:
        return None
    sums = {0.0: 0.0, 1.0: 0.0}
    for text, logprob in _alternatives(token):
        meant = _meant(text)
        if meant is not None:
            sums[meant] += math.exp(min(logprob, 0.0))
    total = sum(sums.values())
    return sums[1.0] / total if total > 0 else None


def _meant(text: str) -> float | None:
    bare = text.strip(' "\n\t')
    return yes_or_no(bare) if bare.isalpha() else None


def _alternatives(token: AnsweredToken) -> list[tuple[str, float]]:
    """Return all that could have stood there, the token itself once."""
    others = [pair for pair in token.alternatives if pair[0] != token.text]
    return [(token.text, token.logprob), *others]


def expectation(tokens: Sequence[AnsweredToken], place: int, most: int) -> float | None:
    """Return the expected number at a character of what was written; None: none is begun there.

    A number of two digits may be two tokens: what is likely after the first decides.
    """
    start = 0
    for number, token in enumerate(tokens):
        if start <= place < start + len(token.text):
            following = tokens[number + 1] if number + 1 < len(tokens) else None
            return _expected(token, token.text[: place - start], following, most)
        start += len(token.text)
    return None


def _expected(
    token: AnsweredToken, before: str, following: AnsweredToken | None, most: int
) -> float | None:
    total = weighted = 0.0
    for text, logprob in _alternatives(token):
        digits = text[len(before) :].strip(' "') if text.startswith(before) else ""
        if not (digits.isascii() and digits.isdecimal() and int(digits) <= most):
            continue
        p = math.exp(min(logprob, 0.0))
        more = _tens(following) if text == token.text and digits == "1" and most >= 10 else 0.0
        total += p
        weighted += p * ((1 - more) * int(digits) + more * 10)
    return weighted / total if total > 0 else None


def _tens(following: AnsweredToken | None) -> float:
    """Return how likely a 1 is followed by a 0."""
    if following is None:
        return 0.0
    found = [math.exp(min(p, 0.0)) for text, p in _alternatives(following) if text[:1] == "0"]
    return min(sum(found), 1.0)
