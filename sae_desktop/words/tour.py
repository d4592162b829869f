"""What the tour of the window says at each of its stops. Free of Qt."""

from __future__ import annotations

from typing import Literal, NamedTuple

StopId = Literal["rail", "list", "page", "rack", "training", "search", "engine"]


class Stop(NamedTuple):
    """One control, in words."""

    id: StopId
    title: str
    text: str
    """What it is for, in one or two sentences."""


STOPS = (
    Stop(
        "rail",
        "The workspaces",
        "They stand in the order of the work: a project, its activations, a dictionary trained on "
        "them, and what is done with its features. Ctrl+1 to Ctrl+8 show them, too.",
    ),
    Stop(
        "list",
        "The list of features",
        "Every feature of the dictionary that is open, with its name and its figures. Type above "
        "it to find some, click the head of a column to sort them, and choose one to read it.",
    ),
    Stop(
        "page",
        "The page of a feature",
        "These are the places in which it fires most: the more a word is coloured, the stronger it "
        "fires there. Beside or below them stand the words that it makes the model more likely to "
        "write.",
    ),
    Stop(
        "rack",
        "The sliders of Steer",
        "A slider turns a feature up or down while the model writes. Add a feature here by its "
        "name or number, or press Steer on its page.",
    ),
    Stop(
        "training",
        "The settings of a training",
        "Here you train a dictionary of your own on activations that were harvested. Every setting "
        "says what it does; the curves appear beside them as soon as the training runs.",
    ),
    Stop(
        "search",
        "Search",
        "It finds everything from everywhere: features, commands, settings, terms and the manual.",
    ),
    Stop(
        "engine",
        "The engine and its jobs",
        "The engine computes beside the window, so that nothing here has to wait for it. At the "
        "right is what it is doing: open the jobs to see how long one takes, or to pause it.",
    ),
)
"""In the order of the tour."""


def place_text(number: int, count: int) -> str:
    """Return where one is, from 0: 2 of 7."""
    return f"{number + 1} of {count}"
