"""``params.yaml`` as validated, frozen models.

The file holds every knob, so no model here has a default: what is missing is an error, not a surprise. Axes may be left
out of a grid where they stay at their neutral level.
"""

import re
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ..errors import ParamsError, did_you_mean
from ..grid import MOST_LAYERS, MOST_WEIGHTS
from .base import Frozen, Values, each_once, fault
from .data import CLASSES
from .map import Map
from .study import Looks, Study
from .transfer import Transfer

Accelerator = Literal["auto", "cpu", "gpu", "mps"]
Reproducible = Literal["portable", "machine"]
Reference = Literal["majority", "logistic_regression", "random_forest"]
RESERVED = {"probes", "claims", "maps"}
"""Names that no study may have: a folder of results, an experiment of MLflow."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What studies and transfer experiments may be called: names of folders, of DVC's keys, words on a command line."""
RATES = tuple(float(f"{digit}e{power}") for power in range(-6, 3) for digit in (1, 3))
"""Learning rates that are tried where they are tuned: about evenly spaced in their logarithm."""
MOST_WORKERS = 1024
MOST_STACKED = 1_000_000
"""Networks in a stack."""


def up_to_or_auto(most: int, noun: str) -> AfterValidator:
    """Return what lets a number from 1, or ``auto``, pass."""

    def checked(number: int | str) -> int | str:
        if number == "auto" or (isinstance(number, int) and 1 <= number <= most):
            return number
        raise fault(f"is not a number of {noun}; allowed: 1 to {most:,}, or auto", "names_the_value")

    return AfterValidator(checked)


class Compute(Frozen):
    """Where networks are trained, how many at once, and on which machines they come out bit for bit the same."""

    accelerator: Accelerator
    reproducible: Reproducible
    """See `pipeline.compute.rounding`, which reads it before anything else is loaded."""
    engine: Literal["local", "ray"]
    workers: Annotated[int | str, up_to_or_auto(MOST_WORKERS, "processes")]
    """Of the engine ``local``, and CPUs of a Ray cluster that is this machine's own."""
    num_cpus: Annotated[float, Field(ge=0.01, le=1024)]
    """Of a task of the engine ``ray``."""
    num_gpus: Annotated[float, Field(ge=0, le=64)]
    stack_size: Annotated[int | str, up_to_or_auto(MOST_STACKED, "networks")]


class Verdicts(Frozen):
    """Where a network stops being healthy; see `pipeline.verdicts`."""

    dead: Annotated[float, Field(gt=0, le=1)]
    saturated: Annotated[float, Field(gt=0, le=1)]
    gradient_ratio: Annotated[float, Field(gt=1)]


class Health(Looks):
    """How the layers of all studies are looked at that do not say otherwise, and what they are judged by."""

    verdicts: Verdicts


def _from_the_ladder(rate: float) -> float:
    if rate in RATES:
        return rate
    raise fault(
        f"is not one of the rates that are tried; allowed: {', '.join(f'{rate:g}' for rate in RATES)}",
        "names_the_value",
    )


class Tuning(Frozen):
    """How the learning rates of a grid are found that are ``tuned``; see `pipeline.training.tuning`."""

    seeds: Annotated[int, Field(ge=1, le=1000)]
    rates: Values[Annotated[float, AfterValidator(_from_the_ladder)]]


class Propagation(Frozen):
    """The measurement at initialisation."""

    depth: Annotated[int, Field(ge=2, le=MOST_LAYERS)]
    width: Annotated[int, Field(ge=1, le=10_000)]
    seeds: Annotated[int, Field(ge=1, le=1000)]
    samples: Annotated[int, Field(ge=2, le=10_000)]

    @model_validator(mode="after")
    def _fits_into_memory(self) -> "Propagation":
        weights = self.depth * self.width**2
        if weights > MOST_WEIGHTS // 10:
            raise fault(
                f"depth {self.depth} and width {self.width} make {weights:,} weights a network; allowed: up to "
                f"{MOST_WEIGHTS // 10:,}"
            )
        return self


class Evaluation(Frozen):
    """What the evaluation reports."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    equivalence: Annotated[float, Field(gt=0, lt=1)]
    references: tuple[Reference, ...]


class Params(Frozen):
    """The whole of ``params.yaml``."""

    run: Values[str]
    base_seed: Annotated[int, Field(ge=0, lt=2**30)]
    """Added to every seed of grids and transfer experiments, once the file is read."""
    compute: Compute
    health: Health
    tuning: Tuning
    propagation: Propagation
    evaluation: Evaluation
    studies: Annotated[dict[str, Study], Field(min_length=1)]
    transfer: dict[str, dict[str, Transfer]]
    """By study and experiment."""
    draw: Annotated[tuple[str, ...], AfterValidator(each_once)]
    """Of the maps, those that are made."""
    maps: dict[str, Map]

    @model_validator(mode="after")
    def _names_what_can_be_named(self) -> "Params":
        named = [("studies", name) for name in self.studies]
        named += [("maps", name) for name in self.maps]
        named += [(f"transfer.{study}", name) for study, found in self.transfer.items() for name in found]
        for key, name in named:
            if not NAME.fullmatch(name):
                raise fault(
                    f"{key}: {name!r} is not a name; allowed: up to 64 letters, digits, _ and -, the first a letter or "
                    "a digit", "study",
                )  # fmt: skip
        folded: dict[str, str] = {}
        for name in self.studies:
            other = folded.setdefault(name.casefold(), name)
            if other != name:
                raise fault(
                    f"studies.{name}: differs by case alone from {other}; on some systems both have one folder", "study"
                )
        return self

    @model_validator(mode="after")
    def _asks_for_what_there_is(self) -> "Params":
        longest = max((self.studies[name].training.epochs for name in self.run if name in self.studies), default=None)
        for index, epoch in enumerate(self.health.epochs):
            if isinstance(epoch, int) and longest is not None and epoch > longest:
                raise fault(
                    f"health.epochs[{index}]: found {epoch}; allowed: up to {longest}, the epochs of the longest study "
                    "in run, and last", "study",
                )  # fmt: skip
        for study, experiments in self.transfer.items():
            for name, transfer in experiments.items():
                for twin in {*transfer.with_variants(name)} & experiments.keys() - {name}:
                    raise fault(
                        f"transfer.{study}.{twin}: a variant of {name} has this name; allowed: any other", "study"
                    )
            known = CLASSES.get(self.studies[study].data.source) if study in self.studies else None
            for name, transfer in experiments.items():
                unknown = transfer.unknown_class(known) if known else None
                if unknown:
                    raise fault(f"transfer.{study}.{name}.{unknown}", "study")
        return self

    @model_validator(mode="after")
    def _runs_known_studies(self) -> "Params":
        for index, name in enumerate(self.run):
            if name not in self.studies:
                raise fault(f"run[{index}]: {name!r} is not a study{did_you_mean(name, self.studies)}", "study")
        for index, name in enumerate(self.draw):
            if name not in self.maps:
                raise fault(f"draw[{index}]: {name!r} is not a map{did_you_mean(name, self.maps)}", "study")
        for name in sorted({*self.studies} & RESERVED):
            raise fault(
                f"studies.{name}: this name is taken, results/{name} is not a study's; allowed: any other", "study"
            )
        for name in self.transfer:
            if name not in self.studies:
                raise fault(f"transfer.{name}: is not a study{did_you_mean(name, self.studies)}", "study")
        return self

    def study(self, name: str) -> Study:
        """Return the study of that name.

        Raises:
            ParamsError: there is none.
        """
        if name not in self.studies:
            raise ParamsError(f"{name!r} is not a study of params.yaml{did_you_mean(name, self.studies)}")
        return self.studies[name]

    def map(self, name: str) -> Map:
        """Return the map of that name.

        Raises:
            ParamsError: there is none.
        """
        if name not in self.maps:
            raise ParamsError(f"{name!r} is not a map of params.yaml{did_you_mean(name, self.maps)}")
        return self.maps[name]

    def seeded(self) -> "Params":
        """Return the parameters with `base_seed` added to every seed, and variants of experiments as experiments."""
        transfer = {
            study: {key: one for name, own in experiments.items() for key, one in own.with_variants(name).items()}
            for study, experiments in self.transfer.items()
        }
        return self.model_copy(update={"transfer": transfer})._moved(self.base_seed)

    def with_seeds(self, count: int, names: Collection[str]) -> "Params":
        """Return parameters in which some studies, and their transfer experiments, have at least so many seeds."""
        studies = {name: one.with_seeds(count) if name in names else one for name, one in self.studies.items()}
        transfer = {
            study: {name: one.with_seeds(count) if study in names else one for name, one in experiments.items()}
            for study, experiments in self.transfer.items()
        }
        return self.model_copy(update={"studies": studies, "transfer": transfer})

    def reseeded(self, base: int) -> "Params":
        """Return parameters that are `seeded` as they would be with another `base_seed`."""
        return self._moved(base - self.base_seed).model_copy(update={"base_seed": base})

    def _moved(self, by: int) -> "Params":
        studies = {name: study.with_base_seed(by) for name, study in self.studies.items()}
        transfer = {
            study: {name: one.with_base_seed(by) for name, one in experiments.items()}
            for study, experiments in self.transfer.items()
        }
        maps = {name: one.model_copy(update={"seed": one.seed + by}) for name, one in self.maps.items()}
        return self.model_copy(update={"studies": studies, "transfer": transfer, "maps": maps})
