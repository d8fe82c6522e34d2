"""The files that determine what a stage makes: its script, all that it imports, and the data files that those name.

``dvc.yaml`` lists them for each stage (``make deps`` writes them), and the network store keys its networks by them, so
that no result outlives the code that made it.
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
DVC_FILE = "dvc.yaml"
PINS = "constraints.txt"
PACKAGES = ("pipeline", "stages")
DATA_FILE = re.compile(r"[\w-]*\.(csv|css|html|js|md|po)")
"""The name of a file that a module may read from its own folder, or the end of one."""
WITHOUT = {
    "pipeline/tracking/": "MLflow is a view of the results; `make track` writes it anew",
    "pipeline/progress.py": "what a terminal shows while networks are trained",
}
"""Files and folders that no result depends on, though stages import them, and why; nor on what they alone import."""


MOST = 0.7
"""Share of a folder's files from which on a stage depends on the folder."""


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
            todo += _needed(root / path, root)
    return frozenset(found)


@lru_cache
def libraries(start: str, root: Path = ROOT) -> dict[str, str]:
    """Return the version of every library that a file or one that it needs imports, by the name it is installed by."""
    imported = {
        name.partition(".")[0]
        for file in closure(start, root)
        if file.endswith(".py")
        for name in _read(root / file)[0]
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


def dependencies(start: str, root: Path = ROOT) -> list[str]:
    """Return a closure as ``dvc.yaml`` lists it: a folder of which `MOST` files belong to it, else its files.

    DVC writes its lock anew after every stage, which takes longer the more it lists.
    """
    files = closure(start, root)
    listed: set[str] = set()
    for file in files:
        folders = [str(parent) for parent in Path(file).parents if len(parent.parts) > 1]
        whole = [folder for folder in folders if _share(_files_in(root / folder, root), files) >= MOST]
        listed.add(min(whole, key=len) if whole else file)
    return sorted(listed)


def _needed(file: Path, root: Path) -> Iterator[str]:
    """Yield the files that a module imports or names; not those that only a type checker reads."""
    names, strings = _read(file)
    for name in names:
        yield from _modules(name, root)
    for text in strings:
        pattern = text if text[0] != "." else f"*{text}"  # f"{language}.po"
        yield from (str(path.relative_to(root)) for path in file.parent.glob(pattern))


@lru_cache
def _read(file: Path) -> tuple[list[str], list[str]]:
    """Return the dotted names that a module imports, and the names of data files in it; see `DATA_FILE`."""
    names: list[str] = []
    strings: list[str] = []
    todo: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
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


def _files_in(folder: Path, root: Path) -> set[str]:
    inside = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(root)) for path in inside}


def _share(some: set[str], of: frozenset[str]) -> float:
    return len(some & of) / len(some)


def main() -> None:
    """Write every stage's code into ``dvc.yaml``; its other dependencies stay."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 120
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load((ROOT / DVC_FILE).read_text(encoding="utf-8"))
    for name, stage in content["stages"].items():
        others = [dep for dep in stage["deps"] if not is_code(dep)]
        stage["deps"] = [*others, PINS, *dependencies(f"stages/{name}.py")]
    with (ROOT / DVC_FILE).open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    print(f"{DVC_FILE}: the code of {len(content['stages'])} stages")


def is_code(dependency: str) -> bool:
    """Say whether a dependency in ``dvc.yaml`` is code or its pins, not data."""
    return dependency == PINS or dependency.startswith(tuple(f"{package}/" for package in PACKAGES))


if __name__ == "__main__":
    main()
