"""A level and its spelling; what is wrong with one is said in a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.level import Level, Positive, Registry
from pipeline.config.study import GridBlock
from pipeline.errors import LevelError
from pipeline.grid import AXES, AXIS, spell_widths, widths_of
from stages.axes import FOLDER, pages
from tests.conftest import ROOT

REGISTRIES = {name: axis.registry for name, axis in AXIS.items() if axis.registry}


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("leaky_relu", "leaky_relu"),
        ("leaky_relu()", "leaky_relu"),
        ("leaky_relu(slope=0.3)", "leaky_relu"),
        (" leaky_relu ( slope = 0.20 ) ", "leaky_relu(slope=0.2)"),
        ("leaky_relu(0.2)", "leaky_relu(slope=0.2)"),
        ("elu(2)", "elu(alpha=2.0)"),
        ("elu(1e-3)", "elu(alpha=0.001)"),
        ("rrelu(upper=0.5)", "rrelu(upper=0.5)"),
        ("rrelu(0.1, upper=0.5)", "rrelu(lower=0.1, upper=0.5)"),
    ],
)
def test_a_level_has_one_canonical_spelling(spelling: str, canonical: str) -> None:
    assert str(ACTIVATIONS.parse(spelling)) == canonical
    assert ACTIVATIONS.parse(canonical) == ACTIVATIONS.parse(spelling)


def test_what_all_initializers_have_is_named_where_it_is_set() -> None:
    parse = AXIS["initializer"].registry.parse
    assert str(parse("glorot_uniform(0.5)")) == "glorot_uniform(scale=0.5)"
    assert str(parse("he_normal(output=glorot_uniform)")) == "he_normal(output=glorot_uniform)"
    with pytest.raises(LevelError, match="has output = 'he_normal'; it should be 'same' or 'glorot_uniform'"):
        parse("he_normal(output=he_normal)")
    with pytest.raises(LevelError, match="has more settings than"):
        parse("he_normal(glorot_uniform)")


@given(lower=st.floats(0, 0.99), upper=st.floats(0, 0.99))
def test_what_is_spelled_is_read_again(lower: float, upper: float) -> None:
    level = ACTIVATIONS["rrelu"](lower=min(lower, upper), upper=max(lower, upper))
    assert ACTIVATIONS.parse(str(level)) == level


@pytest.mark.parametrize(
    ("spelling", "words"),
    [
        ("reluu", "is not an activation; did you mean 'relu'?"),
        ("LeakyReLU(0.1)", "is not an activation; did you mean 'leaky_relu'?"),
        ("leaky_relu(slop=0.2)", "has no setting 'slop'; did you mean 'slope'?"),
        ("leaky_relu(slope=1.5)", "has slope = 1.5; it should be less than 1"),
        ("leaky_relu(slope=steep)", "has slope = 'steep'; it should be a valid number"),
        ("leaky_relu(slope=nan)", "has slope = nan; it should be a finite number"),
        ("leaky_relu(slope=)", "has slope = ''; it should be a valid number"),
        ("leaky_relu(0.1, 0.2)", "has more settings than leaky_relu has: slope"),
        ("leaky_relu(slope=0.1, slope=0.2)", "sets 'slope' more than once"),
        ("relu(1)", "has more settings than relu has, which is none"),
        ("relu(slope=1)", "has no setting 'slope'; relu has none"),
        ("rrelu(lower=0.5)", "has lower = 0.5 above upper = 0.3333333333333333"),
        ("rrelu(lower=0.1", "has no closing bracket; in a YAML list, a level with a comma needs quotes"),
        ("", "is not an activation"),
        ("relu)(", "is not an activation"),
    ],
)
def test_a_wrong_spelling_is_told_in_one_line(spelling: str, words: str) -> None:
    with pytest.raises(LevelError) as refused:
        ACTIVATIONS.parse(spelling)
    assert str(refused.value).startswith(f"{spelling!r} {words}")
    assert "\n" not in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_a_level_or_a_level_error(text: str) -> None:
    for registry in REGISTRIES.values():
        try:
            registry.parse(text)
        except LevelError as error:
            assert error.words  # noqa: PT017


@pytest.mark.parametrize("axis", REGISTRIES)
def test_every_level_is_told_apart_from_its_axis_and_says_where_it_comes_from(axis: str) -> None:
    registry = REGISTRIES[axis]
    assert len({str(level) for level in registry}) == len(registry)
    for level in registry:
        assert registry.parse(str(level)) == level
        assert level.name == AXIS[axis].neutral or (level.formula and level.source)
        assert AXIS[axis].label(str(level))


def test_a_setting_without_a_default_is_no_level() -> None:
    class Steep(Level):
        name, formula, source = "steep", "", ""
        slope: Positive

    with pytest.raises(TypeError, match="steep: its setting 'slope' needs a default"):
        Registry[Level]("activation").register(Steep)


def test_the_pages_about_the_axes_are_current() -> None:
    folder = ROOT / FOLDER
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")} == pages(), "run `make axes`"


def test_the_axes_are_the_same_wherever_they_are_listed() -> None:
    fields = GridBlock.model_fields
    assert tuple(fields) == (*AXES, "seed")
    for axis in AXES:
        neutral = AXIS[axis].neutral
        assert fields[axis].is_required() or fields[axis].default == (None if neutral is None else (neutral,)), axis
    assert f"| axis | {', '.join(AXES)};" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("parts", "spelling"),
    [
        ([64, 64], "2x64"), (["20x50"], "20x50"), ([300, "99x100"], "300-99x100"), ([], "none"), ([16], "16"),
        (["2x8", 8, "3x9"], "3x8-3x9"),
    ],
)  # fmt: skip
def test_widths_have_one_canonical_spelling(parts: list, spelling: str) -> None:
    assert spell_widths(parts) == spelling
    assert spell_widths(spelling.split("-")) == spelling
    assert len(widths_of(spelling)) == sum(int(str(part).split("x")[0]) if "x" in str(part) else 1 for part in parts)
