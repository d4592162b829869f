"""What is done with a store from its card, the Harvest panel and the command palette alike."""

from __future__ import annotations

import msgspec

from sae_desktop.activations.config import HarvestConfig, VerifyResult, VerifyStoreConfig
from sae_desktop.gui.state.session import Session
from sae_desktop.words.inventory import StoreItem
from sae_desktop.words.store_text import damage, verified_text


def extension(store: StoreItem) -> HarvestConfig | None:
    """Return the harvest that goes on with a store: to its end, or once more as much.

    None for imported activations, of which there is no more.
    """
    if store.harvest is None:
        return None
    wanted = 2 * store.rows_wanted if store.complete else store.rows_wanted
    return msgspec.structs.replace(store.harvest, name=store.name, tokens=max(wanted, 1))


def _store(session: Session, name: str) -> StoreItem | None:
    """Return a store that is there and that no harvest is filling."""
    for job in session.client.jobs:
        if isinstance(job.config, HarvestConfig) and job.config.name == name and not job.ended:
            return None
    return next((item for item in session.inventory.stores if item.name == name), None)


def can_verify(session: Session, name: str) -> bool:
    """Whether a store can be verified now."""
    return _store(session, name) is not None


def can_extend(session: Session, name: str) -> bool:
    """Whether a store can be added to now."""
    store = _store(session, name)
    return store is not None and store.harvest is not None and not session.read_only


def verify_store(session: Session, name: str) -> None:
    """Have every row compared with its checksums; what is found becomes a toast."""
    if session.project is None or not name:
        return
    config = VerifyStoreConfig(project=str(session.project.path), name=name)
    if any(job.config == config and not job.ended for job in session.client.jobs):
        session.notify(f"“{name}” is being verified.")
        return
    job = session.run(config)
    if job is not None:
        job.finished.connect(lambda result: _tell(session, result))


def _tell(session: Session, result: VerifyResult) -> None:
    if result.damaged:
        session.show_error(damage(result))
    else:
        session.notify(verified_text(result))


def show_store(session: Session, name: str) -> None:
    """Show what a store holds."""
    session.show_workspace("harvest")
    session.storeRequested.emit(name)


def extend_store(session: Session, name: str) -> None:
    """Fill the Harvest panel with a store's own harvest, and more tokens."""
    store = next((item for item in session.inventory.stores if item.name == name), None)
    config = extension(store) if store is not None else None
    if config is not None:
        session.show_workspace("harvest")
        session.harvestRequested.emit(msgspec.structs.asdict(config))
