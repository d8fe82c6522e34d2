"""MLflow as a view of the results: one experiment per study, one run per cell, under one run per execution.

The tables are the truth. What is written here is keyed by a digest of what it shows, so writing the same results again
adds nothing, and what an interrupted writer left half done is written anew.
"""

from .ledger import track_claims, track_report
from .map import track_map
from .provenance import commit
from .runs import make_experiments, tracking_uri
from .study import Execution, track_execution
from .transfer import track_transfer

__all__ = [
    "Execution",
    "commit",
    "make_experiments",
    "track_claims",
    "track_execution",
    "track_map",
    "track_report",
    "track_transfer",
    "tracking_uri",
]
