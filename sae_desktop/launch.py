"""Where Python looks for modules: never in the current folder.

A file next to a project or a package must not be run because it has a library's name. Every process
of this program's own begins here: `python -P launch.py MODULE …`. At the top nothing is imported
but what Python itself has loaded before it runs a program; even `__future__` is a file.
"""

import os
import sys

_PACKAGE = "sae_desktop"


def command(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Return what runs a module of this program (`sae_desktop.engine`) with arguments.

    `-P` keeps the folder one stands in, and the one this file lies in, off the path.
    """
    return [python, "-P", os.path.abspath(__file__), module, *arguments]


def leave_out_working_folder(*, begun_as_module: bool) -> None:
    """Take the working folder off the path; absolute entries of PYTHONPATH are a person's will.

    `python -m` has put it first; an empty or relative entry of PYTHONPATH means it too.
    """
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
