"""The champion as MLflow loads it: this file is the model's code, its weights are a safetensors artifact."""

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.champion import load_champion, predict
from pipeline.evaluation.files import ARTIFACT


class ChampionModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Names the class of samples that are scaled as in training."""

    def load_context(self, context: Any) -> None:
        """Read the weights."""
        self.network = load_champion(Path(context.artifacts[ARTIFACT]))

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: np.ndarray,  # MLflow knows the bare type alone
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> NDArray[np.int64]:
        """Return the label of each sample of an array or frame ``[sample, feature]``."""
        return predict(self.network, np.ascontiguousarray(model_input, dtype=np.float32))


mlflow.models.set_model(ChampionModel())
