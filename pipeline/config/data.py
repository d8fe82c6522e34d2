"""A study's data: where they come from, how they are scaled and split."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.base import Frozen, fault

TABLES = PurePosixPath("data/tables")
Scaling = Literal["unit", "standardize"]
Separator = Literal[",", ";", "\t", "|", " "]
SEPARATORS: tuple[Separator, ...] = get_args(Separator)
DIGITS_CLASSES = tuple("0123456789")
FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CLASSES = {"digits": DIGITS_CLASSES, "fashion_mnist": FASHION_MNIST_CLASSES}
"""Of the datasets whose classes are known before they are read."""

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
            raise fault(f"validation + test = {total} leaves nothing to train on; allowed: below 1")
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
        raise fault(f"is not under {TABLES}/, where DVC notices that a table changed", "names_the_value")
    return path


class SequenceData(Frozen):
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
    samples: Annotated[int, Field(ge=10, le=10_000_000)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    scaling: Scaling
    split: StratifiedSplit

    @model_validator(mode="after")
    def _adds_to_more_or_less(self) -> "SequenceData":
        if self.task == "adding" and self.classes != 2:
            raise fault(f"classes: found {self.classes}; allowed: 2, which is what adding tells apart")
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


Data = Annotated[BundledData | FashionData | SequenceData | TableData, Field(discriminator="source")]


def steps_of(data: BundledData | FashionData | SequenceData | TableData) -> tuple[int, int] | None:
    """Return how many steps a recurrent network may read, at least and at most; ``None`` where there are none."""
    match data:
        case BundledData():
            return 8, 8
        case FashionData():
            return 28, 28
        case SequenceData():
            return (2 if data.task == "recall" else data.steps), data.steps
        case TableData():
            return None
