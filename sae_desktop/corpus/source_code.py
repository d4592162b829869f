"""Recognising source code: languages by suffix, and code that was not written by hand."""

from __future__ import annotations

from pathlib import Path

_LANGUAGES = {
    "Ada": ".adb .ads",
    "Assembly": ".asm .s",
    "C": ".c .h",
    "C#": ".cs",
    "C++": ".cpp .cc .cxx .hpp .hh .hxx",
    "Clojure": ".clj .cljs",
    "CMake": ".cmake",
    "COBOL": ".cob .cbl",
    "CSS": ".css .scss .sass .less",
    "CUDA": ".cu .cuh",
    "D": ".d",
    "Dart": ".dart",
    "Elixir": ".ex .exs",
    "Elm": ".elm",
    "Erlang": ".erl .hrl",
    "F#": ".fs .fsx",
    "Fortran": ".f .f90 .f95 .f03 .for",
    "GLSL": ".glsl .vert .frag",
    "Go": ".go",
    "GraphQL": ".graphql",
    "Groovy": ".groovy .gradle",
    "Haskell": ".hs .lhs",
    "INI": ".ini .cfg .conf",
    "Java": ".java",
    "JavaScript": ".js .mjs .cjs .jsx",
    "Julia": ".jl",
    "Jupyter": ".ipynb",
    "Kotlin": ".kt .kts",
    "Lean": ".lean",
    "Lisp": ".lisp .lsp .el",
    "Lua": ".lua",
    "Makefile": ".mk",
    "MATLAB": ".m",
    "Nim": ".nim",
    "Nix": ".nix",
    "OCaml": ".ml .mli",
    "Pascal": ".pas",
    "Perl": ".pl .pm",
    "PHP": ".php",
    "PowerShell": ".ps1 .psm1",
    "Prolog": ".pro",
    "Protobuf": ".proto",
    "Python": ".py .pyi .pyx",
    "QML": ".qml",
    "R": ".r",
    "Racket": ".rkt",
    "Ruby": ".rb",
    "Rust": ".rs",
    "Scala": ".scala",
    "Scheme": ".scm",
    "Shell": ".sh .bash .zsh .fish",
    "Solidity": ".sol",
    "SQL": ".sql",
    "Svelte": ".svelte",
    "Swift": ".swift",
    "Tcl": ".tcl",
    "Terraform": ".tf",
    "TOML": ".toml",
    "TypeScript": ".ts .tsx",
    "V": ".v",
    "Verilog": ".sv .svh",
    "VHDL": ".vhd .vhdl",
    "Vim script": ".vim",
    "Visual Basic": ".vb .bas",
    "Vue": ".vue",
    "YAML": ".yaml .yml",
    "Zig": ".zig",
}
_BY_SUFFIX = {suffix: name for name, suffixes in _LANGUAGES.items() for suffix in suffixes.split()}
_BY_NAME = {
    "makefile": "Makefile",
    "gnumakefile": "Makefile",
    "dockerfile": "Dockerfile",
    "cmakelists.txt": "CMake",
    "gemfile": "Ruby",
    "rakefile": "Ruby",
}
_GENERATED_NAMES = {"package-lock.json", "npm-shrinkwrap.json", "composer.lock", "yarn.lock"}
_LONGEST_MEAN_LINE = 1000

PACKAGE_FOLDERS = {"node_modules", "__pycache__", "site-packages", "bower_components"}
"""Folders of other people's programs, and of compiled ones."""
BUILD_FOLDERS = {"build", "dist", "out", "target", "venv", "env"}
"""Folders of what programs are made into, where they are beside what says how they are made."""
PROJECT_FILES = {
    "pyproject.toml", "setup.py", "package.json", "cargo.toml", "pom.xml", "build.gradle",
    "build.gradle.kts", "cmakelists.txt", "makefile", "go.mod",
}  # fmt: skip


def program_languages() -> frozenset[str]:
    """Return the names of programming languages, in lower case."""
    return frozenset(name.lower() for name in _LANGUAGES)


def program_endings() -> frozenset[str]:
    """Return the endings of program files, with their dots."""
    return frozenset(_BY_SUFFIX)


def code_language(name: str) -> str:
    """Return the language of a program file called `name` (lower case), or ""."""
    return _BY_NAME.get(name) or _BY_SUFFIX.get(Path(name).suffix, "")


def is_generated(name: str, head: str, large: bool) -> bool:
    """Whether a program file was written by another program, by its beginning."""
    if large or name in _GENERATED_NAMES or ".min." in name:
        return True
    return len(head) / (head.count("\n") + 1) > _LONGEST_MEAN_LINE
