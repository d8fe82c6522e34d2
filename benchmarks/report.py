"""Keeps what the benchmarks measure, and renders what the documentation shows of it, from the newest result files.

Usage: ``python -m benchmarks.report``. Writes between the markers in ``README.md`` and ``docs/*.md``, and the charts
``docs/speed.svg`` and ``docs/cost.svg``.
"""

import json
import math
import platform
import re
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from pipeline.closure import ROOT
from pipeline.compute.rounding import processor
from pipeline.compute.workers import cores
from pipeline.evaluation.golden import FULL_LEDGER
from pipeline.strict_json import save_json

RESULTS = Path(__file__).parent / "results"
README, DOC, THEORY = ROOT / "README.md", ROOT / "docs" / "performance.md", ROOT / "docs" / "theory.md"
CLAIMS, SCALING = ROOT / "docs" / "claims.md", ROOT / "docs" / "scaling.md"
IN_YOUR_CODE = ROOT / "docs" / "in-your-code.md"
CHART, COST_CHART = ROOT / "docs" / "speed.svg", ROOT / "docs" / "cost.svg"
LABELS = {
    "ours": "ours",
    "ours_health": "ours, with health",
    "jax": "JAX, vmap and scan",
    "vmap": "torch.func vmap",
    "loop": "bare PyTorch loop",
    "lightning": "plain Lightning",
    "keras": "Keras fit",
    "one_process_each": "a process each",
    "limit": "matrix products alone",
}
READERS = {
    "pandas": "pandas, whole",
    "pandas, dictionaries": "pandas, whole, words as dictionaries",
    "pyarrow": "pyarrow, filters and columns",
    "duckdb": "DuckDB",
    "polars": "Polars, streaming",
}
STACKED, SEEDS = 128, 20
"""Networks of a task, and of a cell, in the arithmetic of large studies."""
ACTIVATIONS = {"relu": "ReLU", "selu": "SELU", "gelu": "GELU"}
SPARSE: dict[str, Any] = {"labelOverlap": "greedy", "labelSeparation": 10}
"""Labels of a logarithmic axis that leave each other room."""
KEY = ["network", "activation", "batch_norm"]
SATURATED = 0.15
"""Variance of a layer's noise above which few of its units are left to be averaged over."""
Content = dict[str, Any]


def machine() -> Content:
    """Return what figures belong to."""
    return {"processor": processor(), "cores": cores(), "python": platform.python_version()}


def save(kind: str, content: Content) -> None:
    """Write a result file, named by what was measured, the hardware and the date."""
    date = datetime.now(UTC).date().isoformat()
    hardware = f"{content['processor']} {content['cores']} cores {content.get('device', 'cpu')}".removesuffix(" cpu")
    RESULTS.mkdir(exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", hardware.lower()).strip("-")
    save_json({"date": date} | content, RESULTS / f"{kind}-{name}-{date}.json")


def newest(kind: str) -> Content:
    """Return the newest result file's content, by the kind that it was saved as."""
    files = sorted(
        RESULTS.glob(f"{kind}-*.json"), key=lambda file: json.loads(file.read_text(encoding="utf-8"))["date"]
    )
    content: Content = json.loads(files[-1].read_text(encoding="utf-8"))
    return content | {"file": files[-1].name}


def medians(content: Content) -> pd.DataFrame:
    """Return a row for each network, activation and batch norm, a column of milliseconds for each peer."""
    table = pd.DataFrame(content["rows"])
    table["median"] = table["milliseconds"].map(statistics.median)
    wide = table.pivot_table(index=KEY, columns="peer", values="median", sort=False)
    return wide[[name for name in LABELS if name in wide]]


def render() -> None:
    """Write the tables and the chart."""
    content = newest("speed")
    found = medians(content)
    replace(README, "speed", _short(content, found))
    replace(DOC, "machine", _machine(content))
    replace(DOC, "peers", _peers(content, found.xs("relu", level="activation")))
    replace(DOC, "activations", _activations(found))
    chart(found).save(CHART)


def render_cost() -> None:
    """Write the tables and the chart of how cost grows."""
    content = newest("cost")
    replace(DOC, "cost", _cost(content))
    if "default" in content:
        replace(README, "default", _default(content))
    rows = pd.DataFrame(content["rows"]).melt(["grows", "size"], ["seconds", "mebibytes"], "what", "value")
    rows["what"] = rows["what"].map({"seconds": "seconds", "mebibytes": "peak memory, MiB"})
    lines = (
        alt.Chart(rows)
        .mark_line(point=True, color="#1b7837")
        .encode(
            alt.X("size:Q", title=None).scale(type="log", nice=False).axis(**SPARSE),
            alt.Y("value:Q", title=None).scale(type="log").axis(**SPARSE),
        )
    )
    grid = lines.properties(width=170, height=140).facet(
        column=alt.Column("grows:N", title=None, sort=["networks", "depth", "width", "samples"]),
        row=alt.Row("what:N", title=None, sort=["seconds", "peak memory, MiB"]),
    )
    grid.resolve_scale(x="independent", y="independent").save(COST_CHART)


def _cost(content: Content) -> str:
    """Return what grew how, and the whole runs."""
    neutral = ", ".join(f"{name} {size:,}" for name, size in content["neutral"].items())
    text = (
        f"Measured on {content['date']} on {_hardware(content)}, "
        f"{content['epochs']} epochs of digits; where it does not grow: {neutral}. Memory is that of all processes.\n\n"
        "| grows | from | to | times the work | seconds | peak memory, MiB |\n|---|---|---|---|---|---|\n"
    )
    rows = pd.DataFrame(content["rows"])
    for name, group in rows.groupby("grows", sort=False):
        first, last = group.iloc[0], group.iloc[-1]
        cells = [str(name), f"{first['size']:,}", f"{last['size']:,}", f"{last['size'] / first['size']:,.0f}"]
        cells.append(f"{first['seconds']:.2f} to {last['seconds']:.1f}")
        text += _row([*cells, f"{first['mebibytes']:,.0f} to {last['mebibytes']:,.0f}"])
    runs = {"default": "default run", "many": "100,000 networks in one study, 1 epoch"}
    found = [(label, content[name]) for name, label in runs.items() if name in content]
    if found:
        text += (
            "\n| `make repro` after installation | seconds | peak memory, MiB | page, MiB | tables, MiB | MLflow, MiB |"
        )
        text += "\n|---|---|---|---|---|---|\n"
    for label, run in found:
        networks = " + ".join(count for count, _ in run["trained"])
        numbers = [f"{run[key]:,.1f}" for key in ("page_mebibytes", "tables_mebibytes", "mlflow_mebibytes")]
        text += _row([f"{label}: {networks}", f"{run['seconds']:,.0f}", f"{run['mebibytes']:,.0f}", *numbers])
    return text


def _default(content: Content) -> str:
    """Return how long the default run took."""
    run = content["default"]
    training = sum(float(seconds) for _, seconds in run["trained"])
    return (
        f"After installation, `make repro` took {run['seconds']:.0f} s on {content['cores']} cores of an "
        f"{content['processor']}, {training:.0f} s of them training, and {run['mebibytes'] / 1024:.1f} GiB of memory; "
        f"a second one, with nothing to do, took {run['again']:.0f} s.\n"
    )


def render_replications() -> None:
    """Write how far ledgers on other seeds agree."""
    content = newest("replications")
    pairs = content["pairs"]
    open_ones = [sum("inconclusive" in both for both in pair["changed"].values()) for pair in pairs]
    others = [len(pair["changed"]) - count for pair, count in zip(pairs, open_ones, strict=True)]
    names = sorted({name for pair in pairs for name in pair["changed"]})
    effects, beyond = (sum(pair[name] for pair in pairs) for name in ("effects", "beyond"))
    replace(
        CLAIMS,
        "replications",
        f"The default run with {len(content['base_seeds'])} base seeds ({', '.join(content['base_seeds'])}; "
        f"{content['date']}): of the {content['claims']} claims that it tests, two runs differ in "
        f"{statistics.mean(others):.1f} verdicts on average, at most {max(others)}, and in "
        f"{statistics.mean(open_ones):.1f} more, at most {max(open_ones)}, that are inconclusive in one of them. Those "
        f"that ever differ are {', '.join(f'`{name}`' for name in names)}. Of {effects:,} effects, "
        f"{beyond / effects:.0%} differ between two runs by more than their 95 % intervals allow.\n"
        + f"\n{_of_its_two_runs(json.loads((ROOT / FULL_LEDGER).read_text(encoding='utf-8')))}\n"
        + "".join(f"\n{_of_a_further_run(one)}\n" for one in content["full"]),
    )


def _of_its_two_runs(kept: Content) -> str:
    run = kept["run"]
    changed = {name: entry["verdicts"] for name, entry in kept["claims"].items() if len({*entry["verdicts"]}) > 1}
    return (
        f"The full ledger's two runs, with base seeds {run['base_seed']} and {run['again']}, have the same verdict for "
        f"{len(kept['claims']) - len(changed)} of {len(kept['claims'])} claims; {_told(changed)}. A verdict next to "
        "`depends` changes where one part of many, a place or a dataset, is found on the other side in one run and is "
        "open in the other."
    )


def _of_a_further_run(one: Content) -> str:
    first = one["changed_of_the_first_run"]
    others = sum("inconclusive" not in pair for pair in first.values())
    few = f" of {one['of']} claims, those whose studies it has all," if one["claims"] < one["of"] else " claims"
    return (
        f"A further run, with base seed {one['base_seed']}, tells on {one['claims']}{few} and has the full ledger's "
        f"verdict for {one['claims'] - len(one['changed'])}; {_told(one['changed'])}. Of the first run's verdicts, "
        f"taken alone, it changes {len(first)}, {others} of them otherwise than to or from inconclusive."
    )


def _told(changed: dict[str, list[str]]) -> str:
    others = {name: pair for name, pair in changed.items() if "inconclusive" not in pair}
    reversed_ = sum({*pair} == {"supported", "refuted"} for pair in others.values())
    names = ", ".join(f"`{name}` from {first} to {second}" for name, (first, second) in others.items())
    return (
        f"{len(changed) - len(others)} are inconclusive in one of the two, {len(others)} differ otherwise"
        f"{f' ({names})' if names else ''}, {reversed_} from supported to refuted or back"
    )


def render_modules() -> None:
    """Write what the package does to anyone's module."""
    content = newest("modules")
    replace(IN_YOUR_CODE, "variances", _variances(content))
    replace(IN_YOUR_CODE, "monitor", _monitor(content))


def _variances(content: Content) -> str:
    rows = [
        f"| {row['network']} | {_code(row['scheme'])} | {_geometric(row['signals'])} | {_geometric(row['gradients'])} |"
        for row in content["variances"]
    ]
    draws = len(content["variances"][0]["signals"])
    return "\n".join(["| network | weights | signal | gradient |", "|---|---|---|---|", *rows]) + (
        f"\n\n{content['depth']} layers of {content['width']} units. Signal: the mean square of the last layer's "
        "z over the first's; gradient: that at the first over that at the last; 1 is kept. Geometric means of "
        f"{draws} draws, with the smallest and the largest.\n"
    )


def _code(name: str) -> str:
    return f"`{name}`" if name.endswith("_") else name


def _geometric(ratios: list[float]) -> str:
    return f"{math.exp(statistics.mean(map(math.log, ratios))):.2g} ({min(ratios):.2g} to {max(ratios):.2g})"


def _monitor(content: Content) -> str:
    told = []
    for row in content["cost"]:
        step, look = statistics.median(row["steps"]), statistics.median(row["looks"])
        cost = f"{look / step / content['interval']:.1%}".replace("%", " %")
        told += [f"{cost} of the time of {row['module']} ({look:.1f} ms a look, {step:.1f} ms a step)"]
    return (
        f"At its default interval of {content['interval']} steps the monitor costs {' and '.join(told)}, on "
        f"{content['cores']} cores of an {content['processor']}; medians of {len(content['cost'][0]['looks'])} looks.\n"
    )


def render_mlflow() -> None:
    """Write how long MLflow's UI takes over many runs."""
    content = newest("mlflow")
    views = ", ".join(f"{name} {statistics.median(seconds):.1f} s" for name, seconds in content["views"].items())
    replace(
        SCALING,
        "mlflow",
        f"MLflow's UI over an experiment of {content['runs']:,} runs in SQLite, from an empty page to the first row: "
        f"{views} (medians of {len(content['views']['all'])}; filtered by two axes, sorted by test accuracy; "
        f"{content['cores']} cores of an {content['processor']}).\n",
    )


def render_scaling() -> None:
    """Write what a study of millions of networks takes."""
    content = newest("scaling")
    engines, store = pd.DataFrame(content["engines"]), content["store"]
    engines["median"] = engines["seconds"].map(statistics.median)
    replace(
        SCALING,
        "scaling-machine",
        f"Measured on {content['date']} on {_hardware(content)} (`benchmarks/results/{content['file']}`).\n",
    )
    replace(SCALING, "scaling-engines", _engines(engines))
    rates = {(one["engine"], one["bytes"]): one["per_second"] for one in content["driver"]}
    replace(
        SCALING,
        "scaling-driver",
        _table(["engine", "empty tasks a second", "tasks a second that return 1 MiB"])
        + "".join(_row([name, *(f"{rates[name, size]:,.0f}" for size in (0, 2**20))]) for name in ("local", "ray")),
    )
    replace(SCALING, "scaling-store", _stored(store, content["mlflow"]))
    readers = content["readers"]
    replace(
        SCALING,
        "scaling-readers",
        f"{readers[0]['rows']:,} rows, {readers[0]['bytes'] / 2**30:.1f} GiB of files:\n\n"
        + _table(["read by", "seconds", "memory, MiB"])
        + "".join(
            _row([READERS[one["reader"]], f"{one['seconds']:.2f}", f"{one['mebibytes']:,.0f}"]) for one in readers
        ),
    )
    replace(SCALING, "scaling-plan", _plan(engines, content))


def _engines(engines: pd.DataFrame) -> str:
    """Return each engine's time, and what each of its workers does beside one of the local engine alone."""
    text = _table(["networks", "engine", "workers", "seconds", "lowest to highest", "networks a second", "efficiency"])
    for load, group in engines.groupby("load", sort=False):
        alone = float(group.query("engine == 'local' and workers == 1")["median"].item())
        for one in group.to_dict("records"):
            text += _row([
                f"{one['networks']:,} of {load}, {one['epochs']} epochs", one["engine"], str(one["workers"]),
                f"{one['median']:.1f}", f"{min(one['seconds']):.1f} to {max(one['seconds']):.1f}",
                f"{one['networks'] / one['median']:,.0f}", f"{alone / one['workers'] / one['median']:.0%}",
            ])  # fmt: skip
    return text


def _stored(store: Content, mlflow: Content) -> str:
    """Return what a network or a run takes."""
    text = _table(["of a network", *(one["load"] for one in store["networks"])])
    text += _row(["bytes in the store", *(f"{one['store']:,.0f}" for one in store["networks"])])
    text += _row(["bytes in the tables", *(f"{sum(one['tables'].values()):,.0f}" for one in store["networks"])])
    text += _row(
        ["bytes of the tables in memory", *(f"{sum(one['memory'].values()):,.0f}" for one in store["networks"])]
    )
    text += "\n" + _table(["the store", "written a second", "read a second", "listed a second"])
    for name, label in (("folder", "a folder"), ("s3", "S3 on loopback (moto, one process of Python)")):
        own = store[name]
        text += _row([label, *(f"{own[what]:,.0f}" for what in ("write", "read", "list"))])
    listed = store["folder"]["listed"]
    text += f"\nListing a folder of {listed['networks']:,} networks takes {listed['seconds']:.1f} s.\n"
    return text + (
        f"\nA run in MLflow, of {mlflow['metrics']} values of metrics: {mlflow['bytes'] / 1000:,.0f} kB; "
        f"{mlflow['database']:,.0f} a second into SQLite, {mlflow['server']:,.0f} a second over HTTP.\n"
    )


def _plan(engines: pd.DataFrame, content: Content) -> str:
    """Return, by arithmetic from what was measured, what large studies of each load take."""
    rate = next(one["per_second"] for one in content["driver"] if one["engine"] == "ray" and one["bytes"])
    text = (
        f"By arithmetic from the tables above, with stacks of {STACKED} networks and {SEEDS} seeds for each cell:\n\n"
    )
    heads = ["of", "networks", "hours on one core", "the driver's minutes", "store, GiB", "tables, GiB"]
    text += _table([*heads, "tables in memory, GiB", "MLflow, GiB", "hours into SQLite", "hours over HTTP"])
    for own in content["store"]["networks"]:
        one = engines.query(f"load == '{own['load']}' and engine == 'local' and workers == 1").iloc[0]
        for power in (6, 8):
            count = 10**power
            runs, mlflow = count / SEEDS, content["mlflow"]
            numbers = [
                count / one["networks"] * one["median"] / 3600,
                count / STACKED / rate / 60,
                *(
                    count * size / 2**30
                    for size in (own["store"], *(sum(own[of].values()) for of in ("tables", "memory")))
                ),
                runs * mlflow["bytes"] / 2**30,
                *(runs / mlflow[where] / 3600 for where in ("database", "server")),
            ]
            text += _row([own["load"], f"10{'⁶' if power == 6 else '⁸'}", *map(number, numbers)])
    return text


def render_precision() -> None:
    """Write the table of precisions."""
    content = newest("precision")
    rows = pd.DataFrame(content["rows"])
    text = (
        f"Measured on {content['date']} on {_hardware(content)}, `compute.reproducible: machine`.\n\n"
        "| study | precision | ms a network-epoch | times as long | cells that drift | mean accuracy | diverged |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for _, group in rows.groupby("study", sort=False):
        exact = group[group["precision"] == content["full"]].iloc[0]
        for _, row in group.iterrows():
            cells = [f"`{row['study']}`", f"`{row['precision']}`", number(row["milliseconds"])]
            cells += [f"{row['milliseconds'] / exact['milliseconds']:.2f}", f"{row['drifted']} of {row['cells']}"]
            text += _row([*cells, f"{row['accuracy']:.4f}", f"{row['diverged']} of {row['networks']:,}"])
    replace(DOC, "precision", text)


def render_start() -> None:
    """Write how long a stage takes besides its training."""
    content = newest("start")
    cold, warm = (statistics.median(content["seconds"][name]) for name in ("cold", "warm"))
    text = (
        f"On {_hardware(content)} ({content['date']}), the stage `train` takes "
        f"{cold:.1f} s besides training in a Python of its own, and {warm:.1f} s as a fork of the warm process.\n"
    )
    replace(DOC, "start", text)


def render_profile() -> None:
    """Write the table of where the time goes."""
    content = newest("profile")
    head = ["network", "activation", *content["parts"]]
    text = f"Measured on {content['date']} on one core of an {content['processor']}.\n\n"
    text += _row(head) + _row(["---"] * len(head)).replace(" ", "")
    for row in content["rows"]:
        cells = [_title((row["network"], row["normalization"] != "none")), ACTIVATIONS[row["activation"]]]
        text += _row([*cells, *(f"{row[part]:.0%}" for part in content["parts"])])
    replace(DOC, "profile", text)


def render_gpu() -> None:
    """Write the table of what a GPU trained."""
    content = newest("gpu")
    text = (
        f"Measured on {content['date']} on {_hardware(content)}.\n\n"
        "| networks | epochs | seconds | ms a network-epoch | GPU memory, GiB |\n|---|---|---|---|---|\n"
    )
    for row in content["rows"]:
        cells = [f"{row['count']:,} × {row['network']}", f"{row['epochs']}", f"{row['seconds']:,.0f}"]
        milliseconds = 1000 * row["seconds"] / row["count"] / row["epochs"]
        text += _row([*cells, number(milliseconds), f"{row['gibibytes']:.1f}"])
    replace(DOC, "gpu", text)


def render_theory() -> None:
    """Write which assumption of the theory fails where."""
    content = newest("theory")
    settings = pd.DataFrame(content["settings"])
    text = f"Measured on {content['date']}, `benchmarks/results/{content['file']}`.\n\n"
    text += _table(["", "settings", "holds", "off", "not predictable", "off, of those tested"])
    for name in ("signal", "gradient"):
        p = settings[f"{name}_p"].astype(float)
        off, tested = int((p < content["error_rate"]).sum()), int(p.notna().sum())
        counts = [str(count) for count in (len(p), tested - off, off, len(p) - tested)]
        text += _row([name, *counts, f"{100 * off / tested:.1f} %"])
    silent = settings[settings["gradient_p"].isna() | settings["signal_p"].isna()]
    text += "\n" + _table(
        ["not predictable at 64 units", "a layer's noise", "sd of ln signal, gradient", "why", "from"]
    )
    for row in silent.to_dict("records"):
        enough = [row["signal_from"], row["gradient_from"]]
        text += _row(
            [
                f"{row['activation']}, `{row['initializer']}`",
                f"{row['roughest']:.2f}",
                f"{row['signal_sd']:.1f}, {row['gradient_sd']:.1f}",
                "saturation: few units have a slope" if row["roughest"] > SATURATED else "an unstable map",
                f"{int(max(enough)):,} units" if all(enough) else "–",
            ]
        )
    replace(THEORY, "settings", text)
    replace(THEORY, "widths", _widths(pd.DataFrame(content["widths"])))
    replace(THEORY, "batches", _batches(pd.DataFrame(content["batches"])))


def _widths(rows: pd.DataFrame) -> str:
    """Return the mean square gaps, measured and drawn, and the slope of the measured ones against the width."""
    each = sorted(rows["width"].unique())
    text = _table(["setting, quantity", *(f"{width:,} units" for width in each), "slope"])
    for (activation, initializer), group in rows.groupby(["activation", "initializer"], sort=False):
        group = group.sort_values("width")
        for name in ("signal", "gradient"):
            measured, drawn, se = (group[f"{name}_{what}"].to_numpy() for what in ("measured", "drawn", "se"))
            x = np.log(group["width"].to_numpy())
            weight = (x - x.mean()) / np.square(x - x.mean()).sum()
            slope, error = weight @ np.log(measured), np.sqrt(np.square(weight * se / measured).sum())
            cells = [f"{a:.3g} ± {2 * b:.2g} ({c:.3g})" for a, b, c in zip(measured, se, drawn, strict=True)]
            text += _row([f"{activation}, `{initializer}`: {name}", *cells, f"{slope:.2f} ± {2 * error:.2f}"])
    return text


def _batches(rows: pd.DataFrame) -> str:
    """Return batch norm's gaps; by least squares, what of them shrinks with batch and with width, and what is left."""
    data = rows[rows["inputs"] == "data"]
    places = [*data[["batch", "width"]].drop_duplicates().itertuples(index=False, name=None)]
    head = [f"{batch}, {width:,}" for batch, width in places]
    text = _table(["batch, width", *head, "of 32 samples", "of 64 units", "left", "left, independent inputs"])
    for (activation, normalization), group in rows.groupby(["activation", "normalization"], sort=False):
        own = group[group["inputs"] == "data"]
        shrinking = np.stack([np.ones(len(own)), 32 / own["batch"], 64 / own["width"]], 1)
        left, of_batch, of_width = np.linalg.lstsq(shrinking, own["gap"].to_numpy(), rcond=None)[0]
        other = group[group["inputs"] != "data"].iloc[0]
        alike = other["gap"] - of_batch * 32 / other["batch"] - of_width * 64 / other["width"]
        cells = [f"{gap:+.2f} ± {2 * se:.2f}" for gap, se in zip(own["gap"], own["se"], strict=True)]
        parts = [f"{part:+.2f}" for part in (of_batch, of_width, left, alike)]
        text += _row([f"{activation}, `{normalization}`", *cells, *parts])
    return text


def _table(head: list[str]) -> str:
    return _row(head) + _row(["---"] * len(head)).replace(" ", "")


def _hardware(content: Content) -> str:
    device = content.get("device", "cpu")
    return f"{content['cores']} cores of an {content['processor']}" if device == "cpu" else f"an {device}"


def replace(file: Path, name: str, text: str) -> None:
    """Write a text between a file's markers of one name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = file.read_text(encoding="utf-8").split(begin)
    file.write_text(f"{before}{begin}{text}{end}{rest.split(end)[1]}", encoding="utf-8")


def _machine(content: Content) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return (
        f"Measured on {content['date']} on {_hardware(content)}, Python "
        f"{content['python']}, {versions} (`benchmarks/results/{content['file']}`).\n"
    )


def _short(content: Content, found: pd.DataFrame) -> str:
    """Return the README's table: ours beside the three that one would compare it with."""
    rows = found.xs("relu", level="activation")
    peers = ["lightning", "one_process_each", "jax"]
    head = "| network, ReLU, batches of 32 | ours, ms a network-epoch |"
    head += "".join(f" {LABELS[name]} |" for name in peers) + " share of the matrix limit |\n"
    lines = [
        f"| {_title(key)} | {number(row['ours'])} | "
        + " | ".join(_times(row[name], row["ours"]) for name in peers)
        + f" | {row['limit'] / row['ours']:.0%} |\n"
        for key, row in rows.iterrows()
    ]
    return (
        f"On {_hardware(content)} ({content['date']}):\n\n{head}|---|---|{'---|' * len(peers)}---|\n{''.join(lines)}\n"
    )


def _peers(content: Content, rows: pd.DataFrame) -> str:
    """Return every peer's milliseconds, their spread, and how many times as long it takes as ours."""
    spread = {
        (one["network"], one["batch_norm"], one["peer"]): one for one in content["rows"] if one["activation"] == "relu"
    }
    lines = []
    for key, row in rows.iterrows():
        network, norm = key  # type: ignore[misc]
        for name, median in row.dropna().items():
            one = spread[network, norm, name]
            times = one["milliseconds"]
            stack = f"{one['networks']:,}" if name in {"ours", "ours_health", "jax", "vmap"} else ""
            cells = [
                _title(key),
                LABELS[str(name)],
                stack,
                number(median),
                f"{number(min(times))} to {number(max(times))}",
            ]
            cells += [f"{median / row['ours']:.2f}", f"{row['limit'] / median:.1%}"]
            lines.append(_row(cells))
    return (
        "| network | trained by | networks at a time | ms a network-epoch | lowest to highest | times ours | "
        f"share of the limit |\n|---|---|---|---|---|---|---|\n{''.join(lines)}"
    )


def _activations(found: pd.DataFrame) -> str:
    """Return ours beside JAX for every activation."""
    lines = []
    for (network, activation, norm), row in found.iterrows():  # type: ignore[misc]
        cells = [_title((network, norm)), ACTIVATIONS[activation], number(row["ours"]), number(row["jax"])]
        lines.append(_row([*cells, f"{row['jax'] / row['ours']:.2f}"]))
    return (
        "| network | activation | ours, ms a network-epoch | JAX | JAX takes times as long |\n|---|---|---|---|---|\n"
        + "".join(lines)
    )


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _title(key: Any) -> str:
    network, norm = key
    return f"{network}, batch norm" if norm else network


def _times(other: float, ours: float) -> str:
    return f"{number(other)} ({number(other / ours)}×)"


def number(value: float) -> str:
    """Return a number with three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def chart(found: pd.DataFrame) -> alt.FacetChart:
    """Return every peer's time as a bar, on a logarithmic axis, with its number."""
    rows = found.xs("relu", level="activation").reset_index()
    rows["network"] = [_title(key) for key in zip(rows["network"], rows["batch_norm"], strict=True)]
    titles = list(rows["network"])
    long = rows.drop(columns="batch_norm").melt("network", var_name="peer", value_name="ms").dropna()
    long["least"] = long.groupby("network")["ms"].transform("min") / 2
    long["said"] = [number(ms) for ms in long["ms"]]
    long["peer"] = long["peer"].map(LABELS)
    order = list(LABELS.values())
    scale = alt.Scale(domain=order, range=["#1b7837", "#7fbf7b"] + ["#9ecae1"] * 6 + ["#bdbdbd"])
    y = alt.Y("peer:N", title=None, sort=order)
    bars = (
        alt.Chart()
        .mark_bar()
        .encode(
            alt.X("least:Q", title="ms a network-epoch, logarithmic")
            .scale(type="log", nice=False, zero=False)
            .axis(**SPARSE),
            y,
            alt.X2("ms:Q"),
            alt.Color("peer:N", scale=scale, legend=None),
        )
    )
    words = alt.Chart().mark_text(align="left", dx=3, fontSize=9).encode(alt.X("ms:Q"), y, alt.Text("said:N"))
    both = alt.layer(bars, words, data=long).properties(width=300, height=150)
    return both.facet(alt.Facet("network:N", title=None, sort=titles), columns=2).resolve_scale(x="independent")


if __name__ == "__main__":
    render()
