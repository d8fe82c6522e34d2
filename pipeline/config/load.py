"""Reads ``params.yaml``."""

import json
from pathlib import Path
from textwrap import shorten

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from ..errors import ParamsError
from .messages import faults_of
from .schema import Params
from .study import Study

PARAMS_FILE = Path("params.yaml")
STUDY_FILE = "study.json"
MOST_VALUES = 100_000
"""In ``params.yaml``, its aliases written out."""


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate ``params.yaml``.

    Raises:
        ParamsError: one line for each thing that is wrong: key, what was found, what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(f"{path} is not here; run from the project's folder") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ParamsError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        raw = YAML(typ="safe", pure=True).load(text)  # the parser in C ends the process at brackets too deep
    except MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ParamsError(f"{path}{where}: not valid YAML: {error.problem}") from None
    except Exception as error:  # a date that is none, brackets a thousand deep: whatever it makes the parser raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ParamsError(f"{path}: not valid YAML: {reason}") from None
    return parse_params(raw)


def parse_params(raw: object) -> Params:
    """Validate what a YAML file held. Errors as in `load_params`."""
    if not isinstance(raw, dict):
        raise ParamsError(f"params.yaml: expected keys and values, found {shorten(repr(raw), 100)}")
    _refuse_unwritable(raw)
    try:
        # JSON's rules, not Python's: a YAML list may fill a tuple, while '0.1' still fills no number.
        return Params.model_validate_json(json.dumps(raw, default=str)).seeded()
    except ValidationError as error:
        raise ParamsError(faults_of(error, Params)) from None


def save_study(study: Study, folder: Path) -> None:
    """Write ``study.json`` beside a study's results, for the stages that read them."""
    (folder / STUDY_FILE).write_text(study.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_study(folder: Path) -> Study:
    """Read what `save_study` wrote: the study that a folder's results are of."""
    return Study.model_validate_json((folder / STUDY_FILE).read_text(encoding="utf-8"))


def _refuse_unwritable(raw: object) -> None:
    """Refuse aliases that are without end when written out, and keys that are no words."""
    todo, count = [raw], 0
    while todo:
        item = todo.pop()
        count += 1
        if count > MOST_VALUES:
            raise ParamsError(f"params.yaml: has more than {MOST_VALUES:,} values, its aliases written out")
        if isinstance(item, dict):
            for key in item:
                if not isinstance(key, str | int | float):
                    raise ParamsError(f"params.yaml: {shorten(repr(key), 100)} is not a key; allowed: words")
            todo += item.values()
        elif isinstance(item, list):
            todo += item
