"""A steered run as a page: its texts side by side, coloured by what steering did to each token."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path

from sae_desktop.exchange.pages import card, table, write_page
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.language_model.names import public_name
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.steering.config import OutputToken, SteerConfig, SteerResult, VariantResult
from sae_desktop.steering.figures_text import figures_text

_MOST_CHANGE = 6.0
"""Change of a token's log probability, in nats, with the full colour."""
_LEAST_CHANGE = 0.1
_MORE, _LESS = "242, 140, 40", "64, 132, 240"


def write_steering_page(
    path: Path, info: IndexInfo, config: SteerConfig, result: SteerResult
) -> None:
    """Write a page of a steered run. Raises UserError when it cannot be written."""
    cards = [_variant(variant) for variant in result.variants]
    body = [f'<div class="grid">{"".join(cards)}</div>']
    if result.next_tokens:
        rows = [
            [visible_token(token.token), *(f"{p:.2%}" for p in token.probabilities)]
            for token in result.next_tokens
        ]
        heading = ["", *(variant.name for variant in result.variants)]
        told = f'<div class="wide">{table(rows, heading)}</div>'
        body.append(card("Next token after the prompt", told))
    body.append(card("How", table(_settings(config))))
    changed = f", changed at {result.site}" if result.site not in ("", info.site) else ""
    about = (
        f"{public_name(info.model)}, {info.site}{changed}, dictionary {info.dictionary} · orange: "
        "more likely than in the plain model, blue: less likely"
    )
    write_page(path, f"Steered: {config.prompt[:60]}", about, "\n".join(body))


def _variant(variant: VariantResult) -> str:
    prompt = f'<span class="prompt">{html.escape(variant.prompt)}</span>'
    whole = "".join(token.text for token in variant.tokens) == variant.text
    text = (
        "".join(map(_token, variant.tokens))
        if variant.tokens and whole
        else html.escape(variant.text)
    )
    figures = f'<p class="muted">{html.escape(figures_text(variant))}</p>'
    return card(variant.name, f'<p class="tokens">{prompt}{text}</p>',
                _strip(variant.tokens), figures)  # fmt: skip


def _token(token: OutputToken) -> str:
    change = token.log_probability - token.plain_log_probability
    told = (
        f"probability {math.exp(token.log_probability):.3g}, plain "
        f"{math.exp(token.plain_log_probability):.3g}, KL {token.kl:.2f} nats"
    )
    colour = ""
    if abs(change) >= _LEAST_CHANGE:
        share = min(abs(change) / _MOST_CHANGE, 1.0) * 0.7
        colour = f' style="background: rgba({_MORE if change > 0 else _LESS}, {share:.2f})"'
    return f'<span title="{html.escape(told)}"{colour}>{html.escape(token.text)}</span>'


def _strip(tokens: Sequence[OutputToken]) -> str:
    most = max((token.kl for token in tokens), default=0.0)
    if most <= 0:
        return ""
    bars = [f'<i style="height: {100 * token.kl / most:.0f}%"></i>' for token in tokens]
    return (
        f'<div class="strip" title="KL of each token, up to {most:.2f} nats">{"".join(bars)}</div>'
    )


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
            rows.append((variant.name, f"{act.mode} {what}, {act.strength:g} {unit}, {act.where}"))
    sampling = config.sampling
    rows += [("tokens", f"{sampling.max_new_tokens}"), ("temperature", f"{sampling.temperature:g}"),
             ("seed", f"{sampling.seed}")]  # fmt: skip
    return rows
