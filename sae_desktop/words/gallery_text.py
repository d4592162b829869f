"""What is said of a public dictionary: whether it fits this machine, and who may have it."""

from __future__ import annotations

from sae_desktop.exchange.fits import Access, Fit
from sae_desktop.storage.faults import format_bytes

FITS, TOO_LARGE, UNKNOWN = "fits", "too large", "not known"
IN_BFLOAT16 = "in bfloat16"
SIGN_IN = "sign in once with “hf auth login” in a terminal"


def fit_short(fit: Fit | None) -> str:
    """Return in a word or two whether it fits."""
    if fit is None:
        return UNKNOWN
    if not fit.fits:
        return TOO_LARGE
    return IN_BFLOAT16 if fit.where == "bfloat16" else FITS


def fit_text(fit: Fit | None) -> str:
    """Return what it takes of memory and disk, held against what this machine has."""
    if fit is None:
        return "How much memory and disk it takes is not known before it is downloaded."
    least = "" if fit.needs.dictionary_known else " at least"
    return f"{_memory(fit, least)} {_disk(fit, least)}"


def _memory(fit: Fit, least: str) -> str:
    needs, machine = fit.needs, fit.machine
    whole, half = format_bytes(needs.memory), format_bytes(needs.memory_bfloat16)
    there = format_bytes(machine.memory)
    has = f"{there} of memory"
    match fit.where:
        case "gpu":
            return f"Fits:{least} {half} of the {format_bytes(machine.gpu)} of the GPU."
        case "float32":
            return f"Fits:{least} {whole} of {has}."
        case "bfloat16":
            return (
                f"Fits in bfloat16:{least} {half} of {has}. In float32, which is the default on "
                f"the CPU, it would take {whole}: choose the precision bfloat16 when you harvest."
            )
    return f"Too large: needs{least} {half} of memory, this machine has {there}."


def _disk(fit: Fit, least: str) -> str:
    takes, free = format_bytes(fit.needs.disk), format_bytes(fit.machine.disk)
    if not fit.disk:
        return f"The disk is too full: needs{least} {takes}, and {free} are free."
    if not fit.needs.disk:
        return "Nothing more is needed of the disk."
    return f"Disk:{least} {takes} of {free} free."


def access_short(access: Access) -> str:
    return {"open": "open", "terms": "accept terms", "unknown": "not known"}[access]


def access_text(model: str, access: Access) -> str:
    """Return whether a model is for anybody, and what to do where it is not."""
    match access:
        case "open":
            return "Anybody can download it and its model without an account."
        case "terms":
            return (
                f"The makers of {model} ask you to accept their terms first: open the model’s "
                f"page, accept them there with a free account, and {SIGN_IN}."
            )
    return (
        f"The makers of {model} may ask you to accept their terms. If the download is refused, "
        f"accept them on the model’s page and {SIGN_IN}."
    )


def download_text(missing: list[str], fit: Fit | None, offline: str) -> str:
    """Return what getting a dictionary with its model downloads.

    missing: "dictionary", "model" or both; offline: why the hub may not be asked, or "".
    """
    if not missing:
        return "Both are on this machine, so no network is needed."
    what = " and the ".join(missing)
    is_, it = ("is", "it") if len(missing) == 1 else ("are", "they")
    if offline:
        told = f"The {what} {is_} not on this machine, and {offline}: {it} cannot be downloaded."
        return f"{told} The dictionary alone can be imported." if missing == ["model"] else told
    amount = ""
    if fit and fit.needs.download:
        amount = f", {format_bytes(fit.needs.download)} in all"
        if not fit.needs.dictionary_known:
            amount = f", at least {format_bytes(fit.needs.download)}: the {missing[0]}’s size is "
            amount += "not known before"
    return (
        f"Nothing is downloaded before you press a button. The {what} {is_} downloaded from the "
        f"hub{amount}. A download that is cancelled or interrupted resumes when you start it "
        "again, and each file is checked against the digest published there."
    )
