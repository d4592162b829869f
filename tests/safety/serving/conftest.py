"""A toy model that is served from this process, steered and watched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.project import Project
from sae_desktop.safety.monitors.config import Promise
from sae_desktop.safety.monitors.file import Monitor, save_monitor
from sae_desktop.safety.serving.config import ServeConfig, Served
from sae_desktop.safety.serving.server import ServedModel
from sae_desktop.steering.config import PLAIN, Intervention, Sampling, Variant
from sae_desktop.steering.gate_config import Gate, Readout
from sae_desktop.steering.presets import preset_of, save_preset

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
Serve = Callable[..., Served]


@pytest.fixture(scope="package")
def lab_project(watched: Project, opened: OpenedIndex) -> Project:
    """A project with the preset “held”, which works under a condition, and the monitor “live”."""
    project = watched
    info = read_info(project.index_path("i"))
    first, second = opened.index.columns["density"].argsort()[-2:].tolist()
    steered = Variant(
        name="steered",
        interventions=[Intervention(feature=first, strength=3.0, when=Gate(feature=second))],
    )
    sampling = Sampling(repetition_penalty=1.0)
    save_preset(project, preset_of("held", info, "x", [PLAIN, steered], sampling, chat=False))
    promise = Promise(
        unit="token", rate=0.01, confidence=0.95, method="bound", blocks=300, units=9000,
        firing=0.0, bound=0.01, blocks_firing=0,
    )  # fmt: skip
    monitor = Monitor(
        name="live", readout=Readout(index="i", features=[second]), threshold=0.0,
        dictionary_hash=info.dictionary_hash, model=info.model, revision=info.model_revision,
        tokenizer=info.tokenizer_hash, made="feature", places=[], promise=promise, corpus="",
        corpus_digest="", context_size=64, bos=True, settings="", created="",
    )  # fmt: skip
    save_monitor(project, monitor, {})
    return project


@pytest.fixture(scope="module")
def served(lab_project: Project, opened: OpenedIndex) -> Iterator[Served]:
    """The steered model at a free port, with a chat template."""
    opened.lm.tokenizer.chat_template = TEMPLATE
    model = ServedModel(
        ServeConfig(
            project=str(lab_project.path), preset="held", monitors=["live"], port=0, device="cpu",
            at_once=3,
        )
    )  # fmt: skip
    ends: list[Callable[[], None]] = []
    thread = threading.Thread(target=model.run, args=(ends.append,))
    thread.start()
    yield model.served
    ends[0]()
    thread.join(20)
    opened.lm.tokenizer.chat_template = None
    assert not thread.is_alive()
