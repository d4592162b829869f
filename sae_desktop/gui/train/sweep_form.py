"""The dock of a sweep: lists of values, the number of runs they make, and Start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.curve_bar import CheckMenu, menu_button
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.sweep_draft import (
    AXIS_INFOS,
    AxisInfo,
    SweepDraft,
    build_sweep,
    heeded_axes,
    sweep_text,
    unfinished_sweep,
)
from sae_desktop.gui.train.training_draft import free_name
from sae_desktop.training.architecture_info import ArchitectureInfo
from sae_desktop.training.config import (
    TrainConfig,
)
from sae_desktop.training.sweeps.sweep_config import SweepConfig

_HINT = (
    "Separate values with commas; 512..4096 doubles, seeds 0..2 count up; k and M mean "
    "thousands and millions."
)


class SweepForm(QWidget):
    """Builds a SweepConfig around the settings of the training form."""

    def __init__(self, session: Session, base: Callable[[], TrainConfig]) -> None:
        super().__init__()
        self._session, self._base = session, base
        self._known: list[ArchitectureInfo] = []
        self._blocked_by = ""
        self._named = False
        self._groups: dict[str, QWidget] = {}
        self._problems: dict[str, QLabel] = {}
        self.fields: dict[str, QLineEdit] = {}
        self.menu = CheckMenu(self)
        self.architectures = menu_button("Architectures", "list", self.menu)
        explain(self.architectures, "Architecture")
        self._build()
        self.refresh()

    @property
    def axis_fields(self) -> dict[str, QLineEdit]:
        """The fields of what is varied."""
        return {name: field for name, field in self.fields.items() if name != "name"}

    def _build(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 8, 16, 16)
        column.setSpacing(8)
        column.addWidget(
            label("Every combination is trained; all else is as in the settings.", wrap=True)
        )
        column.addWidget(label(_HINT, "small", wrap=True))
        column.addWidget(self._group("name", "Name", "The sweep’s name"))
        box = QWidget()
        inner = QVBoxLayout(box)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(2)
        inner.addWidget(label("Architecture"))
        inner.addWidget(self.architectures, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(box)
        for info in AXIS_INFOS:
            column.addWidget(self._group(info.axis, info.text, f"For example {info.example}"))
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        self._summary = label("", "small", wrap=True)
        self.start_button = push_button("Start the sweep", self.start, icon="play", primary=True)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(self._summary)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.start_button, 1)
        row.addWidget(copy_code_button(self._session, self.config))
        foot.addLayout(row)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addWidget(area, 1)
        page.addLayout(foot)

    def _group(self, field: str, text: str, tip: str) -> QWidget:
        group, line = QWidget(), QLineEdit()
        column = QVBoxLayout(group)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(label(text))
        column.addWidget(line)
        problem = label("", "warning", wrap=True)
        problem.hide()
        column.addWidget(problem)
        line.setAccessibleName(f"{text} for the sweep")
        line.setToolTip(plain_tip(tip))
        line.textEdited.connect(self._on_named if field == "name" else self.refresh)
        self.fields[field], self._groups[field], self._problems[field] = line, group, problem
        return group

    def _on_named(self, text: str) -> None:
        self._named = bool(text)
        self.refresh()

    # ------------------------------------------------------------------ content
    @property
    def heeded(self) -> Mapping[str, Sequence[str]]:
        """Architecture → those of the settings it uses that not every architecture has."""
        return {info.name: info.settings for info in self._known}

    def show_architectures(self, infos: Sequence[ArchitectureInfo]) -> None:
        """Offer the architectures there are."""
        self._known = list(infos)
        self.menu.clear()
        for info in infos:
            action = self.menu.addAction(info.title)
            action.setCheckable(True)
            action.setData(info.name)
            action.toggled.connect(lambda _on: self.refresh())
        self.refresh()

    def chosen_architectures(self) -> tuple[str, ...]:
        """Return those checked; none: the one of the settings."""
        return tuple(str(a.data()) for a in self.menu.actions() if a.isChecked())

    def draft(self) -> SweepDraft:
        """Return what is typed, of the settings that say something."""
        base = self._base()
        axes = heeded_axes(base, self.chosen_architectures(), self.heeded)
        texts = {i.axis: self.fields[i.axis].text() for i in AXIS_INFOS if i.axis in axes}
        name = self.fields["name"].text().strip()
        return SweepDraft(name, self.chosen_architectures(), texts)

    def show_blocked(self, reason: str) -> None:
        """Say why no training can start now; empty when it can."""
        self._blocked_by = reason
        self.refresh()

    def refresh(self, _value: object = None) -> None:
        """Look again at what the lists amount to."""
        base = self._base()
        if not self._named:
            sweeps = self._session.inventory.sweeps
            taken = [record.config.name for record in sweeps]
            free = free_name("sweep", taken)
            draft = SweepDraft(free, self.chosen_architectures(), self.draft().texts)
            config, _, _ = build_sweep(draft, base, base.project, self.heeded)
            idle = [r for r in sweeps if ("sweep", r.config.name) not in self._session.written]
            self.fields["name"].setText(unfinished_sweep(config, idle) or free)
        axes = heeded_axes(base, self.chosen_architectures(), self.heeded)
        for info in AXIS_INFOS:
            self._groups[info.axis].setVisible(info.axis in axes)
            self.fields[info.axis].setPlaceholderText(_placeholder(info, base))
        titles = [a.text() for a in self.menu.actions() if a.isChecked()]
        own = next((i.title for i in self._known if i.name == base.architecture), "as set")
        self.architectures.setText(", ".join(titles) if titles else own)
        config, points, problems = build_sweep(self.draft(), base, base.project, self.heeded)
        for field, text in self._problems.items():  # a setting's own field tells of the others
            text.setText(problems.get(field, ""))
            text.setVisible(field in problems)
            set_property(self.fields[field], "invalid", "true" if field in problems else "false")
        reason = next(iter(problems.values()), "") or self._blocked_by
        self.start_button.setEnabled(config is not None and not reason)
        self._summary.setText(reason or sweep_text(points))

    def config(self) -> SweepConfig | None:
        """Return the sweep as it is typed; None where something of it cannot be read."""
        base = self._base()
        config, _, problems = build_sweep(self.draft(), base, base.project, self.heeded)
        return None if problems else config

    def start(self) -> None:
        """Start the sweep as it is typed."""
        config = self.config()
        if config is not None and not self._blocked_by:
            self._named = False
            self._session.run(config)


def _placeholder(info: AxisInfo, base: TrainConfig) -> str:
    value = getattr(base, info.axis)
    if value is None or (info.axis == "lr" and not value):
        return "default"
    return f"{value:,}" if info.whole else f"{value:g}"
