"""What the first steps through a demonstration say. Free of Qt."""

from __future__ import annotations

from typing import Literal, NamedTuple

StepId = Literal["read", "try", "steer"]

WHAT_IT_DOES = (
    "See what a language model has learnt to notice, try it on your own sentences, and turn it "
    "up or down while the model writes."
)
"""For somebody who has never heard of any of it."""


class FirstStep(NamedTuple):
    """One of the moves, in words."""

    id: StepId
    title: str
    do: str
    """What one sees there and does; `{feature}` is the feature with its label."""
    away: str
    """What it is, while one is elsewhere."""
    learnt: str
    """What one knows once it is done."""


class Guide(NamedTuple):
    """The moves through one demonstration, and what is said around them."""

    steps: tuple[FirstStep, ...]
    tried: str
    """A text to try the first feature on."""
    at_the_end: str
    about: str
    """What the demonstration is, for a person who has never heard of a feature; `{features}` is
    how many there are."""


READING = Guide(
    steps=(
        FirstStep(
            "read",
            "Read a feature",
            "This is {feature}, one of the things this model has learnt to notice. Below are texts "
            "in which it does: the darker a word, the stronger. Point at some, or choose another "
            "feature.",
            "Read a feature: see on which words this model lights it up.",
            "A feature is read off the texts it fires on: what they share is what it stands for.",
        ),
        FirstStep(
            "try",
            "Try a sentence",
            "The model has read this sentence. Below it are the features that fire on it, first "
            "those it has more of than other texts: choose one, and the words that set it off are "
            "coloured. Change the sentence.",
            "Try a sentence of your own: see which features each of its words sets off.",
            "That is how one tests what a feature stands for: write what should set it off, and "
            "what should not.",
        ),
        FirstStep(
            "steer",
            "Turn a feature up",
            "The slider holds {feature} on while the model writes: “Plain” is what it writes by "
            "itself, “Steered” with the feature on. Move the slider or change the prompt, and "
            "press Generate.",
            "Turn a feature up: see what the model writes then, beside what it writes by itself.",
            "Reading shows what a feature responds to; turning it up shows what it does.",
        ),
    ),
    tried="The children are playing in the garden. Les enfants jouent dans le jardin.",
    at_the_end=(
        "You have read a feature, tried it and turned it up. Now do it with your own model: "
        "harvest its activations on some text, train a dictionary on them, and build an index of "
        "its features."
    ),
    about=(
        "A language model learns to notice things: that a text is French, that a question ends "
        "here. Each is called a feature. A sparse autoencoder has found {features:,} of them in "
        "a small model, and they are ready to read, to try on your own sentences and to turn up."
    ),
)
"""Of a model that reads text: half of what is tried is French."""
LOOKING = Guide(
    steps=(
        FirstStep(
            "read",
            "Read a feature",
            "This is {feature}, one of the things this model has learnt to notice. Below are "
            "pictures and texts in which it does, coloured where it fires. See what they share, or "
            "choose another feature.",
            "Read a feature: see on which pictures, and on which words, it fires.",
            "A feature that fires on the drawing of a thing and on its names stands for the thing "
            "itself.",
        ),
        FirstStep(
            "try",
            "Try a picture",
            "The model has looked at a drawing of a horse and read three names for it. Below are "
            "the features that fire: choose one, and what sets it off is coloured. Then add a "
            "picture of your own, best a drawing.",
            "Try a picture of your own: see which features it sets off, and on which patches.",
            "That is how one tests what a feature stands for: show it what should set it off, and "
            "what should not.",
        ),
        FirstStep(
            "steer",
            "Turn a feature up",
            "The slider holds {feature} on while the model names what is in a picture, here a "
            "house: “Plain” is what it says by itself, “Steered” with the feature on. Move the "
            "slider or ask in another language, such as “German:”, and press Generate.",
            "Turn a feature up: see what the model then says is in a picture.",
            "Reading shows what a feature responds to; turning it up shows what it does.",
        ),
    ),
    tried="English: horse\nGerman: Pferd\nRussian: лошадь",
    at_the_end=(
        "You have read a feature, shown it a picture and turned it up. Now do it with your own "
        "model that reads pictures: harvest its activations on pictures and their texts, train a "
        "dictionary on them, and build an index of its features."
    ),
    about=(
        "A model that reads pictures learns to notice things in them, and some of them in words, "
        "too: that this is a horse, drawn or named in German. Each is called a feature. A sparse "
        "autoencoder has found {features:,} of them in a small model, and they are ready to read, "
        "to try on your own pictures and to turn up."
    ),
)
"""Of a model that reads pictures and text."""

CHATTING = Guide(
    steps=(
        READING.steps[0]._replace(
            do=(
                "This is {feature}, one of the things SmolLM2 has learnt to notice. Below are "
                "texts in which it does: the darker a word, the stronger. Point at some, choose "
                "another feature, or look for a word in the list."
            ),
        ),
        READING.steps[1],
        READING.steps[2],
    ),
    tried="We crossed the Golden Gate Bridge at noon. The doctor looked at my heart in silence.",
    at_the_end=(
        "You have read a feature of a real chat model, tried it and turned it up. Look for others "
        "by a word or by meaning, talk to the model with one turned up (Chat, in Steer), or train "
        "a dictionary of your own model."
    ),
    about=(
        "SmolLM2 is a chat model that people use. A sparse autoencoder has found {features:,} "
        "things that it has learnt to notice, called features; they are ready to read, to try on "
        "your own sentences and to turn up while it writes."
    ),
)
"""Of a chat model that reads text."""

_SHORT = 32
"""Characters of an automatic name that leaves the sentence in its line."""


def step_of(guide: Guide, id_: StepId) -> FirstStep:
    """Return a step by its id."""
    return next(step for step in guide.steps if step.id == id_)


def feature_named(feature: int | None, label: str, name: str = "") -> str:
    """Return a feature as the steps call it: feature 158 (“French text”).

    `name`: its automatic one, which stands there bare, since it quotes, and only where it is short.
    """
    if feature is None:
        return "a feature"
    if name and not label and len(name) <= _SHORT:
        return f"feature {feature} ({name})"
    return f"feature {feature} (“{label}”)" if label else f"feature {feature}"
