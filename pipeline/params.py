"""``params.yaml`` as validated, frozen models.

The file holds every knob, so no model here has a default: what is missing is an error, not a surprise.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from pipeline.errors import ParamsError, did_you_mean

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
# Where pydantic puts the branch it took of a union into an error's path: after which key, which words.
UNIONS: dict[int | str | None, set[int | str]] = {
    "data": {"digits", "fashion_mnist", "table"},
    "split": {"stratified", "official"},
}
SCALARS = {"int", "str"}
RESERVED = {"probes", "claims"}
"""Names that no study may have: a folder of results, an experiment of MLflow."""
AXES = ("initializer", "activation", "batch_norm", "clipping", "learning_rate")


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
            raise PydanticCustomError(
                "says_it_all",
                "lower = {lower} is above upper = {upper}",
                {"lower": self.lower, "upper": self.upper},
            )
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
        raise PydanticCustomError(
            "names_the_value", "is not an activation{hint}", {"hint": did_you_mean(name, ACTIVATIONS)}
        )
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
    if size == "auto" or (isinstance(size, int) and size >= 1):
        return size
    raise PydanticCustomError("names_the_value", "is not a number; allowed: 1 or more, or auto")


class Compute(Frozen):
    """Where networks are trained, how many at once, and on which machines they come out bit for bit the same."""

    accelerator: Accelerator
    reproducible: Reproducible
    """See `pipeline.compute.rounding`, which reads it before anything else is loaded."""
    workers: Annotated[int | str, AfterValidator(_at_least_one_or_auto)]
    stack_size: Annotated[int | str, AfterValidator(_at_least_one_or_auto)]


def _epoch_or_last(epoch: int | str) -> int | str:
    if epoch == "last" or (isinstance(epoch, int) and epoch >= 0):
        return epoch
    raise PydanticCustomError("names_the_value", "is not an epoch; allowed: 0 (before the first step), 1, 2, …, last")


class Verdicts(Frozen):
    """Where a network stops being healthy; see `pipeline.training.verdicts`."""

    dead: Annotated[float, Field(gt=0, le=1)]
    saturated: Annotated[float, Field(gt=0, le=1)]
    gradient_ratio: Annotated[float, Field(gt=1)]


class Health(Frozen):
    """When and on what the layers are looked at while training."""

    epochs: tuple[Annotated[int | str, AfterValidator(_epoch_or_last)], ...]
    samples: Annotated[int, Field(ge=2)]
    verdicts: Verdicts


class Propagation(Frozen):
    """The measurement at initialisation, and when it bears the theory out."""

    depth: Annotated[int, Field(ge=2)]
    width: Annotated[int, Field(ge=1)]
    seeds: Annotated[int, Field(ge=1)]
    samples: Annotated[int, Field(ge=2)]
    tolerance: Annotated[float, Field(gt=0)]


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
            raise PydanticCustomError(
                "says_it_all",
                "validation + test = {total} leaves nothing to train on; allowed: below 1",
                {"total": round(self.validation + self.test, 6)},
            )
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
        raise PydanticCustomError(
            "names_the_value",
            "is not under {tables}/, where DVC notices that a table changed",
            {"tables": str(TABLES)},
        )
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
            raise PydanticCustomError(
                "says_it_all", "separator and decimal are both {mark}; a CSV with decimal commas is separated by ';'",
                {"mark": repr(self.decimal)},
            )  # fmt: skip
        return self


Data = Annotated[BundledData | FashionData | TableData, Field(discriminator="source")]


class Training(Frozen):
    """The budget of every network of a study, and plain SGD's settings."""

    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=2)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    nesterov: bool

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Training":
        if self.nesterov and self.momentum == 0:
            raise PydanticCustomError("says_it_all", "nesterov: true needs momentum above 0")
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
        raise PydanticCustomError("says_it_all", "is empty; allowed: at least one value")
    for value in values:
        if values.count(value) > 1:
            raise PydanticCustomError("says_it_all", "names {value} more than once", {"value": repr(value)})
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

    def networks(self) -> Iterator[Network]:
        """Yield every network of the block."""
        axes = (self.initializer, self.activation, self.batch_norm, self.clipping, self.learning_rate)
        for cell in map(Cell._make, product(*axes)):
            yield from (Network(cell, seed) for seed in self.seed)


def _widths(hidden: tuple[int | str, ...]) -> tuple[int | str, ...]:
    for item in hidden:
        count, _, width = str(item).rpartition("x")
        if not (width.isdecimal() and int(width) > 0 and (count == "" or (count.isdecimal() and int(count) > 0))):
            raise PydanticCustomError(
                "says_it_all",
                "found {item}; allowed: a width such as 100, or layers × width such as 20x50",
                {"item": repr(item)},
            )
    return hidden


def written_out(hidden: tuple[int | str, ...]) -> tuple[int, ...]:
    """Return ``[300, 99x100]`` as 100 widths."""
    widths: list[int] = []
    for item in hidden:
        count, _, width = str(item).rpartition("x")
        widths += [int(width)] * int(count or 1)
    return tuple(widths)


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
    raise PydanticCustomError("names_the_value", "is not a number of layers; allowed: 0, 1, 2, …, all")


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

    @model_validator(mode="after")
    def _fits_together(self) -> "Transfer":
        for task in (self.task_a, self.task_b):
            if len(task) < 2:
                raise PydanticCustomError("says_it_all", "a task of the one class {name} is no task", {"name": task[0]})
        both = [name for name in self.task_a if name in self.task_b]
        if both:
            raise PydanticCustomError("says_it_all", "class {name} is in task_a and in task_b", {"name": repr(both[0])})
        depth = len(self.hidden_widths)
        for axis in ("reused", "unfrozen"):
            for layers in getattr(self, axis):
                if isinstance(layers, int) and layers > depth:
                    raise PydanticCustomError(
                        "says_it_all", "{axis}: found {layers}; allowed: 0 to the {depth} hidden layers, or all",
                        {"axis": axis, "layers": layers, "depth": depth},
                    )  # fmt: skip
        if self.frozen_epochs > self.training.epochs:
            raise PydanticCustomError(
                "says_it_all", "frozen_epochs: found {frozen}; allowed: at most the {epochs} epochs of training",
                {"frozen": self.frozen_epochs, "epochs": self.training.epochs},
            )  # fmt: skip
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
    def _runs_known_studies(self) -> "Params":
        for index, name in enumerate(self.run):
            if name not in self.studies:
                raise PydanticCustomError(
                    "study", "run[{index}]: '{name}' is not a study{hint}",
                    {"index": index, "name": name, "hint": did_you_mean(name, self.studies)},
                )  # fmt: skip
        for name in sorted({*self.studies} & RESERVED):
            raise PydanticCustomError(
                "study", "studies.{name}: this name is taken, results/{name} is not a study's; allowed: any other",
                {"name": name},
            )  # fmt: skip
        for name in self.transfer:
            if name not in self.studies:
                raise PydanticCustomError(
                    "study", "transfer.{name}: is not a study{hint}",
                    {"name": name, "hint": did_you_mean(name, self.studies)},
                )  # fmt: skip
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
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is not here; run from the project's folder") from None
    except MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ParamsError(f"{path}{where}: not valid YAML: {error.problem}") from None
    return parse_params(raw)


def parse_params(raw: object) -> Params:
    """Validate what a YAML file held. Errors as in `load_params`."""
    if not isinstance(raw, dict):
        raise ParamsError(f"params.yaml: expected keys and values, found {raw!r}")
    try:
        # JSON's rules, not Python's: a YAML list may fill a tuple, while '0.1' still fills no number.
        return Params.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        # Of a union, pydantic reports every branch that failed: the first says enough.
        lines = {tuple(_keys(details["loc"])): _line(details) for details in reversed(error.errors())}
        raise ParamsError("\n".join(reversed(lines.values()))) from None


def _line(error: ErrorDetails) -> str:
    """Return one error as ``key: what was found; what is allowed``."""
    path = _keys(error["loc"])
    key, value, kind, context = _key(path), error["input"], error["type"], error.get("ctx", {})
    if kind == "study":
        return error["msg"]
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
    word = next(str(part) for part in reversed(path) if isinstance(part, str)).replace("_", " ").removesuffix("s")
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
