"""The files that determine what a stage makes: its script, all that it imports, and the data files that those name.

The stage ``code`` lists them for each other stage, which depends on its list, and the network store keys its networks
by them, so that no result outlives the code that made it.
"""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

ROOT = Path(__file__).parent.parent
PINS = "constraints.txt"
PACKAGES = ("pipeline", "stages")
DATA_FILE = re.compile(r"[\w-]*\.(css|html|js|md|po|yaml)")
"""The name of a file that a module may read from its own folder, or the end of one."""
WITHOUT = {
    "pipeline/tracking/": "MLflow is a view of the results; `make track` writes it anew",
    "pipeline/progress.py": "what a terminal shows while networks are trained",
}
"""Files and folders that no result depends on, though stages import them, and why; nor on what they alone import."""


@lru_cache
def closure(start: str, root: Path = ROOT) -> frozenset[str]:
    """Return a file and all files of the project that it needs, as paths from the root.

    Args:
        start: from the root, as ``stages/train.py``.
        root: of the project.
    """
    found: set[str] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path in found or path.startswith(tuple(WITHOUT)):
            continue
        found.add(path)
        if path.endswith(".py"):
            todo += _needed(root, path)
    return frozenset(found)


@lru_cache
def libraries(start: str, root: Path = ROOT) -> dict[str, str]:
    """Return the version of every library that a file or one that it needs imports, by the name it is installed by."""
    imported = {
        name.partition(".")[0] for file in closure(start, root) if file.endswith(".py") for name in _read(root, file)[0]
    }
    others = imported - {*PACKAGES, *sys.stdlib_module_names}
    installed_by = packages_distributions()
    return {name: version(name) for name in sorted({name for one in others for name in installed_by[one]})}


@lru_cache
def code_digest(start: str) -> str:
    """Return a digest of a file, all the code that it needs, and the libraries that this imports."""
    digest = hashlib.sha256(json.dumps(libraries(start)).encode())
    for file in sorted(closure(start)):
        digest.update(f"{file}\0".encode() + (ROOT / file).read_bytes() + b"\0")
    return digest.hexdigest()


def listing(start: str, root: Path = ROOT) -> str:
    """Return a file, all that it needs, and the pins, each on a line with its SHA-256, as ``sha256sum`` writes it."""
    files = [PINS, *sorted(closure(start, root))]
    return "".join(f"{hashlib.sha256((root / file).read_bytes()).hexdigest()}  {file}\n" for file in files)


def _needed(root: Path, file: str) -> Iterator[str]:
    """Yield the files that a module imports or names; not those that only a type checker reads."""
    names, strings = _read(root, file)
    for name in names:
        yield from _modules(name, root)
    for text in strings:
        pattern = text if text[0] != "." else f"*{text}"  # f"{language}.po"
        yield from (str(path.relative_to(root)) for path in (root / file).parent.glob(pattern))


@lru_cache
def _read(root: Path, file: str) -> tuple[list[str], list[str]]:
    """Return the dotted names that a module imports, and the names of data files in it; see `DATA_FILE`."""
    package = Path(file).parts[:-1]
    names: list[str] = []
    strings: list[str] = []
    todo: list[ast.AST] = [ast.parse((root / file).read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            names += [".".join((*above, *filter(None, (node.module, alias.name)))) for alias in node.names]
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str) and DATA_FILE.fullmatch(node.value):
                strings.append(node.value)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            todo += ast.iter_child_nodes(node)
    return names, strings


def _modules(name: str, root: Path) -> Iterator[str]:
    """Yield the files that importing a dotted name runs: its packages' and its own."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return
    for end in range(1, len(parts) + 1):
        path = Path(*parts[:end])
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if (root / candidate).is_file():
                yield str(candidate)
