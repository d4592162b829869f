"""Absorption, by the first letters of words (Chanin et al., 2024; measured as SAEBench does).

The words are tokens of the model's own vocabulary, each read at the end of a prompt that shows
ten others with their letters. A probe on the raw activations says which direction stands for a
letter. Of a dictionary, the letter's own features are those of a sparse probe, as many as
improve it. On words that the raw probe tells rightly, the letter is absorbed as far as its own
features are silent and others carry its direction.

N words, F features, I width of what is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from torch import Tensor

from sae_desktop.benchmark.config import Absorption, Letters
from sae_desktop.benchmark.intervals import share_of
from sae_desktop.benchmark.reading import Reader, mean_activations
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.ends import reconstructs
from sae_desktop.jobs import JobContext

Array = npt.NDArray[Any]

EXAMPLES = 10
"""Words with their letters before the one that is read."""
_LINE = "{word} has the first letter: {letter}\n"
LEAST_F1 = 0.6
"""A letter that the raw probe tells less well has no direction to speak of."""
FEWEST_WORDS = 20
_SHORTEST = 3
"""Letters of a word: shorter ones are often parts of words."""
_MOST_SPLITS = 10
_WORTH = 0.03
"""By so much more F1 another feature counts as one of the letter's own."""
_ALIGNED, _ALIGNED_ALONE = 0.1, 0.025
"""Least cosine with the letter's direction of features that absorb together, and of one alone."""
_CARRIED = 0.4
"""Least share of the word's projection that absorbing features carry."""
_MOST_ABSORBERS = 3
_LEARN, _CHOOSE = 0.6, 0.2


@dataclass(frozen=True)
class Words:
    """Words as the model reads them."""

    letter_N: Array
    """The letter of each, 0 to 25."""
    x_NI: Tensor
    learn: Array
    choose: Array
    """Words by which the number of a letter's own features is chosen."""
    score: Array


@dataclass(frozen=True)
class LetterProbe:
    letter: int
    direction_I: Tensor
    """Of norm one."""
    words: Array
    """Those to be scored that begin with the letter, and of which the probe says so."""


def words_of(reader: Reader) -> list[tuple[int, str]]:
    """Return (token, word) of the vocabulary's words: a space and letters, each spelling once."""
    found: dict[str, tuple[int, str]] = {}
    for token, content in enumerate(reader.lm.token_bytes()):
        text = content.decode("utf-8", "replace")
        word = text[1:]
        if text[:1] == " " and len(word) >= _SHORTEST and word.isascii() and word.isalpha():
            found.setdefault(word.lower(), (token, text))
    return list(found.values())


def read_words(reader: Reader, most: int, seed: int, context: JobContext) -> Words | None:
    """Read the words; None where the vocabulary has too few of them, or the model too little room.

    The words of the prompt are not among those that are read.
    """
    there = words_of(reader)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(there))
    shown = [there[place][1] for place in order[:EXAMPLES]]
    lines = "".join(_LINE.format(word=w, letter=w[1].upper()) for w in shown)
    prompt = reader.lm.encode(lines)
    read = [there[place] for place in sorted(order[EXAMPLES : EXAMPLES + most].tolist())]
    if len(read) < FEWEST_WORDS or len(prompt) + 1 > reader.room:
        return None
    ids = [[*prompt, token] for token, _ in read]
    rows = reader.rows(ids, context, "Reading the words", last=True, unit="words")
    parts = rng.permutation(len(read))
    ends = [round(len(read) * share) for share in (_LEARN, _LEARN + _CHOOSE)]
    learn, choose, score = (np.sort(part) for part in np.split(parts, ends))
    letters = np.array([ord(text[1].lower()) - ord("a") for _, text in read])
    return Words(letters, torch.cat(rows), learn, choose, score)


def letter_probes(words: Words, seed: int) -> tuple[Letters, list[LetterProbe]]:
    """Return how well raw activations tell first letters, and the probes that tell them well."""
    # One scale for all coordinates: else those that hardly vary would make up the direction.
    learnt_nI = words.x_NI[words.learn]
    X = ((words.x_NI - learnt_nI.mean(dim=0)) / learnt_nI.std()).numpy()
    counts = np.bincount(words.letter_N, minlength=26)
    in_score = np.bincount(words.letter_N[words.score], minlength=26)
    letters = [n for n in range(26) if counts[n] >= FEWEST_WORDS and in_score[n]]
    shuffled_N = np.random.default_rng(seed).permutation(words.letter_N)
    f1, chance, probes = [], [], []
    for letter in letters:
        model = _probe(X[words.learn], words.letter_N[words.learn] == letter)
        says = model.predict(X[words.score]).astype(bool)
        told = _f1(words.letter_N[words.score] == letter, says)
        f1.append(told)
        control = _probe(X[words.learn], shuffled_N[words.learn] == letter)
        said = control.predict(X[words.score]).astype(bool)
        chance.append(_f1(shuffled_N[words.score] == letter, said))
        if told >= LEAST_F1:
            direction = torch.from_numpy(model.coef_[0]).float()
            right = words.score[says & (words.letter_N[words.score] == letter)]
            probes.append(LetterProbe(letter, direction / direction.norm(), right))
    told_of = Letters(
        words=len(words.letter_N), scored=len(words.score), letters=len(letters),
        usable=len(probes), probe_f1=float(np.mean(f1)) if f1 else 0.0,
        chance_f1=float(np.mean(chance)) if chance else 0.0,
    )  # fmt: skip
    return told_of, probes


def absorption(
    dictionary: Dictionary, words: Words, probes: Sequence[LetterProbe], context: JobContext
) -> Absorption | None:
    """Return how far a dictionary's features of first letters are absorbed.

    None where no letter can be spoken of, and of a dictionary that writes another site than it
    reads: the letter's direction is of what is read.
    """
    if not probes or not reconstructs(dictionary):
        return None
    rows = [row_I[None] for row_I in words.x_NI]
    acts_NF = mean_activations(dictionary, rows, context, "Encoding the words")
    if dictionary.row_norm != "none":
        scale_N = dictionary.row_scale(words.x_NI.to(dictionary.device))[:, 0].cpu().numpy()
        acts_NF = csr_array(acts_NF.multiply(scale_N[:, None]))
    shares: list[float] = []
    full: list[bool] = []
    splits = []
    for number, probe in enumerate(probes):
        context.check_cancelled()
        context.progress(number, len(probes), "letters", "Looking for absorption")
        own = _own_features(acts_NF, words, probe.letter)
        splits.append(len(own))
        cosine_F = dictionary.dots(probe.direction_I.to(dictionary.device)).cpu().numpy()
        along = (words.x_NI[probe.words] @ probe.direction_I).numpy()
        for word, projection in zip(probe.words.tolist(), along.tolist(), strict=True):
            acts_F = acts_NF[[word]].toarray()[0]
            shares.append(absorbed_share(acts_F, cosine_F, own, projection))
            full.append(is_absorbed(acts_F, cosine_F, own, projection))
    context.progress(len(probes), len(probes), "letters", "Looking for absorption")
    if not shares:
        return None
    return Absorption(
        fraction=share_of(np.array(shares), over="words"),
        full=share_of(np.array(full), over="words"),
        splits=float(np.mean(splits)),
        words=len(shares),
    )


def absorbed_share(acts_F: Array, cosine_F: Array, own: Sequence[int], projection: float) -> float:
    """Return the share of a letter's projection on a word that other features carry.

    `projection` is that of the raw row. 0 where the letter's own features carry all of it, or the
    three others that carry most have less than 0.4 of it; 1 where the own carry nothing.
    """
    along_F = acts_F * cosine_F
    of_own = float(along_F[list(own)].sum())
    others = (cosine_F >= _ALIGNED) & (along_F > 0)
    others[list(own)] = False
    absorbing = float(np.sort(along_F[others])[::-1][:_MOST_ABSORBERS].sum())
    if projection <= 0 or of_own >= projection or absorbing / projection < _CARRIED:
        return 0.0
    if of_own <= 0:
        return 1.0
    carried = min(absorbing, projection - of_own)
    return carried / (carried + of_own)


def is_absorbed(acts_F: Array, cosine_F: Array, own: Sequence[int], projection: float) -> bool:
    """Tell whether a letter's own features are silent and one other feature speaks for it."""
    if projection <= 0 or bool((acts_F[list(own)] > 0).any()):
        return False
    along_F = acts_F * cosine_F
    first = int(np.argmax(along_F))
    aligned = float(cosine_F[first]) >= _ALIGNED_ALONE
    return aligned and float(along_F[first]) / projection >= _CARRIED


def _own_features(acts_NF: csr_array, words: Words, letter: int) -> list[int]:
    """Return the features of a letter: of the sparse probe's largest as many as improve it."""
    from sklearn.linear_model import LogisticRegression

    y = words.letter_N == letter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 500 iterations: the order of the weights is there
        sparse = LogisticRegression(
            l1_ratio=1.0, solver="liblinear", class_weight="balanced", max_iter=500, random_state=0
        ).fit(acts_NF[words.learn], y[words.learn])
    order = np.argsort(-sparse.coef_[0], kind="stable")[:_MOST_SPLITS]
    best, found = -1.0, 1
    for k in range(1, len(order) + 1):
        some = acts_NF[:, order[:k]].toarray()
        fitted = LogisticRegression(class_weight="balanced", max_iter=500)
        fitted.fit(some[words.learn], y[words.learn])
        told = _f1(y[words.choose], fitted.predict(some[words.choose]).astype(bool))
        if told <= best + _WORTH:
            break
        best, found = told, k
    return [int(feature) for feature in order[:found]]


def _probe(X: Array, y: Array) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(class_weight="balanced", max_iter=500).fit(X, y)


def _f1(truth: Array, said: Array) -> float:
    both = int((truth & said).sum())
    return 2 * both / max(1, int(truth.sum()) + int(said.sum()))
