"""``params.yaml``: its schema, how it is read, and what is said where it makes no sense."""

from .load import load_params, load_study, parse_params, save_study
from .schema import Params
from .study import Study
from .transfer import Transfer

__all__ = ["Params", "Study", "Transfer", "load_params", "load_study", "parse_params", "save_study"]
