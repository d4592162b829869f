"""The command line. Its commands' names stand here, so that the window opens without the rest."""

COMMANDS = (
    "demo",
    "models",
    "corpus",
    "harvest",
    "import-activations",
    "stores",
    "dictionaries",
    "indexes",
    "trash",
    "delete",
    "train",
    "architectures",
    "preflight",
    "sweep",
    "scaling",
    "evaluate",
    "index",
    "merge-indexes",
    "features",
    "show",
    "lists",
    "jobs",
    "probe",
    "find-features",
    "match",
    "splitting",
    "concepts",
    "completeness",
    "steer",
    "output-effect",
    "import",
    "export",
    "formats",
    "settings",
    "gallery",
    "associate",
)

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
