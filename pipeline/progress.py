"""One line that says how far a grid is: networks done, time left, best validation accuracy so far."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10
"""Where the output is no terminal (a log, CI)."""


class GridProgress:
    """Shows progress on a terminal as a bar, elsewhere as a line now and then.

    Args:
        title: the study's name.
        networks: how many are to be trained.
        effort: what all of them take, in any unit.
    """

    def __init__(self, title: str, networks: int, effort: float) -> None:
        self.networks, self.effort = networks, effort
        self.done = self.elsewhere = 0
        self.best = 0.0
        self.spent = self.finished = 0.0
        self.console = Console()
        self.started = self.last_line = time.monotonic()
        self.title = title
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]:,}/{task.fields[networks]:,} networks"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("best val accuracy {task.fields[best]:.4f}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=effort, done=0, networks=networks, best=0.0)

    def __enter__(self) -> "GridProgress":
        """Show the line."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the line as it stands, and say what it came to."""
        self.bar.stop()
        seconds = time.monotonic() - self.started
        done = f"{self.done:,}" if kind is None else f"stopped with {self.done:,} of {self.networks:,}"
        elsewhere = f", {self.elsewhere:,} of them elsewhere" if self.elsewhere else ""
        self.console.print(
            f"{self.title}: {done} networks trained in {seconds:.1f} s{elsewhere}, best val accuracy {self.best:.4f}",
            highlight=False,
            soft_wrap=True,
        )

    def epoch_done(self, effort: float, best: float) -> None:
        """Count an epoch of a stack: what it took, and its best validation accuracy."""
        self.best = max(self.best, best)
        self.spent += effort
        self.bar.update(self.task, completed=self.spent, best=self.best)
        now = time.monotonic()
        if not self.console.is_terminal and now - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = now
            share = self.spent / self.effort
            left = (now - self.started) * (1 - share) / share
            self.console.print(
                f"{self.title}: {self.done:,}/{self.networks:,} networks, {left:.0f} s left, "
                f"best val accuracy {self.best:.4f}", highlight=False, soft_wrap=True,
            )  # fmt: skip

    def stack_done(self, networks: int, effort: float, *, elsewhere: bool = False) -> None:
        """Count a stack's networks as trained, and all that they would have taken (some may have stopped early).

        Args:
            networks: how many.
            effort: what they take.
            elsewhere: another process trained them meanwhile.
        """
        self.done += networks
        self.elsewhere += networks * elsewhere
        self.finished += effort
        self.spent = max(self.spent, self.finished)
        self.bar.update(self.task, completed=self.spent, done=self.done)
