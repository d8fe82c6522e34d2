"""``params.yaml`` as validated, frozen models.

The file holds every knob, so no model here has a default: what is missing is an error, not a surprise.
"""

import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from textwrap import shorten
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from pipeline.console import speak_plainly
from pipeline.errors import SHOWN, ParamsError, did_you_mean

PARAMS_FILE = Path("params.yaml")
TABLES = PurePosixPath("data/tables")

Initializer = Literal[
    "standard_normal", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform", "he_normal", "he_uniform",
    "critical",
]  # fmt: skip
BatchNormPlacement = Literal["none", "before", "after"]
Clipping = Literal["none", "value", "norm", "global_norm"]
Scaling = Literal["unit", "standardize"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]
Reproducible = Literal["portable", "machine"]
Reference = Literal["majority", "logistic_regression", "random_forest"]

INITIALIZERS: tuple[Initializer, ...] = get_args(Initializer)
Separator = Literal[",", ";", "\t", "|", " "]
SEPARATORS: tuple[Separator, ...] = get_args(Separator)
DIGITS_CLASSES = tuple("0123456789")
FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CLASSES = {"digits": DIGITS_CLASSES, "fashion_mnist": FASHION_MNIST_CLASSES}
"""Of the datasets whose classes are known before they are read."""
# Where pydantic puts the branch it took of a union into an error's path: after which key, which words.
UNIONS: dict[int | str | None, set[int | str]] = {
    "data": {"digits", "fashion_mnist", "table"},
    "split": {"stratified", "official"},
}
SCALARS = {"int", "str"}
RESERVED = {"probes", "claims"}
"""Names that no study may have: a folder of results, an experiment of MLflow."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What studies and transfer experiments may be called: names of folders, of DVC's keys, words on a command line."""
MOST_VALUES = 100_000
"""In ``params.yaml``, its aliases written out."""
MOST_LAYERS, WIDEST, MOST_WEIGHTS = 10_000, 1_000_000, 10**10
"""Of a network's hidden layers. What is larger is a slip of the finger: it would not fit into any machine's memory."""
MOST_WORKERS = 1024
MOST_NETWORKS = 1_000_000
"""Of a block of a grid."""
AXES = ("initializer", "activation", "batch_norm", "clipping", "learning_rate")


def _fault(words: str, kind: Literal["says_it_all", "names_the_value", "study"] = "says_it_all") -> PydanticCustomError:
    """Return an error that `_line` shows as these words: after their key, after key and value, or alone."""
    return PydanticCustomError(kind, "{words}", {"words": words})


class Frozen(BaseModel):
    """A section of ``params.yaml``: immutable, typed strictly, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


# --- activations and their constants -----------------------------------------------------------


class NoSettings(Frozen):
    """An activation without constants."""


class LeakyReLUSettings(Frozen):
    """Slope for z < 0; Maas et al. 2013."""

    slope: Annotated[float, Field(ge=0, lt=1)]


class RReLUSettings(Frozen):
    """Bounds of the random slope for z < 0; Xu et al. 2015."""

    lower: Annotated[float, Field(ge=0, lt=1)]
    upper: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _ordered(self) -> "RReLUSettings":
        if self.lower > self.upper:
            raise _fault(f"lower = {self.lower} is above upper = {self.upper}")
        return self


class PReLUSettings(Frozen):
    """The learned slope's value before training; He et al. 2015."""

    start: Annotated[float, Field(ge=0, lt=1)]


class ELUSettings(Frozen):
    """Minus the value for z → -∞; Clevert et al. 2016."""

    alpha: Annotated[float, Field(gt=0)]


class GELUSigmoidSettings(Frozen):
    """Scale inside the sigmoid; Hendrycks & Gimpel 2016, section 2."""

    scale: Annotated[float, Field(gt=0)]


class SwishSettings(Frozen):
    """Scale inside the sigmoid; Ramachandran et al. 2017."""

    beta: Annotated[float, Field(gt=0)]


class Activations(Frozen):
    """Every activation of the registry with its constants. A field's name is the activation's name."""

    sigmoid: NoSettings
    tanh: NoSettings
    relu: NoSettings
    leaky_relu: LeakyReLUSettings
    rrelu: RReLUSettings
    prelu: PReLUSettings
    elu: ELUSettings
    selu: NoSettings
    gelu: NoSettings
    gelu_sigmoid: GELUSigmoidSettings
    swish: SwishSettings
    mish: NoSettings


ACTIVATIONS = tuple(Activations.model_fields)


def _known_activation(name: str) -> str:
    if name not in ACTIVATIONS:
        raise _fault(f"is not an activation{did_you_mean(name, ACTIVATIONS)}", "names_the_value")
    return name


Activation = Annotated[str, AfterValidator(_known_activation)]


# --- settings shared by all studies ------------------------------------------------------------


class BatchNorm(Frozen):
    """Keras's convention: moving = momentum · moving + (1 - momentum) · batch."""

    momentum: Annotated[float, Field(ge=0, lt=1)]
    eps: Annotated[float, Field(gt=0)]


class ClippingThresholds(Frozen):
    """The largest gradient that each clipping mode lets through."""

    value: Annotated[float, Field(gt=0)]
    norm: Annotated[float, Field(gt=0)]
    global_norm: Annotated[float, Field(gt=0)]


def _at_least_one_or_auto(size: int | str) -> int | str:
    if size == "auto" or (isinstance(size, int) and 1 <= size <= MOST_NETWORKS):
        return size
    raise _fault("is not a number; allowed: 1 or more, or auto", "names_the_value")


def _processes_or_auto(count: int | str) -> int | str:
    if count == "auto" or (isinstance(count, int) and 1 <= count <= MOST_WORKERS):
        return count
    raise _fault(f"is not a number of processes; allowed: 1 to {MOST_WORKERS:,}, or auto", "names_the_value")


class Compute(Frozen):
    """Where networks are trained, how many at once, and on which machines they come out bit for bit the same."""

    accelerator: Accelerator
    reproducible: Reproducible
    """See `pipeline.compute.rounding`, which reads it before anything else is loaded."""
    workers: Annotated[int | str, AfterValidator(_processes_or_auto)]
    stack_size: Annotated[int | str, AfterValidator(_at_least_one_or_auto)]


def _epoch_or_last(epoch: int | str) -> int | str:
    if epoch == "last" or (isinstance(epoch, int) and epoch >= 0):
        return epoch
    raise _fault("is not an epoch; allowed: 0 (before the first step), 1, 2, …, last", "names_the_value")


class Verdicts(Frozen):
    """Where a network stops being healthy; see `pipeline.training.verdicts`."""

    dead: Annotated[float, Field(gt=0, le=1)]
    saturated: Annotated[float, Field(gt=0, le=1)]
    gradient_ratio: Annotated[float, Field(gt=1)]


class Health(Frozen):
    """When and on what the layers are looked at while training."""

    epochs: tuple[Annotated[int | str, AfterValidator(_epoch_or_last)], ...]
    samples: Annotated[int, Field(ge=2, le=1_000_000)]
    verdicts: Verdicts


class Propagation(Frozen):
    """The measurement at initialisation, and when it bears the theory out."""

    depth: Annotated[int, Field(ge=2, le=MOST_LAYERS)]
    width: Annotated[int, Field(ge=1, le=10_000)]
    seeds: Annotated[int, Field(ge=1, le=1000)]
    samples: Annotated[int, Field(ge=2, le=10_000)]
    tolerance: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _fits_into_memory(self) -> "Propagation":
        weights = self.depth * self.width**2
        if weights > MOST_WEIGHTS // 10:
            raise _fault(
                f"depth {self.depth} and width {self.width} make {weights:,} weights a network; allowed: up to "
                f"{MOST_WEIGHTS // 10:,}"
            )
        return self


class Evaluation(Frozen):
    """What the evaluation reports."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    equivalence: Annotated[float, Field(gt=0, lt=1)]
    references: tuple[Reference, ...]


# --- a study -----------------------------------------------------------------------------------

Fraction = Annotated[float, Field(gt=0, lt=1)]


class StratifiedSplit(Frozen):
    """Shares of the samples, drawn by scikit-learn so that every class keeps its share."""

    kind: Literal["stratified"]
    validation: Fraction
    test: Fraction
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> "StratifiedSplit":
        if self.validation + self.test >= 1:
            total = round(self.validation + self.test, 6)
            raise _fault(f"validation + test = {total} leaves nothing to train on; allowed: below 1")
        return self


class OfficialSplit(Frozen):
    """The dataset's own test set; the first ``validation`` training samples for validation."""

    kind: Literal["official"]
    validation: Annotated[int, Field(ge=1)]


class BundledData(Frozen):
    """A dataset that the project knows by name."""

    source: Literal["digits"]
    scaling: Scaling
    split: StratifiedSplit


class FashionData(Frozen):
    """Zalando's Fashion-MNIST; Xiao et al. 2017."""

    source: Literal["fashion_mnist"]
    scaling: Scaling
    split: Annotated[OfficialSplit | StratifiedSplit, Field(discriminator="kind")]


def _watched_by_dvc(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.is_relative_to(TABLES):
        raise _fault(f"is not under {TABLES}/, where DVC notices that a table changed", "names_the_value")
    return path


class TableData(Frozen):
    """A CSV, Parquet or NPZ file of the user's, in ``data/tables/``.

    The last three are the file's only keys that may be left out: most tables need none of them.
    """

    source: Literal["table"]
    path: Annotated[str, AfterValidator(_watched_by_dvc)]
    target: Annotated[str, Field(min_length=1)]
    scaling: Scaling
    split: StratifiedSplit
    drop: tuple[str, ...] = ()
    """Columns that are no features."""
    separator: Separator = ","
    """Between the columns of a CSV file."""
    decimal: Literal[".", ","] = "."
    """Mark of a CSV file's numbers."""

    @model_validator(mode="after")
    def _tells_columns_from_decimals(self) -> "TableData":
        if self.separator == self.decimal:
            raise _fault(
                f"separator and decimal are both {self.decimal!r}; a CSV with decimal commas is separated by ';'"
            )
        return self


Data = Annotated[BundledData | FashionData | TableData, Field(discriminator="source")]


class Training(Frozen):
    """The budget of every network of a study, and plain SGD's settings."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=2, le=2**31)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    nesterov: bool

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Training":
        if self.nesterov and self.momentum == 0:
            raise _fault("nesterov: true needs momentum above 0")
        return self


class Cell(NamedTuple):
    """One value on every axis."""

    initializer: Initializer
    activation: str
    batch_norm: BatchNormPlacement
    clipping: Clipping
    learning_rate: float


class Network(NamedTuple):
    """A cell and a seed: what is trained once."""

    cell: Cell
    seed: int


T = TypeVar("T")


def _some_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise _fault("is empty; allowed: at least one value")
    seen = set()
    for value in values:
        if value in seen:
            raise _fault(f"names {value!r} more than once")
        seen.add(value)
    return values


Values = Annotated[tuple[T, ...], AfterValidator(_some_once)]


class GridBlock(Frozen):
    """The product of its axes' values and seeds."""

    initializer: Values[Initializer]
    activation: Values[Activation]
    batch_norm: Values[BatchNormPlacement]
    clipping: Values[Clipping]
    learning_rate: Values[Annotated[float, Field(gt=0)]]
    seed: Values[Annotated[int, Field(ge=0, lt=2**32)]]

    @model_validator(mode="after")
    def _can_be_counted(self) -> "GridBlock":
        count = math.prod(map(len, self._axes)) * len(self.seed)
        if count > MOST_NETWORKS:
            raise _fault(f"asks for {count:,} networks; allowed: up to {MOST_NETWORKS:,} in a block")
        return self

    @property
    def _axes(self) -> tuple[tuple[Any, ...], ...]:
        return (self.initializer, self.activation, self.batch_norm, self.clipping, self.learning_rate)

    def networks(self) -> Iterator[Network]:
        """Yield every network of the block."""
        for cell in map(Cell._make, product(*self._axes)):
            yield from (Network(cell, seed) for seed in self.seed)


def _layers_of(item: int | str) -> tuple[int, int] | None:
    """Return how many layers of which width an item of ``hidden`` stands for; ``None`` where it is no such item."""
    found = re.fullmatch(r"(?:([0-9]{1,18})x)?([0-9]{1,18})", str(item))
    layers = (int(found[1] or 1), int(found[2])) if found else (0, 0)
    return layers if min(layers) > 0 else None


def _widths(hidden: tuple[int | str, ...]) -> tuple[int | str, ...]:
    depth = weights = below = 0
    for item in hidden:
        layers = _layers_of(item)
        if layers is None:
            raise _fault(f"found {item!r}; allowed: a width such as 100, or layers × width such as 20x50")
        count, width = layers
        depth += count
        weights += width * (below + (count - 1) * width)
        below = width
        if width > WIDEST or depth > MOST_LAYERS or weights > MOST_WEIGHTS:
            raise _fault(
                f"found {item!r}; allowed: up to {MOST_LAYERS:,} layers, {WIDEST:,} units in each and {MOST_WEIGHTS:,} "
                "weights between them"
            )
    return hidden


def written_out(hidden: tuple[int | str, ...]) -> tuple[int, ...]:
    """Return ``[300, 99x100]`` as 100 widths."""
    layers = filter(None, map(_layers_of, hidden))
    return tuple(width for count, width in layers for _ in range(count))


class Study(Frozen):
    """One dataset, network shape, budget and grid."""

    data: Data
    hidden: Annotated[tuple[int | str, ...], AfterValidator(_widths)]
    training: Training
    grid: Annotated[tuple[GridBlock, ...], AfterValidator(_some_once)]

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """Units of every hidden layer, lowest first: ``[300, 99x100]`` written out. Empty for a linear model."""
        return written_out(self.hidden)

    def networks(self) -> list[Network]:
        """Return every network that some block names, once, sorted by its axes and seed."""
        return sorted({network for block in self.grid for network in block.networks()})


def _layers_or_all(layers: int | str) -> int | str:
    if layers == "all" or (isinstance(layers, int) and layers >= 0):
        return layers
    raise _fault("is not a number of layers; allowed: 0, 1, 2, …, all", "names_the_value")


Layers = Annotated[int | str, AfterValidator(_layers_or_all)]


class Transfer(Frozen):
    """A task A with many labels, a task B with few, and what of A's network B reuses; see `pipeline.transfer`."""

    task_a: Values[str]
    task_b: Values[str]
    hidden: Annotated[tuple[int | str, ...], Field(min_length=1), AfterValidator(_widths)]
    activation: Activation
    initializer: Initializer
    batch_norm: BatchNormPlacement
    training: Training
    learning_rate: Annotated[float, Field(gt=0)]
    labels: Values[Annotated[int, Field(ge=2)]]
    choose: Literal["first", "stratified"]
    reused: Values[Layers]
    unfrozen: Values[Layers]
    frozen_epochs: Annotated[int, Field(ge=0)]
    unfrozen_learning_rate: Annotated[float, Field(gt=0)]
    seed: Values[Annotated[int, Field(ge=0, lt=2**32)]]

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """Units of every hidden layer, lowest first."""
        return written_out(self.hidden)

    def unknown_class(self, known: Sequence[str]) -> str | None:
        """Return which class is none of those known, and what it may have meant; ``None`` where all are."""
        for task in ("task_a", "task_b"):
            for index, name in enumerate(getattr(self, task)):
                if name not in known:
                    return f"{task}[{index}]: {name!r} is not a class{did_you_mean(name, known)}"
        return None

    @model_validator(mode="after")
    def _fits_together(self) -> "Transfer":
        for task in (self.task_a, self.task_b):
            if len(task) < 2:
                raise _fault(f"a task of the one class {task[0]} is no task")
        both = [name for name in self.task_a if name in self.task_b]
        if both:
            raise _fault(f"class {both[0]!r} is in task_a and in task_b")
        depth = len(self.hidden_widths)
        for axis in ("reused", "unfrozen"):
            for layers in getattr(self, axis):
                if isinstance(layers, int) and layers > depth:
                    raise _fault(f"{axis}: found {layers}; allowed: 0 to the {depth} hidden layers, or all")
        if self.frozen_epochs > self.training.epochs:
            raise _fault(
                f"frozen_epochs: found {self.frozen_epochs}; allowed: at most the {self.training.epochs} epochs of "
                "training"
            )
        return self


class Params(Frozen):
    """The whole of ``params.yaml``."""

    run: Values[str]
    activations: Activations
    batch_norm: BatchNorm
    clipping: ClippingThresholds
    compute: Compute
    health: Health
    propagation: Propagation
    evaluation: Evaluation
    studies: Annotated[dict[str, Study], Field(min_length=1)]
    transfer: dict[str, dict[str, Transfer]]
    """By study and experiment."""

    @model_validator(mode="after")
    def _names_what_can_be_named(self) -> "Params":
        named = [("studies", name) for name in self.studies]
        named += [(f"transfer.{study}", name) for study, found in self.transfer.items() for name in found]
        for key, name in named:
            if not NAME.fullmatch(name):
                raise _fault(
                    f"{key}: {name!r} is not a name; allowed: up to 64 letters, digits, _ and -, the first a letter or "
                    "a digit", "study",
                )  # fmt: skip
        folded: dict[str, str] = {}
        for name in self.studies:
            other = folded.setdefault(name.casefold(), name)
            if other != name:
                raise _fault(
                    f"studies.{name}: differs by case alone from {other}; on some systems both have one folder", "study"
                )
        return self

    @model_validator(mode="after")
    def _asks_for_what_there_is(self) -> "Params":
        longest = max((self.studies[name].training.epochs for name in self.run if name in self.studies), default=None)
        for index, epoch in enumerate(self.health.epochs):
            if isinstance(epoch, int) and longest is not None and epoch > longest:
                raise _fault(
                    f"health.epochs[{index}]: found {epoch}; allowed: up to {longest}, the epochs of the longest study "
                    "in run, and last", "study",
                )  # fmt: skip
        for study, experiments in self.transfer.items():
            known = CLASSES.get(self.studies[study].data.source) if study in self.studies else None
            for name, transfer in experiments.items():
                unknown = transfer.unknown_class(known) if known else None
                if unknown:
                    raise _fault(f"transfer.{study}.{name}.{unknown}", "study")
        return self

    @model_validator(mode="after")
    def _runs_known_studies(self) -> "Params":
        for index, name in enumerate(self.run):
            if name not in self.studies:
                raise _fault(f"run[{index}]: {name!r} is not a study{did_you_mean(name, self.studies)}", "study")
        for name in sorted({*self.studies} & RESERVED):
            raise _fault(
                f"studies.{name}: this name is taken, results/{name} is not a study's; allowed: any other", "study"
            )
        for name in self.transfer:
            if name not in self.studies:
                raise _fault(f"transfer.{name}: is not a study{did_you_mean(name, self.studies)}", "study")
        return self

    def study(self, name: str) -> Study:
        """Return the study of that name.

        Raises:
            ParamsError: there is none.
        """
        if name not in self.studies:
            raise ParamsError(f"{name!r} is not a study of params.yaml{did_you_mean(name, self.studies)}")
        return self.studies[name]


# --- reading the file --------------------------------------------------------------------------


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
        raw = YAML(typ="safe").load(text)
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
        return Params.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        # Of a union, pydantic reports every branch that failed: the first says enough.
        lines = {tuple(_keys(details["loc"])): _line(details) for details in reversed(error.errors())}
        faults = [*reversed(lines.values())]
        more = [f"… and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
        raise ParamsError("\n".join(faults[:SHOWN] + more)) from None


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


def _line(error: ErrorDetails) -> str:
    """Return one error as ``key: what was found; what is allowed``."""
    path = _keys(error["loc"])
    key, value, kind, context = _key(path), error["input"], error["type"], error.get("ctx", {})
    if kind == "study":
        return error["msg"]
    if kind == "json_invalid":  # half of a surrogate pair
        return f"params.yaml: holds what is no text: {error['msg']}"
    if kind == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(path[-1], _siblings(path))}"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "literal_error":
        allowed = [word.strip(" '") for word in context["expected"].replace(" or ", ",").split(",")]
        return f"{key}: {value!r} is not {_noun(path)}{did_you_mean(value, allowed)}"
    if kind == "union_tag_invalid":
        allowed = [word.strip(" '") for word in context["expected_tags"].split(",")]
        tag = context["discriminator"].strip("'")
        return f"{key}.{tag}: {context['tag']!r} is not {_noun([tag])}{did_you_mean(context['tag'], allowed)}"
    if kind == "names_the_value":
        return f"{key}: {value!r} {error['msg']}"
    if kind == "says_it_all":
        return f"{key}: {error['msg']}"
    return f"{key}: found {value!r}; {error['msg'].replace('Input should', 'it should')}"


def _noun(path: Sequence[int | str]) -> str:
    """Return what the value at a path should have been: ``an initializer``."""
    last = next((str(part) for part in reversed(path) if isinstance(part, str)), "value")
    word = last.replace("_", " ").removesuffix("s")
    return f"{'an' if word[0] in 'aeio' else 'a'} {word}"


def _key(path: Sequence[int | str]) -> str:
    """Write a path as ``studies.digits.grid[0].initializer[2]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _siblings(path: Sequence[int | str]) -> list[str]:
    """Return the keys allowed where an unknown one was found, by walking the models along the path."""
    model: Any = Params
    for part in path[:-1]:
        models = [m for m in _models(model) if str(part) in m.model_fields]
        if models:  # else an item of a list, or a study's name: its model was taken with the list or the dict
            model = models[0].model_fields[str(part)].annotation
    return sorted({name for m in _models(model) for name in m.model_fields})


def _models(annotation: Any) -> list[type[Frozen]]:
    """Return the models that an annotation mentions: of a list, its items; of a dict, its values."""
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _keys(location: tuple[int | str, ...]) -> list[int | str]:
    """Return an error's location less what names no key of the file: the branch that pydantic took of a union."""
    return [
        part
        for before, part in zip((None, *location), location, strict=False)
        if part not in SCALARS and not (before in UNIONS and part in UNIONS[before])
    ]


def main() -> int:
    """Check ``params.yaml`` and say what it builds. Returns the exit code."""
    speak_plainly()
    try:
        params = load_params()
    except ParamsError as error:
        print(error, file=sys.stderr)
        return 1
    for name in params.run:
        print(f"{name}: {len(params.studies[name].networks()):,} networks")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
