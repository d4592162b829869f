"""A steered run as a page: its texts side by side, coloured by what steering did to each token."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sae_desktop.exchange.pages import write_page
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.language_model.names import public_name
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.steering.config import OutputToken, SteerConfig, SteerResult, VariantResult
from sae_desktop.steering.figures_text import figures_text
from sae_desktop.steering.gate_config import gate_text

_MOST_CHANGE = 6.0
"""Change of a token's log probability, in nats, with the full colour."""
_LEAST_CHANGE = 0.1
_STRONGEST = 0.7


def write_steering_page(
    path: Path, info: IndexInfo, config: SteerConfig, result: SteerResult
) -> None:
    """Write a page of a steered run. Raises UserError when it cannot be written."""
    # pillow: the window is shown before it is there
    from sae_desktop.exchange.lit_pictures import data_address

    changed = f", changed at {result.site}" if result.site not in ("", info.site) else ""
    about = (
        f"{public_name(info.model)}, {info.site}{changed}, dictionary {info.dictionary} · orange: "
        "more likely than in the plain model, blue: less likely"
    )
    names = ", ".join(picture.name for picture in result.pictures)
    write_page(
        path,
        "steering.html",
        title=f"Steered: {config.prompt[:60] or names}",
        about=about,
        pictures=[(picture.name, data_address(picture.thumbnail)) for picture in result.pictures],
        texts=[_text(variant) for variant in result.variants],
        next_tokens=[
            [visible_token(token.token), *(f"{p:.2%}" for p in token.probabilities)]
            for token in result.next_tokens
        ],
        heading=["", *(variant.name for variant in result.variants)],
        settings=_settings(config),
    )


def _text(variant: VariantResult) -> dict[str, Any]:
    """Return a variant's text, token by token where the tokens make up all of it."""
    whole = "".join(token.text for token in variant.tokens) == variant.text
    most = max((token.kl for token in variant.tokens), default=0.0)
    return {
        "name": variant.name,
        "prompt": variant.prompt,
        "tokens": [_token(token) for token in variant.tokens] if whole else [],
        "plain": "" if variant.tokens and whole else variant.text,
        "most_kl": f"{most:.2f}",
        "bars": [f"{100 * token.kl / most:.0f}" for token in variant.tokens] if most > 0 else [],
        "figures": figures_text(variant),
    }


def _token(token: OutputToken) -> dict[str, Any]:
    """Return a token, what is told of it, and how strongly it is coloured; no share: not at all."""
    change = token.log_probability - token.plain_log_probability
    share = min(abs(change) / _MOST_CHANGE, 1.0) * _STRONGEST
    return {
        "text": token.text,
        "told": f"probability {math.exp(token.log_probability):.3g}, plain "
        f"{math.exp(token.plain_log_probability):.3g}, KL {token.kl:.2f} nats"
        + (", a condition was open" if token.open else ""),
        "likelier": change > 0,
        "share": f"{share:.2f}" if abs(change) >= _LEAST_CHANGE else "",
    }


def _settings(config: SteerConfig) -> list[tuple[str, str]]:
    rows = []
    for variant in config.variants:
        for act in variant.interventions:
            what = f"feature {act.feature}" if act.feature is not None else "a direction"
            if act.index:
                what += f" of {act.index}"
            if act.direction is not None and act.feature is not None:
                what = f"another direction, as strong as feature {act.feature}"
            unit = "maxima" if act.unit == "maximum" else "typical norms"
            when = f", {gate_text(act.when)}" if act.when is not None else ""
            told = f"{act.mode} {what}, {act.strength:g} {unit}, {act.where}{when}"
            rows.append((variant.name, told))
        rows += [(variant.name, f"ends {gate_text(gate)}") for gate in variant.stop]
    sampling = config.sampling
    rows += [("tokens", f"{sampling.max_new_tokens}"), ("temperature", f"{sampling.temperature:g}"),
             ("repetition penalty", f"{sampling.repetition_penalty:g}"),
             ("seed", f"{sampling.seed}")]  # fmt: skip
    return rows
