"""What steering does to activations (Scaling Monosemanticity, steering).

Shape legend in names: B sequences, S tokens, D width of a site, O of all sites that are changed,
side by side, n interventions on a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.steering.config import Mode, Where
from sae_desktop.steering.readers import ReadyGate

FOREVER = 2**62
_TINY = 1e-12
Transform = Callable[[Tensor], Tensor]
Told = Callable[[int, Tensor], None]
OpenOn = Callable[[ReadyGate, int], Tensor]
"""Returns (S,) bool: on which tokens of a pass a gate of a row is open."""
See = Callable[[Tensor], None]


@dataclass(frozen=True)
class Change:
    """One intervention made ready for a site; `Intervention` says what it does."""

    mode: Mode
    amount: float
    """v of clamp and c of add, in units of activation; the factor of multiply."""
    direction_D: Tensor
    """Of length one, float32; of what is changed at several sites (O,), theirs side by side."""
    feature: int | None
    """Whose activation a is, by its number in the dictionary; None: a is x·d."""
    where: Where = "all"
    start: int = 0
    tokens: tuple[int, ...] = ()
    in_activations: bool = False
    """Whether `amount` is in the units of the dictionary's activations, not of the site's values:
    the same but for one that normalises rows."""
    gate: ReadyGate | None = None
    """It works only on tokens on which this is open."""


class Positions:
    """Which token of its text each column of a forward pass is.

    Rows may be padded on the left, and begin with special tokens, which count below 0: the
    first token of a sequence is an attention sink of enormous norm that means nothing about the
    text, and a model whose sink is moved falls apart whatever the feature.
    """

    def __init__(
        self,
        pads: Sequence[int],
        specials: int,
        prompts: Sequence[int],
        pictures: Sequence[Tensor] = (),
    ) -> None:
        """`pads` and `prompts` (B,): columns before each row's first token, tokens of its prompt.

        `specials`: tokens before the prompt, the same in each row. `pictures`: of each row which
        tokens of its prompt are of pictures, bool; none: no row has any.
        """
        self._specials = specials
        self._pictures = pictures
        self._first = torch.tensor(pads) + specials
        self._prompts = torch.tensor(prompts)
        self._begin = 0

    def padded(self, pads: Sequence[int]) -> Positions:
        """Return the positions of the same rows with other padding before them."""
        return Positions(pads, self._specials, self._prompts.tolist(), self._pictures)

    def begin(self, column: int) -> None:
        """Say which column of the whole sequence the next forward pass begins with."""
        self._begin = column

    @property
    def specials(self) -> int:
        """Tokens before the prompt that are none of the text's."""
        return self._specials

    @property
    def column(self) -> int:
        """Which column of the whole sequence the forward pass begins with."""
        return self._begin

    def mask(self, change: Change, row: int, count: int) -> Tensor:
        """Return (S,) bool: the tokens of the pass on which a change may work."""
        if change.tokens:
            return torch.isin(self._numbers(row, count), torch.tensor(change.tokens))
        return self.tokens(change.where, row, count, change.start)

    def tokens(self, where: Where, row: int, count: int, start: int = 0) -> Tensor:
        """Return (S,) bool: the tokens of the pass that are of the prompt, the output, or both.

        Or those that are of pictures, or of words. Neither padding nor the special tokens before
        the prompt are among them.
        """
        token, prompt = self._numbers(row, count), int(self._prompts[row])
        if where in ("pictures", "words"):
            wanted = self._of_pictures(row, token) == (where == "pictures")
            return wanted & (token >= max(0, start))
        low = 0 if where != "output" else prompt
        high = FOREVER if where != "prompt" else prompt
        return (token >= max(low, start)) & (token < high)

    def _of_pictures(self, row: int, token: Tensor) -> Tensor:
        found = torch.zeros(len(token), dtype=torch.bool)
        if self._pictures:
            known = self._pictures[row]
            inside = (token >= 0) & (token < len(known))
            found[inside] = known[token[inside]]
        return found

    def _numbers(self, row: int, count: int) -> Tensor:
        """Return (S,) which token of its text each column of the pass is, from 0."""
        return torch.arange(count) + self._begin - int(self._first[row])


@dataclass(frozen=True)
class _Read:
    """What the changes of a row need to know of the site that their features read."""

    acts_Sn: Tensor
    """Activations in the units of the site that is changed; 0 for what is no feature's."""
    worth_S1: Tensor
    """What an activation of one is worth there."""


class _RowChanges:
    """The changes of one row at the sites that belong together, as matrices."""

    def __init__(
        self,
        changes: Sequence[Change],
        dictionary: Dictionary,
        device: torch.device,
        widths: Sequence[int],
    ):
        self.changes = list(changes)
        self._dictionary = dictionary
        whole_nO = torch.stack([c.direction_D for c in changes]).to(device)
        self._directions = torch.split(whole_nO, list(widths) or [whole_nO.shape[1]], dim=1)
        """(n, D) of each site."""
        place = dictionary.device
        features = [c.feature for c in changes if c.feature is not None]
        self._ids_f = torch.tensor(features, dtype=torch.int64, device=place)
        self._in_activations_n = torch.tensor([c.in_activations for c in changes], device=device)
        self._of_feature_n = torch.tensor([c.feature is not None for c in changes], device=device)
        self._amounts = [c.amount for c in changes]
        # c = amount·(add or clamp) + a·(multiply's amount − 1; −1 for clamp and ablate)
        self._constant_n = torch.tensor([c.mode in ("add", "clamp") for c in changes]).to(device)
        slope = {"add": 0.0, "clamp": -1.0, "ablate": -1.0}
        self._slopes = [c.amount - 1 if c.mode == "multiply" else slope[c.mode] for c in changes]

    @property
    def reads(self) -> bool:
        """Whether what is changed depends on the site that the features read."""
        scaled = self._dictionary.row_norm != "none" and bool(self._in_activations_n.any())
        return scaled or len(self._ids_f) > 0

    def read(self, x_SD: Tensor) -> _Read:
        """Return what is needed of the values at the site that the features read."""
        worth_S1 = self._dictionary.row_scale(x_SD).to(x_SD)
        acts_Sn = x_SD.new_zeros(len(x_SD), len(self.changes))
        if len(self._ids_f):
            found = self._dictionary.encode_features(x_SD, self._ids_f)
            acts_Sn[:, self._of_feature_n.to(x_SD.device)] = found.to(x_SD) * worth_S1
        return _Read(acts_Sn, worth_S1)

    def coefficients(self, x_SD: Tensor, read: _Read, output: int) -> Tensor:
        """Return c of each change at each token, (S, n), in the units of x."""
        acts_Sn, worth_S1 = read.acts_Sn.to(x_SD), read.worth_S1.to(x_SD)
        if len(self._ids_f) < len(self.changes):
            raw = ~self._of_feature_n
            rows_rD = self._directions[output][raw].to(x_SD)
            along_Sr = x_SD @ rows_rD.T
            if len(self._directions) > 1:  # a direction has its parts at the sites, each its length
                along_Sr = along_Sr / rows_rD.square().sum(dim=1).clamp_min(_TINY)
            acts_Sn[:, raw] = along_Sr
        amounts_n, slopes_n = x_SD.new_tensor(self._amounts), x_SD.new_tensor(self._slopes)
        amounts_Sn = torch.where(self._in_activations_n, amounts_n * worth_S1, amounts_n)
        return amounts_Sn * self._constant_n + slopes_n * acts_Sn

    def change(self, x_SD: Tensor, mask_Sn: Tensor, read: _Read, output: int) -> Tensor:
        """Return what is added to x, (S, D), at the site `output` of those that are changed."""
        c_Sn = self.coefficients(x_SD, read, output) * mask_Sn
        return c_Sn @ self._directions[output].to(x_SD)


class SteeredSite:
    """What is added to a site of a batch (B, S, D), or to several, each row with its own changes.

    x' = x + Σ cᵢ·dᵢ: for a clamp that is the reconstruction with the feature set to its value
    plus the untouched error. All c are those of x as it comes in. The features of a transcoder
    have their activations at the site it reads, which the model computes before: what it writes
    beside them (its error, and a skip) stays as it is, too. Features that write several sites have
    the same c at each.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Change]],
        dictionary: Dictionary,
        device: torch.device,
        *,
        read_before: bool = False,
        widths: Sequence[int] = (),
    ) -> None:
        """`rows` (B,): the changes of each; none: the row stays as it is.

        `read_before`: activations are those of the values that `read` is given, not of x.
        `widths`: of the sites that are changed, in the order of the forward pass; none: one site.
        """
        self._rows = [_RowChanges(r, dictionary, device, widths) if r else None for r in rows]
        self._last = max(len(widths), 1) - 1
        self.reads = read_before and any(row is not None and row.reads for row in self._rows)
        """Whether `read` has to come before `added` in every pass."""
        self._found: list[_Read | None] | None = None

    def read(self, x_BSI: Tensor) -> None:
        """Take the values (B, S, I) at the sites that the features read, of this pass's tokens."""
        self._found = [
            None if row is None else row.read(x_SI)
            for row, x_SI in zip(self._rows, x_BSI, strict=True)
        ]

    def added(
        self,
        x_BSD: Tensor,
        positions: Positions,
        output: int = 0,
        open_on: OpenOn | None = None,
    ) -> list[tuple[Tensor, Tensor] | None]:
        """Return of each row which tokens are changed (S,), and by what (S, D); None: not at all.

        `output`: which of the sites that are changed; `open_on` is asked for changes with a gate.
        Raises UserError where what the features
        read was not read before in this pass.
        """
        found = self._found
        if output == self._last:
            self._found = None
        if self.reads and found is None:
            raise written_before_read()
        if not self.reads:
            found = None
        parts: list[tuple[Tensor, Tensor] | None] = []
        for number, row in enumerate(self._rows):
            if row is None:
                parts.append(None)
                continue
            x_SD = x_BSD[number]
            masks = [positions.mask(c, number, len(x_SD)) for c in row.changes]
            mask_Sn = torch.stack(masks, dim=1).to(x_SD.device)
            for place, change in enumerate(row.changes):
                if change.gate is not None and open_on is not None:
                    mask_Sn[:, place] &= open_on(change.gate, number).to(x_SD.device)
            if not mask_Sn.any():
                parts.append(None)
                continue
            read = found[number] if found is not None else row.read(x_SD)
            assert read is not None
            parts.append((mask_Sn.any(dim=1), row.change(x_SD, mask_Sn, read, output)))
        return parts

    def transform(self, positions: Positions, told: Told | None = None) -> Transform:
        """Return the transform for rows that stand in a batch as `positions` says."""
        return partial(changed, [(self, 0)], [], positions, told and Lengths(told))


def written_before_read() -> UserError:
    """Return what is said where a transcoder's output comes before its input."""
    return UserError(
        "The model computes the site that the features write before the one they read.",
        kept="Nothing was changed.",
        next_step="Steer with a dictionary of one site, or with a transcoder that reads what "
        "comes earlier.",
    )


@dataclass
class Lengths:
    """Tells of each row how long what was added to its changed tokens is."""

    told: Told
    sites: int = 1
    """Of how many sites together: the length of what is added to them side by side."""
    _done: int = 0
    _found: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def add(self, row: int, mask_S: Tensor, added_SD: Tensor) -> None:
        """Take what was added to the tokens of a row at one site."""
        squares_S = added_SD.square().sum(dim=-1) * mask_S
        if row in self._found:
            other_S, before_S = self._found[row]
            device = other_S.device
            mask_S, squares_S = mask_S.to(device) | other_S, squares_S.to(device) + before_S
        self._found[row] = mask_S, squares_S

    def site_done(self) -> None:
        """Tell, after the last of the sites."""
        self._done += 1
        if self._done < self.sites:
            return
        found, self._found, self._done = self._found, {}, 0
        for row, (mask_S, squares_S) in found.items():
            self.told(row, squares_S[mask_S].sqrt())


def changed(
    writers: Sequence[tuple[SteeredSite, int]],
    readers: Sequence[SteeredSite],
    positions: Positions,
    lengths: Lengths | None,
    x_BSD: Tensor,
    see: See | None = None,
    open_on: OpenOn | None = None,
) -> Tensor:
    """Return a site's values with all that `writers` add to them; `readers` read the result.

    Beside a writer stands which of its sites this is. `see` takes the values as they come in.
    """
    if see is not None:
        see(x_BSD)
    out = x_BSD.clone()
    parts = [writer.added(x_BSD, positions, output, open_on) for writer, output in writers]
    for number, of_row in enumerate(zip(*parts, strict=True)):
        found = [part for part in of_row if part is not None]
        if not found:
            continue
        mask_S, added_SD = found[0]
        for other_S, other_SD in found[1:]:
            mask_S, added_SD = mask_S | other_S, added_SD + other_SD
        # Tokens left alone stay so bit for bit.
        out[number, mask_S] += added_SD[mask_S]
        if lengths is not None:
            lengths.add(number, mask_S, added_SD)
    if lengths is not None and writers:
        lengths.site_done()
    for reader in readers:
        reader.read(out)
    return out


def refuse_twice(changes: Sequence[Change], first: int) -> None:
    """Raise UserError where two clamps or factors of a feature would be added to one another.

    `first`: the dictionary's number of the first feature that may be changed there.
    """
    seen: set[int] = set()
    for change in changes:
        if change.feature is None or change.mode == "add":
            continue
        if change.feature in seen:
            raise UserError(
                f"Feature {first + change.feature} is set twice.",
                next_step="Keep only one of them.",
            )
        seen.add(change.feature)
