"""``params.yaml``: its schema, how it is read, and what is said where it makes no sense."""

from pipeline.config.load import load_params, load_study, parse_params, save_study
from pipeline.config.schema import Params
from pipeline.config.study import Study
from pipeline.config.transfer import Transfer

__all__ = ["Params", "Study", "Transfer", "load_params", "load_study", "parse_params", "save_study"]
