"""Steering: the model changed while it writes, and how far that goes."""

from __future__ import annotations

from sae_desktop.described import setting
from sae_desktop.steering.config import Sampling
from sae_desktop.words.terms.entry import Entry


def _said(field: str) -> str:
    """Return what is said of a setting of the sampling."""
    return setting(Sampling, field).description


STEERING_TERMS = (
    Entry(
        "Steering",
        "Turning features up or down inside the model while it writes.",
        "Turn a feature for French up and an English prompt is continued in French. It is the "
        "test of what a feature does, where reading only shows what it responds to. The plain "
        "text stands beside the steered one.",
        "Steer",
        ("Strength", "Clamp", "KL"),
        ("Steer",),
    ),
    Entry(
        "Plain",
        "What the model writes by itself, with nothing changed.",
        "It is the yardstick: only what is different in the steered text is the steering’s doing.",
        "Steer",
        ("Steered", "Steering"),
    ),
    Entry(
        "Steered",
        "What the model writes with the sliders that are on.",
        "It continues the same prompt with the same random numbers as the plain text, so that "
        "the sliders alone make the difference.",
        "Steer",
        ("Plain", "Steering"),
    ),
    Entry(
        "Strength",
        "How far a slider turns a feature: in multiples of its maximum (×), or in typical norms "
        "(‖x‖).",
        "1× holds the feature at the largest activation it had on the indexed text. Which "
        "strength suits differs from feature to feature: too little does nothing one can see, "
        "and too much breaks the text.",
        "Steer, on every slider",
        ("Maximum", "Typical norm", "Steering sweep"),
        ("Sliders ×", "Sliders"),
    ),
    Entry(
        "Typical norm",
        "The usual length of the activations at a site, as a unit for how large a change is.",
        "A change of 1 typical norm is as large as the activation itself. It makes strengths "
        "comparable between features, which multiples of their maxima are not.",
        "Steer, below the sliders and the texts",
        ("Strength", "Norm"),
        ("Typical norms",),
    ),
    Entry(
        "Clamp",
        "Holds a feature at the strength of its slider, whatever it would have been.",
        "A clamp at 0 keeps the feature from firing; one at 1× makes it fire at its maximum on "
        "every token.",
        "Steer, as a way of changing features",
        ("Add", "Multiply", "Ablate"),
    ),
    Entry(
        "Add",
        "Adds a feature’s direction to the activations, on top of what is there.",
        "Unlike a clamp it does not look at how active the feature is already. It is what "
        "“activation steering” in papers means.",
        "Steer, as a way of changing features",
        ("Clamp", "Multiply"),
    ),
    Entry(
        "Multiply",
        "Multiplies a feature’s own activation: 0 removes it, 1 leaves it, 2 doubles it.",
        "It does nothing where the feature does not fire, and is the gentlest change.",
        "Steer, as a way of changing features",
        ("Clamp", "Ablate"),
    ),
    Entry(
        "Ablate",
        "Removes a feature wherever it fires.",
        "If the text stays the same, the model did not need the feature there.",
        "Steer, as a way of changing features",
        ("Clamp", "Mean ablation"),
        ("Ablation",),
    ),
    Entry(
        "Where",
        "Which tokens the sliders affect: all, those of the prompt, those the model writes, or "
        "chosen ones.",
        "On the prompt only, the model reads something else than is written; on the output only, "
        "it writes differently about the same.",
        "Steer, beside the way of changing features",
        ("Steering", "Token"),
        ("everywhere", "on the prompt", "on the output", "on chosen tokens"),
    ),
    Entry(
        "Prompt",
        "The text that the model continues.",
        "A short, open one such as “This is” leaves room for the steering to show.",
        "Steer",
        ("Chat template", "Token"),
        ("For example",),
    ),
    Entry(
        "Temperature",
        _said("temperature"),
        "Small models repeat themselves at 0; 0.7 is a good value for them. The seed makes a "
        "random text come out the same again.",
        "Steer",
        ("Top-k", "Top-p", "Seed"),
    ),
    Entry(
        "Top-k",
        _said("top_k"),
        "40 keeps a text from going astray by a token that is very unlikely.",
        "Steer",
        ("Temperature", "Top-p"),
    ),
    Entry(
        "Top-p",
        _said("top_p"),
        "At 0.9, the least likely tokens that share the last 10% are never chosen.",
        "Steer",
        ("Temperature", "Top-k"),
    ),
    Entry(
        "Repetition penalty",
        _said("repetition_penalty"),
        "1.3 suits small models. Far above it a text avoids even words that it needs.",
        "Steer",
        ("Repetition", "Temperature"),
    ),
    Entry(
        "Random direction",
        "An equally large change in a direction that means nothing, to compare with.",
        "If it changes the text as much as the feature does, the size did it and not the meaning.",
        "Steer, under “Compare with”",
        ("Difference of means", "Random control"),
    ),
    Entry(
        "Difference of means",
        "An equally large change along the mean of the feature’s contexts minus the mean of all "
        "text.",
        "It is the simplest way to a steering direction. A feature is worth its training where "
        "it does better than this.",
        "Steer, under “Compare with”",
        ("Random direction", "Steering"),
    ),
    Entry(
        "Asked for",
        "What the plain model writes when the prompt asks for the same thing in words.",
        "Often asking does it better than steering; then the feature teaches something about "
        "the model and not how to use it.",
        "Steer, under “Compare with”",
        ("Steering", "Prompt"),
    ),
    Entry(
        "Compare with",
        "Other ways to change the text by as much, written beside the steered one.",
        "Tick one and press Generate: the same prompt is continued once more.",
        "Steer",
        ("Random direction", "Difference of means", "Asked for"),
    ),
    Entry(
        "Repetition",
        "The share of a text that repeats what it has said already; lower is better.",
        "Small models repeat themselves anyway, so compare it with the plain text’s: 68% beside "
        "42% is a sign of too much strength.",
        "Steer, below each text and in the steering sweep",
        ("Perplexity", "Strength"),
        ("Repeats", "repeated"),
    ),
    Entry(
        "Steering sweep",
        "The same prompt at a row of strengths, to find how much is enough and how much breaks it.",
        "Each row shows the text with its perplexity, KL and repetition. Look for the largest "
        "strength at which the text turns and is still fluent.",
        "Steer, the panel at the bottom",
        ("Strength", "Perplexity", "KL"),
        ("Watched tokens",),
    ),
    Entry(
        "Preset",
        "A saved rack of sliders with its prompt and settings.",
        "It belongs to the project and can be exported as a script.",
        "Steer",
        ("Steering",),
        ("Presets",),
    ),
)
