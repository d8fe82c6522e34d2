"""The champion as MLflow loads it. MLflow takes this file alone along: it imports nothing of the project.

Beside it are ``model.onnx``, from raw columns to probabilities, and ``model.json``, which says what columns and classes
are called.
"""

import hashlib
import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
from mlflow.exceptions import MlflowException
from pandas.api.types import is_any_real_numeric_dtype, is_bool_dtype


class ChampionModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Names the class of samples in their own units."""

    def load_context(self, context: Any) -> None:
        """Read the network.

        Raises:
            MlflowException: a file is not what was written.
        """
        folder = Path(context.artifacts["champion"])
        network = (folder / "model.onnx").read_bytes()
        self.about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if hashlib.sha256(network).hexdigest() != self.about["sha256"]:
            raise MlflowException.invalid_parameter_value(f"{folder}/model.onnx is damaged: get the model again")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # small networks: more threads would wait for each other
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> Any:
        """Return the class of each sample, as an array; a frame where probabilities are asked for.

        Args:
            context: of no use here.
            model_input: the features' columns in any order, or columns that are only numbered (which is what MLflow
                makes of an array) in theirs; numbers of any type.
            params: ``probabilities``: whether to return those, in a column for each class, instead.

        Raises:
            MlflowException: a column is missing or not numeric, or a value is.
        """
        (probabilities,) = self.session.run(None, {"features": self._numbers(model_input)})
        if (params or {}).get("probabilities"):
            return pd.DataFrame(probabilities, columns=[str(name) for name in self.about["classes"]])
        return np.array(self.about["classes"])[probabilities.argmax(1)]

    def _numbers(self, given: pd.DataFrame) -> Any:
        """Return the features as the network takes them: float64 ``[sample, feature]``."""
        names = self.about["features"]
        given = given.rename(columns=str)
        if list(given.columns) != [str(place) for place in range(len(names))]:
            given = self._chosen(given, names)
        for name, (_, column) in zip(names, given.items(), strict=True):
            known = column.dropna().infer_objects()  # a missing value makes a column one of objects
            if len(known) and not (is_any_real_numeric_dtype(known) or is_bool_dtype(known)):
                _refuse(f"column {name!r} is not numeric (it holds {known.iloc[0]!r})")
        columns = [column.to_numpy(dtype=np.float64, na_value=np.nan) for _, column in given.items()]
        numbers = np.column_stack(columns)
        if not np.isfinite(numbers).all():
            row, place = np.argwhere(~np.isfinite(numbers))[0]
            _refuse(f"column {names[place]!r}, row {row + 1} is missing or infinite")
        return numbers

    @staticmethod
    def _chosen(given: pd.DataFrame, names: list[str]) -> pd.DataFrame:
        """Return a frame's columns that are features, in the order of training."""
        missing = [name for name in names if name not in given]
        if missing:
            near = get_close_matches(missing[0], list(given.columns), n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            _refuse(
                f"{len(missing)} of {len(names)} columns are missing, the first is {missing[0]!r}{hint}. Give the "
                f"features alone (MLflow hands on no more than the first {len(names)} columns of a frame): "
                f"{', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
            )
        return given[names]


def _refuse(problem: str) -> None:
    raise MlflowException.invalid_parameter_value(problem)


mlflow.models.set_model(ChampionModel())
