"""Write ``docs/axes``: every axis and level, from the registries. Usage: ``make axes``."""

from pathlib import Path

from pipeline.axes.level import Level, Registry, Setting
from pipeline.grid import AXIS, Axis
from stages import run

FOLDER = Path("docs/axes")
WRITTEN = "<!-- Written by `make axes` from pipeline/axes; a test holds it to be current. -->\n\n"
BOUNDS = {"above": ">", "at_least": "≥", "below": "<"}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{FOLDER}: {len(AXIS)} axes")


def pages() -> dict[str, str]:
    """Return the text of every page by its file's name."""
    listed = {f"{name}.md": _page(axis, axis.registry) for name, axis in AXIS.items() if axis.registry}
    return {"README.md": _overview()} | listed


def _overview() -> str:
    rows = [
        f"| {f'[{name}]({name}.md)' if axis.registry else name} | {axis.about} | {_levels(axis)} | {_unnamed(axis)} |"
        for name, axis in AXIS.items()
    ]
    return (
        f"{WRITTEN}# Axes\n\nA cell has one level on each. A level with settings is written `name(setting=value)` or "
        '`name(value)`, and where a list needs it in quotes: `"rrelu(lower=0.1, upper=0.3)"`. Tables, MLflow and the '
        "report have the canonical spelling: settings that are the default are left out.\n\n"
        "| axis | what it is | levels | where a grid does not name it |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _levels(axis: Axis) -> str:
    return ", ".join(f"`{name}`" for name in axis.registry.names) if axis.registry else "values"


def _unnamed(axis: Axis) -> str:
    if axis.of_study:
        return "the study's"
    return "must be named" if axis.neutral is None else f"`{axis.neutral}`"


def _page(axis: Axis, registry: Registry[Level]) -> str:
    sections = [_section(registry[name]) for name in registry.names]
    return f"{WRITTEN}# {axis.name}\n\n{axis.about}\n\n" + "\n".join(sections)


def _section(level: type[Level]) -> str:
    about = (level.__doc__ or "") if level.__doc__ != level.__mro__[1].__doc__ else ""
    settings = [_setting(name, setting) for name, setting in level.settings().items()]
    lines = [
        f"## `{level.name}`\n",
        *([f"{' '.join(about.split())}\n"] if about else []),
        f"- formula: {level.formula}",
        *([f"- source: {level.source}"] if level.source else []),
        *([f"- settings: {'; '.join(settings)}"] if settings else []),
        f"- prediction before the first step: {level.theory or 'no prediction'}",
    ]
    return "\n".join(lines) + "\n"


def _setting(name: str, setting: Setting) -> str:
    """Return a setting with its default and bounds, or other words: ``slope = 0.3 (≥ 0, < 1)``."""
    others = [f"`{word}`" for word in setting.words if word != setting.default]
    limits = setting.bounds._asdict()
    bounds = [f"{sign} {limits[name]:g}" for name, sign in BOUNDS.items() if limits[name] is not None]
    more = f" (or {', '.join(others)})" if others else f" ({', '.join(bounds)})" if bounds else ""
    return f"`{name} = {setting.default}`{more}"


if __name__ == "__main__":
    run(main)
