"""Leads through the first steps on the demonstration, and notices when each has been done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from PySide6.QtCore import QObject, Qt, QTimer

from sae_desktop.client.job import Job
from sae_desktop.demonstrations import (
    START_LIST,
    Demonstration,
    demonstration_of,
    own_picture,
)
from sae_desktop.features.config import ProbeConfig
from sae_desktop.gui.frame.first_steps_card import FirstStepsCard
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.session import Session
from sae_desktop.project_lists import FeatureLists
from sae_desktop.steering.config import SteerConfig
from sae_desktop.words.first_steps import FirstStep, Guide, StepId, feature_named, step_of

if TYPE_CHECKING:
    from sae_desktop.gui.parts.passages import HoveredToken

_DWELL_MS = 800
"""Over a token, until it counts as looked at: a pointer that passes by has not read it."""
_PLACES: dict[StepId, str] = {"read": "explore.feature", "try": "explore.text", "steer": "steer"}
_BEGIN = "Start a project of your own…"


class FirstSteps(QObject):
    """What is done is kept for each project; other projects than demonstrations have none."""

    def __init__(
        self,
        session: Session,
        card: FirstStepsCard,
        workspace: Callable[[str], Workspace],
        begin_own: Callable[[], object],
        lacks_model: Callable[[], bool],
    ) -> None:
        """`workspace` returns one of the window's; `begin_own` asks for a project of one's own;
        `lacks_model` tells whether the model has yet to come.
        """
        super().__init__(card)
        self.setObjectName("frame.first_steps")
        self._session, self._card = session, card
        self._workspace, self._begin_own = workspace, begin_own
        self._lacks_model = lacks_model
        self.done: set[StepId] = set()
        self.hidden = False
        self.current: StepId | None = "read"
        """None: all is done, and the way on is shown."""
        self._came_back = False
        self._begun = False
        """Whether what is chosen from now on is a person's choice, and not the list's own first."""
        self._pointed: set[HoveredToken] = set()
        self._steered: int | None = None
        """The feature that was steered with last, which need not be the chosen one."""
        self._dwell = QTimer(self, singleShot=True, interval=_DWELL_MS)
        self._dwell.timeout.connect(lambda: self.tick("read"))
        card.stepChosen.connect(self._on_step_chosen)
        card.nextChosen.connect(self._on_next)
        card.dismissed.connect(self.dismiss)
        session.projectChanged.connect(self._on_project_changed)
        session.historyChanged.connect(self._follow)
        session.featureSelected.connect(self._on_feature)
        session.steerRequested.connect(self._on_steer_requested)
        session.indexOpened.connect(lambda _index: self._on_steer_requested(None))
        session.client.jobAdded.connect(self._on_job_added)
        session.place.add(self, self.keep, self.restore)
        self._on_project_changed()

    # ------------------------------------------------------------------ a project comes
    @property
    def offered(self) -> bool:
        """Whether the open project is one to take the first steps in."""
        return self._shown is not None

    @property
    def _shown(self) -> Demonstration | None:
        return demonstration_of(self._session.project)

    @property
    def _guide(self) -> Guide:
        assert self._shown is not None
        return self._shown.guide

    def _left(self) -> list[FirstStep]:
        """The steps that are not done; none in another project."""
        return [step for step in self._guide.steps if step.id not in self.done]

    def _on_project_changed(self) -> None:
        self.done, self.hidden, self.current = set(), False, "read"
        self._came_back = self._begun = False
        self._pointed.clear()
        self._card.hide()
        if self.offered:
            QTimer.singleShot(0, self, self._begin)  # its index is open by then

    def _begin(self) -> None:
        if not self.offered:
            return
        if not self._came_back:
            self._open_first()
            self._session.show_workspace(_PLACES["read"])
            self._offer_text()
        self._begun = True
        self._follow()

    def keep(self) -> dict[str, Any]:
        """Return what of it is kept for the project."""
        return {"done": sorted(self.done), "hidden": self.hidden}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `keep` returned."""
        self._came_back = True
        self.done = {id_ for id_ in get_args(StepId) if id_ in state.get("done", ())}
        self.hidden = bool(state.get("hidden"))
        left = self._left() if self.offered else []
        self.current = left[0].id if left else None
        self._show()

    # ------------------------------------------------------------------ going there
    def start(self) -> None:
        """Show the card again, from the first step that is not done."""
        self.hidden = False
        self._on_step_chosen((self._left() or self._guide.steps)[0].id)

    def dismiss(self) -> None:
        self.hidden = True
        self._show()

    def _on_step_chosen(self, id_: StepId) -> None:
        self._go_to(id_)
        self.current = id_
        self._show()

    def _on_next(self) -> None:
        if self.current is None:
            self._begin_own()
        elif self.current in self.done:
            self._on_step_chosen(self._following(self.current))
        else:
            self._on_step_chosen(self.current)

    def _following(self, id_: StepId) -> StepId:
        ids = [step.id for step in self._guide.steps]
        return ids[min(ids.index(id_) + 1, len(ids) - 1)]

    def _go_to(self, id_: StepId) -> None:
        session = self._session
        if session.feature is None:
            self._open_first()
        if id_ == "try":
            self._offer_text()
        if id_ == "steer" and session.feature is not None:
            self._turn_up(session.feature)
        else:
            session.show_workspace(_PLACES[id_])
        self._focus(id_)

    def _focus(self, id_: StepId) -> None:
        """Give the keyboard to what the step is about, and not to what happens to be next."""
        panel = self._workspace(_PLACES[id_].partition(".")[0]).main
        asked = panel.probe.text if id_ == "try" else panel
        asked.setFocus(Qt.FocusReason.OtherFocusReason)

    def _open_first(self) -> None:
        found = start_feature(self._session)
        if found is not None:
            self._session.go_to_feature(*found)

    def _offer_text(self) -> None:
        """Put what is tried first where nothing is: words, and a picture where one is shown.

        Not before the model is there, which reads it at once.
        """
        if self._lacks_model():
            return
        probe = self._workspace("explore").main.probe
        if not probe.text.toPlainText().strip() and not probe.strip.files:
            probe.text.setPlainText(self._guide.tried)
            probe.strip.set_files(self._tried_pictures())

    def model_came(self) -> None:
        """Have it read what is tried first."""
        if self.offered:
            self._offer_text()

    def _tried_pictures(self) -> list[str]:
        shown = self._shown
        found = "" if shown is None else own_picture(self._session.project, shown.tried_picture)
        return [found] if found else []

    def _turn_up(self, feature: int) -> None:
        rack = self._workspace("steer").main.rack.rack
        on = [entry.feature for entry in rack if entry.on and not entry.index]
        turned_up = next((one for one in on if one is not None), None)
        if turned_up is not None or feature in [entry.feature for entry in rack]:
            self._steered = feature if turned_up is None else turned_up
            self._session.show_workspace("steer")
            self._show_it_steered(self._steered)
        else:
            # h5py: not before the first show
            from sae_desktop.gui.parts.feature_menu import steer_with

            self._offer_picture()
            steer_with(self._session, feature)

    def _show_it_steered(self, feature: int) -> None:
        """Have both texts on screen: the result comes first, and then one’s own try."""
        panel, shown = self._workspace("steer").main, self._shown
        if panel.running or panel.outputs.steered.made is not None or shown is None:
            return
        if not panel.rack.interventions():
            panel.rack.slider(feature).number.setValue(shown.clamp)
        self._offer_picture()
        if not panel.form.prompt.toPlainText().strip():
            panel.form.prompt.setPlainText(shown.prompt)
        panel.generate_by_itself()

    def _offer_picture(self) -> None:
        """Put a picture, and what is asked of it, where there is no prompt."""
        form, shown = self._workspace("steer").main.form, self._shown
        found = "" if shown is None else own_picture(self._session.project, shown.steered_picture)
        if shown is not None and found and not form.ready:
            form.prompt.setPlainText(shown.prompt)
            form.strip.set_files([found])

    def _follow(self) -> None:
        """Be at the step of the place that one has gone to."""
        here = [id_ for id_, place in _PLACES.items() if place == self._session.workspace]
        if here and self.current is not None:
            self.current = here[0]
        self._show()

    # ------------------------------------------------------------------ noticing
    def watch(self, workspace: Workspace) -> None:
        """Notice what is read in a workspace that was built."""
        if workspace.id == "explore":
            workspace.main.page.tokenHovered.connect(self._on_token)
        elif workspace.id == "steer":
            workspace.main.rack.rackChanged.connect(self._show)

    def _on_token(self, token: HoveredToken | None) -> None:
        if token is None or token.activation <= 0.0:
            self._dwell.stop()
            return
        self._pointed.add(token)
        # The first may have come to lie under a pointer that nobody has moved.
        if len(self._pointed) > 1 and not self._dwell.isActive():
            self._dwell.start()

    def _on_feature(self, feature: int) -> None:
        found = start_feature(self._session) if self.offered and self._begun else None
        if found is not None and found != (self._session.index_name, feature):
            self.tick("read")
        self._show()

    def _on_job_added(self, job: Job) -> None:
        config = job.config
        if isinstance(config, ProbeConfig) and self.offered and self._is_own(config):
            job.finished.connect(lambda _result: self.tick("try"))
        elif isinstance(config, SteerConfig) and _is_steered(config):
            if self._workspace("steer").main.by_itself:
                return  # the text that comes first; trying it is one's own
            job.finished.connect(lambda _result: self.tick("steer"))

    def _is_own(self, config: ProbeConfig) -> bool:
        """Tell whether something else than what was offered is tried.

        Where pictures are shown, that is another picture.
        """
        offered = self._tried_pictures()
        if offered:
            return bool(set(config.pictures) - set(offered))
        return config.text.strip() not in ("", self._guide.tried)

    def tick(self, id_: StepId) -> None:
        """Take a step for done."""
        if not self.offered or id_ in self.done:
            return
        self.done.add(id_)
        if not self._left():
            self.current = None
        self._show()

    # ------------------------------------------------------------------ showing
    def _show(self) -> None:
        shown = self.offered and self._begun and not self.hidden
        self._card.setVisible(shown)
        if not shown:
            return
        self._card.show_steps(self._guide.steps, self.current, self.done)
        if self.current is None:
            self._card.say(self._guide.at_the_end, _BEGIN)
            return
        step = step_of(self._guide, self.current)
        told = step.do.format(feature=self._named())
        here = self._session.workspace == _PLACES[self.current] and not self._lacks_a_slider()
        if self.current in self.done:
            following = step_of(self._guide, self._following(self.current))
            button = "" if following is step else following.title
            # What is being read stays: it may have been done in passing.
            self._card.say(f"{told} {step.learnt}" if here else step.learnt, button)
        elif here:
            self._card.say(told, "")
        else:
            self._card.say(step.away, step.title)

    def _lacks_a_slider(self) -> bool:
        """Whether Steer is in front, and nothing is there to be turned up."""
        return self.current == "steer" and not self._workspace("steer").main.rack.rack

    def _on_steer_requested(self, feature: int | None) -> None:
        self._steered = feature
        self._show()

    def _held(self) -> int | None:
        """The feature that a slider holds: what was steered with last, if it has one."""
        rack = self._workspace("steer").main.rack.rack
        held = [entry.feature for entry in rack if entry.feature is not None and not entry.index]
        return held[0] if held and self._steered not in held else self._steered

    def _named(self) -> str:
        # numpy: not before the first show
        from sae_desktop.gui.state.feature_notes import FeatureNotes

        feature = self._session.feature
        if self.current == "steer" and (held := self._held()) is not None:
            feature = held
        if feature is None:
            return feature_named(None, "")
        notes = FeatureNotes.of(self._session)
        words = notes.words(feature)
        return feature_named(feature, notes.label(feature), "" if words is None else words.name)


def _is_steered(config: SteerConfig) -> bool:
    """Tell whether text is written with a feature turned up; the next token’s bars are not."""
    return config.compare and any(variant.interventions for variant in config.variants)


def start_feature(session: Session) -> tuple[str, int] | None:
    """Return (index, feature) to begin with: the first of the list to start with.

    Without the list it is the first that is starred; None where there is neither.
    """
    if session.notes is None:
        return None
    indexes = session.inventory.indexes
    lists = FeatureLists(session.notes)
    for item in indexes:
        found = lists.read(item.dictionary, START_LIST)
        if found is not None and found.members:
            return item.name, found.members[0].feature
    for item in indexes:
        starred = session.notes.starred(item.dictionary)
        if len(starred):
            return item.name, int(min(starred))
    return None
