"""Where Python looks for modules: never in the current folder.

A file next to a project or a package must not be run because it has a library's name. Every process
of this program's own begins here: `python -P launch.py MODULE …`. A bundle has no Python to be
given a file: there the program itself is started, as `sae-desktop --module MODULE …`. At the top
nothing is imported but what Python itself has loaded before it runs a program; even `__future__` is
a file.
"""

import os
import sys

_PACKAGE = "sae_desktop"
MODULE_OPTION = "--module"
"""Of a bundle alone, before the module’s name."""


def is_bundled() -> bool:
    """Whether this runs from a folder that PyInstaller has packed, with its libraries."""
    return bool(getattr(sys, "frozen", False))


def command(module: str, *arguments: str, python: str = "") -> list[str]:
    """Return what runs a module of this program (`sae_desktop.engine`) with arguments.

    `python`: the interpreter, where it is not this one; a bundle has none to choose.
    `-P` keeps the folder one stands in, and the one this file lies in, off the path.
    """
    if is_bundled():
        chosen = [] if module == _PACKAGE else [MODULE_OPTION, module]
        return [sys.executable, *chosen, *arguments]
    return [python or sys.executable, "-P", os.path.abspath(__file__), module, *arguments]


def pip_command(*arguments: str) -> list[str]:
    """Return what runs pip, which a bundle carries along, with arguments."""
    if is_bundled():
        return [sys.executable, MODULE_OPTION, "pip", *arguments]
    return [sys.executable, "-P", "-m", "pip", *arguments]


def environment_of_others() -> dict[str, str]:
    """Return the environment for a program of the system, such as `xdg-mime`.

    A bundle finds its own libraries by LD_LIBRARY_PATH, with which other programs may not start;
    PyInstaller keeps what it was before under another name (its manual, “LD_LIBRARY_PATH”).
    """
    environment = dict(os.environ)
    if is_bundled():
        before = environment.pop("LD_LIBRARY_PATH_ORIG", None)
        environment.pop("LD_LIBRARY_PATH", None)
        if before is not None:
            environment["LD_LIBRARY_PATH"] = before
    return environment


def run_asked_module() -> bool:
    """Run the module that a bundle's command line names; return whether it named one."""
    if not is_bundled() or sys.argv[1:2] != [MODULE_OPTION] or len(sys.argv) < 3:
        return False
    import runpy

    module = sys.argv[2]
    del sys.argv[1:3]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return True


def leave_out_working_folder(*, begun_as_module: bool) -> None:
    """Take the working folder off the path; absolute entries of PYTHONPATH are a person's will.

    `python -m` has put it first; an empty or relative entry of PYTHONPATH means it too. In a
    bundle neither holds: its path is its own libraries alone.
    """
    if is_bundled():
        return
    if begun_as_module and not sys.flags.safe_path and sys.path:
        del sys.path[0]
    inherited = os.environ.get("PYTHONPATH")
    for entry in inherited.split(os.pathsep) if inherited else ():
        if not os.path.isabs(entry):
            place = os.path.abspath(entry)
            sys.path[:] = [found for found in sys.path if found not in ("", entry, place)]


def _run() -> None:
    """Run a module of the package this file lies in, whatever else bears its name on the path."""
    import importlib.util
    import runpy

    root = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, os.path.join(root, "__init__.py"), submodule_search_locations=[root]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)
    module = sys.argv[1]
    del sys.argv[1]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    leave_out_working_folder(begun_as_module=False)
    _run()
