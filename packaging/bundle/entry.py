"""What a bundle starts with: the program, or a module of it in a process of its own."""

import multiprocessing
import os
import sys

if sys.platform == "darwin":  # where an application's signature allows folders of any name
    _CONTENTS = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    sys.path.append(os.path.join(_CONTENTS, "Resources", "packages"))

from sae_desktop.launch import run_asked_module

if __name__ == "__main__":
    multiprocessing.freeze_support()
    if not run_asked_module():
        from sae_desktop.__main__ import main

        sys.exit(main())
