"""One short script per DVC stage: read parameters and inputs, call the pipeline, write outputs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from pipeline.errors import PipelineError

PREPARED = Path("data/prepared")
RESULTS = Path("results")
REPORT = Path("report")


def run(stage: Callable[..., None]) -> None:
    """Call a stage with the command line's words; a user's mistake ends in a message and exit code 1."""
    try:
        stage(*sys.argv[1:])
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: finished stages and finished networks are kept; run again to go on")


@contextmanager
def tracked(what: str) -> Iterator[None]:
    """Let writing to MLflow fail with a warning: it is a view of the results, and they are safe."""
    try:
        yield
    except Exception as error:  # whatever a database, a server or the network may raise
        message = str(error).strip().splitlines()
        reason = shorten(message[0], 160) if message else type(error).__name__
        print(f"warning: {what} is not in MLflow yet ({reason}); `make track` writes it", file=sys.stderr)
