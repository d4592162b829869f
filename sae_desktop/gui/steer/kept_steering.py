"""What of the Steer workspace is kept with the project: prompt, sliders, and the texts."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import msgspec
from PySide6.QtCore import QObject

from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.generated_text import GeneratedText
from sae_desktop.gui.steer.last_run import LastRun
from sae_desktop.gui.steer.monitor_choice import MonitorChoice
from sae_desktop.gui.steer.rack import RackEntry
from sae_desktop.gui.steer.rack_panel import SteeringRack
from sae_desktop.gui.steer.steering_outputs import SteeringOutputs
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt
from sae_desktop.steering.config import SteerConfig, SteerResult, Variant


class Steered(Protocol):
    """What is asked of the panel; it is the owner of what is kept, too."""

    form: SteeringPrompt
    monitors: MonitorChoice
    rack: SteeringRack
    outputs: SteeringOutputs
    last: LastRun

    def texts(self) -> list[GeneratedText]: ...
    def made_with(self, variant: Variant, asked: SteerConfig) -> object: ...
    def show_result(
        self, texts: list[GeneratedText], asked: SteerConfig, result: SteerResult
    ) -> None: ...
    def show_verdicts(
        self, texts: list[GeneratedText], asked: SteerConfig, result: SteerResult
    ) -> None: ...


def keep_steering(session: Session, owner: QObject, panel: Steered) -> None:
    """Keep what is set in the Steer workspace, and what was generated last."""
    form, how = panel.form, panel.rack.form
    fields = {
        "prompt": form.prompt, "tokens": form.tokens, "temperature": form.temperature,
        "top_k": form.top_k, "top_p": form.top_p, "penalty": form.penalty, "seed": form.seed,
        "random": form.random,
        "means": form.means, "asking": form.asking, "mode": how.mode, "where": how.where,
        "start": how.start, "chosen": how.tokens, "layers": how.layers, "range": how.range,
    }  # fmt: skip
    keep_fields(session, owner, fields, part="form")
    for part, keep, give in (
        ("pictures", _kept_pictures, _give_pictures),
        ("chat", _kept_chat, _give_chat),
        ("monitors", _kept_monitors, _give_monitors),
        ("sliders", _kept_sliders, _give_sliders),
        ("texts", _kept_texts, _give_texts),
    ):
        take, put = partial(keep, panel), partial(give, panel)
        session.place.add(owner, take, put, part=part, of_index=True)


def _kept_pictures(panel: Steered) -> dict[str, Any]:
    return {"files": panel.form.strip.kept}


def _give_pictures(panel: Steered, kept: dict[str, Any]) -> None:
    panel.form.strip.set_files(kept["files"])


def _kept_chat(panel: Steered) -> dict[str, Any]:
    return {"chat": panel.form.chat.isChecked()}


def _give_chat(panel: Steered, kept: dict[str, Any]) -> None:
    panel.form.chat.setChecked(bool(kept["chat"]))
    # Or what is found out of the model decides about the template again.
    panel.form.preset_taken = True


def _kept_monitors(panel: Steered) -> dict[str, Any]:
    return {"monitors": panel.monitors.chosen}


def _give_monitors(panel: Steered, kept: dict[str, Any]) -> None:
    panel.monitors.choose(kept["monitors"])


def _kept_sliders(panel: Steered) -> dict[str, Any]:
    kept = [variant for variant, _ in panel.outputs.kept]
    return {
        "rack": [msgspec.to_builtins(entry) for entry in panel.rack.rack],
        "kept": [msgspec.to_builtins(variant) for variant in kept],
    }


def _give_sliders(panel: Steered, kept: dict[str, Any]) -> None:
    rack = tuple(msgspec.convert(entry, RackEntry) for entry in kept["rack"])
    variants = [msgspec.convert(variant, Variant) for variant in kept["kept"]]
    panel.rack.set_rack(rack)
    panel.outputs.drop_all()
    for variant in variants:
        panel.outputs.keep(variant)


def _kept_texts(panel: Steered) -> dict[str, Any]:
    run = panel.last.run
    if run is None:
        return {}
    return {"asked": msgspec.to_builtins(run[0]), "result": msgspec.to_builtins(run[1])}


def _give_texts(panel: Steered, kept: dict[str, Any]) -> None:
    if not kept:
        return
    asked = msgspec.convert(kept["asked"], SteerConfig)
    result = msgspec.convert(kept["result"], SteerResult)
    panel.last.return_to(asked, result)
    texts = panel.texts()
    panel.show_result(texts, asked, result)
    for text, variant in zip(texts, asked.variants, strict=False):
        text.made = panel.made_with(variant, asked)
    panel.show_verdicts(texts, asked, result)
