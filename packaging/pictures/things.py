"""One direction for each thing in the middle of the model, shared by pictures and names."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

TEMPERATURE = 0.1
"""What cosines are divided by."""


class Things(nn.Module):
    """The directions, learnt with the model; what ships has none of them."""

    def __init__(self, named_EI: Tensor) -> None:
        """`named_EI`: what the names of each thing are in the middle before."""
        super().__init__()
        x_EI = centred(named_EI)
        self.directions_EI = nn.Parameter(without(x_EI, massive(x_EI)))

    def untold(self, x_NI: Tensor, which_N: Tensor) -> Tensor:
        """Return the loss of telling by its cosines which thing each row is of.

        What all rows share is left out, and with it the one direction, in which a few dimensions
        are huge, that would be all that cosines see.
        """
        x_NI = centred(x_NI)
        massive_I = massive(x_NI.detach())
        directions_EI = without(self.directions_EI, massive_I)
        cosines_NE = without(x_NI, massive_I) @ directions_EI.T
        return functional.cross_entropy(cosines_NE / TEMPERATURE, which_N)


def massive(x_NI: Tensor) -> Tensor:
    """Return the unit vector along which the rows, of mean 0, differ most."""
    return torch.linalg.svd(x_NI, full_matrices=False).Vh[0]


def without(x_NI: Tensor, direction_I: Tensor) -> Tensor:
    """Return unit vectors of what is orthogonal to a direction."""
    return functional.normalize(x_NI - (x_NI @ direction_I)[:, None] * direction_I, dim=1)


def centred(x_NI: Tensor) -> Tensor:
    return x_NI - x_NI.mean(dim=0)
