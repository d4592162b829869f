"""What the command palette can find: actions, features, indexes, dictionaries, stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sae_desktop.gui.frame.menus import MENUS
from sae_desktop.gui.frame.palette_names import automatic_names
from sae_desktop.gui.frame.palette_rows import Provider
from sae_desktop.gui.frame.settings_table import settings
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.search import Entry, feature_number, score
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.feature_link import parse_feature_link
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project_notes import Notes
from sae_desktop.words.amounts import figure_text, short_count
from sae_desktop.words.feature_words import WIDE
from sae_desktop.words.set_words import count_text

_AREAS = {action: menu.replace("&", "") for menu, ids in MENUS.items() for action in ids}
"""Action → the menu it stands in."""
_LABELS = 20
_LOOKED_AT = 500
"""Labels with the words of the query of which the best are shown."""


_FEATURES, _REST = "Features", "Commands, settings and what there is"


def sources(
    session: Session,
    registry: ActionRegistry,
    tell: Callable[[str], object],
    set_up: Callable[[str], object],
) -> list[Provider]:
    """Return the palette's providers, those that answer the query itself first.

    `tell` shows a term of the glossary, `set_up` a setting.
    """
    run = _run(session)
    rest: list[tuple[Callable[[str], list[Entry]], Callable[[Entry], object]]] = [
        (lambda _query: _action_entries(registry), _trigger(session, registry)),
        (lambda _query: _panel_entries(registry), _show_panel(session, registry)),
        (lambda query: _project_entries(session, query), run),
        (_setting_entries, lambda entry: set_up(entry.key)),
        (_term_entries, lambda entry: tell(entry.key)),
    ]
    return [
        Provider(lambda query: _feature_entries(session, query), run, False, _FEATURES),
        *(Provider(find, carry_out, heading=_REST) for find, carry_out in rest),
    ]


def _setting_entries(query: str) -> list[Entry]:
    """Return the settings; none before something is asked."""
    if not query.strip():
        return []
    return [
        Entry("Setting", info.title, info.id, info.group, words=f"settings {info.words}")
        for info in settings()
    ]


def _term_entries(query: str) -> list[Entry]:
    """Return the terms of the glossary; none before something is asked."""
    if not query.strip():
        return []
    from sae_desktop.words.glossary import entries

    return [
        Entry("Glossary", f"What does “{entry.term}” mean?", entry.term, words=_asked(entry.names))
        for entry in entries()
    ]


def _asked(names: Sequence[str]) -> str:
    return " ".join(("what is a an the glossary help", *names))


def _action_entries(registry: ActionRegistry) -> list[Entry]:
    return [
        Entry(
            kind="Setting" if info.id.startswith("theme.") else "Action",
            title=info.text.rstrip("…"),
            key=info.id,
            shortcut=info.shortcut,
            enabled=info.enabled_when is None or info.enabled_when(),
            words=_words(info.id),
        )
        for info in registry.infos()
        if info.id != "view.search"
    ]


def _words(action_id: str) -> str:
    """Return what an action is found by besides its text: its menu, and where it belongs."""
    words = f"{_AREAS.get(action_id, '')} {action_id.replace('.', ' ').replace('_', ' ')}"
    return f"{words} settings" if action_id.startswith("theme.") else words


def _trigger(session: Session, registry: ActionRegistry) -> Callable[[Entry], None]:
    """Return what carries out an action where it can be seen."""

    def run(entry: Entry) -> None:
        owner = registry.owner(entry.key)
        if isinstance(owner, Workspace) and not owner.isVisible():
            session.show_workspace(owner.id)
        registry.trigger(entry.key)

    return run


def _workspaces(registry: ActionRegistry) -> list[Workspace]:
    owners = [registry.owner(info.id) for info in registry.infos()]
    return list(dict.fromkeys(owner for owner in owners if isinstance(owner, Workspace)))


def _panel_entries(registry: ActionRegistry) -> list[Entry]:
    return [
        Entry("Panel", f"Show “{dock.windowTitle()}”", dock.objectName(), f"in {space.id}")
        for space in _workspaces(registry)
        for dock in space.docks()
    ]


def _show_panel(session: Session, registry: ActionRegistry) -> Callable[[Entry], None]:
    def run(entry: Entry) -> None:
        for space in _workspaces(registry):
            for dock in space.docks():
                if dock.objectName() == entry.key:
                    session.show_workspace(space.id)
                    dock.show()
                    dock.raise_()
                    dock.widget().setFocus()

    return run


def _feature_entries(session: Session, query: str) -> list[Entry]:
    if session.index is None or not query.strip():
        return []
    found = []
    notes, dictionary = session.notes, session.index.info.dictionary
    link = parse_feature_link(query)
    if link is not None:
        found.append(Entry("Feature", f"Feature {link[1]} of “{link[0]}”", query.strip()))
    number = feature_number(query)
    if number is not None and number < session.index.features:
        said = FeatureNotes.of(session).said(number, WIDE)[0]
        found.append(Entry("Feature", f"Feature {number}", str(number), aside=said))
    if notes is not None:
        found += _label_entries(notes, dictionary, query)
    if number is None and link is None:
        found += automatic_names(session, session.index, query)
    return found


def _label_entries(notes: Notes, dictionary: str, query: str) -> list[Entry]:
    some = notes.notes(dictionary, notes.search(dictionary, query)[:_LOOKED_AT].tolist())
    scored = [(score(query, note.label), feature, note) for feature, note in some.items()]
    best = [item for item in sorted(scored, key=lambda item: -item[0]) if item[2].label]
    found = [
        Entry("Feature", note.label, str(feature), f"feature {feature}")
        for _, feature, note in best[:_LABELS]
    ]
    if len(best) > _LABELS:
        more = f"{len(best) - _LABELS} more labels; keep typing, or search the list in Explore"
        found.append(Entry("Feature", more, "", enabled=False))
    return found


def _project_entries(session: Session, query: str) -> list[Entry]:
    """Return what the project holds; the layers of a set only once something is asked."""
    inventory = session.inventory
    entries = [
        Entry("Index", f"Open index “{item.name}”", item.name, f"of {item.dictionary}")
        for item in (inventory.indexes if query.strip() else inventory.own_indexes)
    ]
    for one in inventory.sets:
        detail = count_text(one) if one.complete else "unfinished"
        entries.append(Entry("Set", f"Set “{one.name}”", one.name, detail))
    for item in inventory.dictionaries:
        if not item.complete:
            entries.append(Entry("Run", f"Training of “{item.name}”", item.name, "unfinished"))
            continue
        result = item.summary.result if item.summary else None
        detail = f"FVU {figure_text(result.fvu)}" if result else ""
        entries.append(Entry("Dictionary", f"Dictionary “{item.name}”", item.name, detail))
    for store in inventory.stores:
        rows = f"{short_count(store.rows)} rows"
        entries.append(Entry("Store", f"Train on “{store.name}”", store.name, rows))
    return entries


def _run(session: Session):
    def run(entry: Entry) -> None:
        if entry.kind == "Feature":
            session.show_workspace("explore.feature")
            index, feature = parse_feature_link(entry.key) or (session.index_name, int(entry.key))
            session.go_to_feature(index, feature)
        elif entry.kind == "Index":
            if session.open_index(entry.key):
                session.show_workspace("explore")
        elif entry.kind == "Set":
            session.show_workspace("train")
            session.setRequested.emit(entry.key)
        elif entry.kind == "Run":
            session.show_workspace("train")
            session.select_dictionary(entry.key)
        elif entry.kind == "Dictionary":
            session.select_dictionary(entry.key)
            session.show_workspace("project")
        else:
            session.show_workspace("train")
            session.trainRequested.emit(entry.key)

    return run
