"""One short script per DVC stage: read parameters and inputs, call the pipeline, write outputs."""

# ruff: noqa: E402
from stages.handover import hand_over

hand_over()  # before anything is imported that takes time

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from pipeline.console import speak_plainly
from pipeline.errors import PipelineError, TrackingError

CODE = Path(".code")
PREPARED = Path("data/prepared")
RESULTS = Path("results")
MAPS = RESULTS / "maps"
REPORT = Path("report")


def run(stage: Callable[..., None]) -> None:
    """Call a stage with the command line's words; a user's mistake ends in a message and exit code 1."""
    speak_plainly()
    try:
        stage(*sys.argv[1:])
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # the disk is full, or may not be written
        sys.exit(f"error: {error}. Finished stages and finished networks are kept: mend this and run again to go on")
    except KeyboardInterrupt:
        sys.exit("interrupted: finished stages and finished networks are kept; run again to go on")


@contextmanager
def tracked(what: str) -> Iterator[None]:
    """Let writing to MLflow fail with a warning: it is a view of the results, and they are safe."""
    try:
        yield
    except Exception as error:  # whatever a database, a server or the network may raise
        print(f"warning: {what} is not in MLflow yet ({_reason(error)}); `make track` writes it", file=sys.stderr)


@contextmanager
def tracked_now(what: str) -> Iterator[None]:
    """Let writing to MLflow, where that is all there is to do, fail with an error.

    Raises:
        TrackingError: MLflow cannot be written.
    """
    try:
        yield
    except Exception as error:
        raise TrackingError(f"{what} is not in MLflow ({_reason(error)}); run again when it can be written") from error


def _reason(error: Exception) -> str:
    message = str(error).strip().splitlines()
    return shorten(message[0], 160) if message else type(error).__name__
