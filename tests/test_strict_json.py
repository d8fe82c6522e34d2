import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.strict_json import dumps
from tests.conftest import ROOT

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(TREES)
def test_what_is_written_is_strict_json(content) -> None:
    json.loads(dumps(content), parse_constant=pytest.fail)


@given(st.floats())
def test_a_number_comes_back_and_what_is_none_is_null(number: float) -> None:
    assert json.loads(dumps(number)) == (number if math.isfinite(number) else None)


def test_no_other_json_is_written_to_a_file() -> None:
    """``json.dumps`` alone writes NaN: it is for digests and for MLflow's words."""
    for folder in ("pipeline", "stages", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "strict_json.py":
                assert not re.search(r"write_\w+\(\s*json\.dump|json\.dump\(", path.read_text()), path
