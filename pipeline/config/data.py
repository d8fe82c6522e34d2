"""A study's data: where they come from, how they are scaled and split."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from .base import Frozen, fault

TABLES = PurePosixPath("data/tables")
Scaling = Literal["unit", "standardize"]
Separator = Literal[",", ";", "\t", "|", " "]
SEPARATORS: tuple[Separator, ...] = get_args(Separator)
DIGITS_CLASSES = tuple("0123456789")
FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CLASSES = {
    "digits": DIGITS_CLASSES,
    "breast_cancer": ("malignant", "benign"),
    "wine": ("class_0", "class_1", "class_2"),
    "fashion_mnist": FASHION_MNIST_CLASSES,
}
"""Of the datasets whose classes are known before they are read."""

Fraction = Annotated[float, Field(gt=0, lt=1)]


class StratifiedSplit(Frozen):
    """Shares of the samples, drawn so that every class keeps its share: for each seed of a grid anew.

    What a network comes to depends on which samples it learns from, as it does on its initial weights.
    """

    kind: Literal["stratified"]
    validation: Fraction
    test: Fraction
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    seeds_per_split: Annotated[int, Field(ge=1, le=2**32)] = 1
    """1: every seed of a grid has a split of its own. 5: seeds 0 to 4 share one, 5 to 9 the next."""

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> "StratifiedSplit":
        if self.validation + self.test >= 1:
            total = round(self.validation + self.test, 6)
            raise fault(f"validation + test = {total} leaves nothing to train on; allowed: below 1")
        return self


class OfficialSplit(Frozen):
    """The dataset's own test set; the first or the last ``validation`` training samples for validation."""

    kind: Literal["official"]
    validation: Annotated[int, Field(ge=1)]
    validation_at: Literal["start", "end"] = "start"


class BundledData(Frozen):
    """A dataset that comes with scikit-learn."""

    source: Literal["digits", "breast_cancer", "wine"]
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
        raise fault(f"is not under {TABLES}/, where DVC notices that a table changed", "names_the_value")
    return path


class DrawnData(Frozen):
    """Synthetic samples: as many as are asked for, drawn by a seed."""

    samples: Annotated[int, Field(ge=10, le=10_000_000)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    scaling: Scaling
    split: StratifiedSplit


class SequenceData(DrawnData):
    """Synthetic sequences: one number or symbol must be kept in mind for many steps.

    ``recall``: the first step shows a symbol, one of ``classes``; noise follows; the class is the symbol. A network of
    fewer steps reads the first ones, and has as much less to keep in mind. ``adding`` (Hochreiter & Schmidhuber 1997,
    section 5.4): each step shows a number from U(0, 1) and a mark, which one step of each half bears; the class is
    whether the two marked numbers sum to more than 1.
    """

    source: Literal["sequences"]
    task: Literal["recall", "adding"]
    steps: Annotated[int, Field(ge=2, le=10_000)]
    classes: Annotated[int, Field(ge=2, le=100)]

    @model_validator(mode="after")
    def _adds_to_more_or_less(self) -> "SequenceData":
        if self.task == "adding" and self.classes != 2:
            raise fault(f"classes: found {self.classes}; allowed: 2, which is what adding tells apart")
        return self


class TeacherData(DrawnData):
    """Points that a teacher network of random weights has named: a student of its depth can be right on all of them.

    Points are from U(-1, 1). The teacher has ReLU units and one output, whose range is cut into ``classes`` parts of
    equally many samples.
    """

    source: Literal["teacher"]
    depth: Annotated[int, Field(ge=1, le=100)]
    """Hidden layers of the teacher."""
    features: Annotated[int, Field(ge=1, le=1_000)]
    """The teacher's hidden layers are as wide."""
    classes: Annotated[int, Field(ge=2, le=100)]


class SpiralsData(DrawnData):
    """Spirals in a plane, one arm for each class (Lang & Witbrock 1988): the more turns, the harder to tell apart."""

    source: Literal["spirals"]
    turns: Annotated[float, Field(gt=0, le=100)]
    noise: Annotated[float, Field(ge=0, le=1)]
    """Each coordinate is off by U(-noise, noise); the arms end at a distance of 1 from the middle."""
    classes: Annotated[int, Field(ge=2, le=100)]


class ParityData(DrawnData):
    """Words of -1 and 1, by whether the first ``bits`` have an even number of -1: no fewer of them tell anything."""

    source: Literal["parity"]
    bits: Annotated[int, Field(ge=1, le=60)]
    features: Annotated[int, Field(ge=1, le=1_000)]
    """All bits; those after the first ``bits`` are noise."""

    @model_validator(mode="after")
    def _has_its_bits(self) -> "ParityData":
        if self.bits > self.features:
            raise fault(f"bits: found {self.bits}; allowed: at most {self.features}, the features")
        return self


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
            raise fault(
                f"separator and decimal are both {self.decimal!r}; a CSV with decimal commas is separated by ';'"
            )
        return self


AnyData = BundledData | FashionData | SequenceData | TeacherData | SpiralsData | ParityData | TableData
Data = Annotated[AnyData, Field(discriminator="source")]


def steps_of(data: AnyData) -> tuple[int, int] | None:
    """Return how many steps a recurrent network may read, at least and at most; ``None`` where there are none."""
    match data:
        case BundledData(source="digits"):
            return 8, 8
        case FashionData():
            return 28, 28
        case SequenceData():
            return (2 if data.task == "recall" else data.steps), data.steps
        case _:
            return None


def dataset_name(data: AnyData) -> str:
    """Return what a dataset is called, whichever way it is scaled and split."""
    match data:
        case SequenceData():
            return f"{data.task} of {data.steps} steps"
        case TeacherData():
            return f"teacher of {data.depth} layers"
        case SpiralsData():
            return f"spirals of {data.turns:g} turns"
        case ParityData():
            return f"parity of {data.bits} bits"
        case TableData():
            return PurePosixPath(data.path).stem
        case _:
            return data.source
