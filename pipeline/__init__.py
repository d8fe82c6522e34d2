"""What makes a deep network trainable: measured on thousands of networks, beside what theory predicts.

In a checkout it is called ``pipeline``, and importing it settles how this process rounds. Installed it is called
``trainability``, and changes nothing of the process that imports it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimator import Stack as Stack
    from .modules.initialize import initialize_ as initialize_
    from .modules.monitor import HealthMonitor as HealthMonitor

if __name__ == "pipeline":
    from .compute.rounding import settle

    settle()

    # MLflow reads these while it is imported.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A tracking server that does not answer must not hold the pipeline up for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for each run

FOR_ANYONE = {"initialize_": "modules.initialize", "HealthMonitor": "modules.monitor", "Stack": "estimator"}
"""What may be imported from here, and where it is: each is loaded, with what it needs, when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in FOR_ANYONE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{FOR_ANYONE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *FOR_ANYONE})
