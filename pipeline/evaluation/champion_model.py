"""The champion as MLflow loads it: this file is the model's code, its weights are a safetensors artifact."""

import warnings
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.champion import load_champion, predict

ARTIFACT = "champion"

# MLflow wants `predict` typed as its schema, warns where it is not, and warns that an array is no such type.
warnings.filterwarnings("ignore", message=".*Add type hints to the `predict` method")


class ChampionModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Names the class of samples that are scaled as in training."""

    def load_context(self, context: Any) -> None:
        """Read the weights."""
        self.network = load_champion(Path(context.artifacts[ARTIFACT]))

    def predict(  # type: ignore[no-untyped-def]
        self,
        context,  # noqa: ANN001, ARG002
        model_input,  # noqa: ANN001
        params=None,  # noqa: ANN001, ARG002
    ) -> NDArray[np.int64]:
        """Return the label of each sample of an array or frame ``[sample, feature]``."""
        return predict(self.network, np.ascontiguousarray(model_input, dtype=np.float32))


mlflow.models.set_model(ChampionModel())
