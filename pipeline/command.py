"""The command ``trainability``: advice, and questions to results, from the command line."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from . import advise
from .axes.activations import ACTIVATIONS
from .console import speak_plainly
from .errors import DataError, PipelineError
from .grid import AXES

EXIT_CODES = """\
exit codes:
  0  done
  1  the answer is no, or something in the way is said in a line
  2  the command line makes no sense
"""
EXAMPLES = {
    "advise": "trainability advise --activation gelu --depth 50 --width 100",
    "query": 'trainability query "activation=gelu,relu batch_norm=none learning_rate>=0.1" --format csv',
    "check": "trainability check",
    "verify": "trainability verify",
    "completion": 'eval "$(trainability completion bash)"',
}
FORMATS = ("table", "csv", "json")
VERIFY = Path("stages/verify.py")

COMPLETION = """\
_trainability() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  case $before in
CASES
  esac
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=( $(compgen -W "COMMANDS" -- "$word") ); return
  fi
  case ${COMP_WORDS[1]} in
OPTIONS
  esac
}
complete -o default -F _trainability trainability
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    speak_plainly()
    options = _parser().parse_args(words)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trainability",
        description="What makes a deep network trainable: theory's advice, and what thousands of networks came to.",
        epilog="examples:\n" + "\n".join(f"  {example}" for example in EXAMPLES.values()) + f"\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], about: str, more: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}. {more}".strip(),
            epilog=f"example:\n  {EXAMPLES[name]}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        added.set_defaults(run=run)
        return added

    advise.add_arguments(
        add("advise", _advise, "which initializer suits an activation and a depth, by theory, in a second")
    )
    asked = add(
        "query", _query, "which settings of the results meet some conditions, and how they did",
        "Reads the results of `dvc repro`. Conditions compare columns of networks.parquet, or `study`, with values; "
        f"the axes are {', '.join(AXES)}.",
    )  # fmt: skip
    asked.add_argument("conditions", help='such as "activation=gelu,relu batch_norm=none learning_rate>=0.1"')
    asked.add_argument("--format", choices=FORMATS, default="table", help="of the answer (default: table)")
    asked.add_argument("--networks", action="store_true", help="a row for each network, not for each setting")
    asked.add_argument("--results", type=Path, default=Path("results"), help="folder of the results (default: results)")
    asked.add_argument("--limit", type=int, default=0, help="rows at most (default: all)")
    add("check", _check, "whether the params.yaml in this folder makes sense, and what it builds")
    add("verify", _verify, "whether this machine computes as others do, bit for bit", "In a checkout of the project.")
    shell = add("completion", _completion, "what makes a shell complete this command")
    shell.add_argument("shell", choices=("bash", "zsh"), help="which")
    return parser


def _advise(options: argparse.Namespace) -> int:
    print(advise.answer(options))
    return 0


def _query(options: argparse.Namespace) -> int:
    query = _of_the_pipeline(".query")
    found = query.query(options.conditions, options.results, options.networks)
    rows = found.head(options.limit) if options.limit > 0 else found
    if options.format == "csv":
        print(rows.to_csv(index=False), end="")
    elif options.format == "json":
        print(rows.to_json(orient="records", indent=2))
    else:
        print(
            rows.to_string(index=False, float_format="{:.4g}".format) if len(rows) else "nothing meets these conditions"
        )
        if len(rows) < len(found):
            print(f"… {len(found) - len(rows):,} more")
    return 0 if len(found) else 1


def _check(_: argparse.Namespace) -> int:
    code: int = _of_the_pipeline(".config.__main__").main()
    return code


def _verify(_: argparse.Namespace) -> int:
    if not VERIFY.is_file():
        raise DataError(f"{VERIFY} is not here: run this in a checkout of the project")
    return subprocess.run([sys.executable, "-m", "stages.verify"], check=False).returncode


def _completion(options: argparse.Namespace) -> int:
    print(completion(options.shell), end="")
    return 0


def completion(shell: str) -> str:
    """Return the script that makes ``bash`` or ``zsh`` complete commands, options and levels."""
    commands = {
        name: parser
        for action in _parser()._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, parser in action.choices.items()
    }
    choices: dict[str, str] = {"--activation": " ".join(ACTIVATIONS.names)}
    options = {}
    for name, parser in commands.items():
        options[name] = " ".join(word for action in parser._actions for word in action.option_strings)
        for action in parser._actions:
            if action.choices and action.option_strings:
                choices[action.option_strings[0]] = " ".join(map(str, action.choices))
    reply = 'COMPREPLY=( $(compgen -W "{}" -- "$word") )'
    cases = "\n".join(f"    {option}) {reply.format(words)}; return ;;" for option, words in choices.items())
    own = "\n".join(f"    {name}) {reply.format(words)} ;;" for name, words in options.items())
    script = COMPLETION.replace("CASES", cases).replace("OPTIONS", own).replace("COMMANDS", " ".join(commands))
    return f"autoload -U +X bashcompinit && bashcompinit\n{script}" if shell == "zsh" else script


def _of_the_pipeline(module: str) -> Any:
    """Return a module that needs the packages of the whole pipeline.

    Raises:
        DataError: they are not installed.
    """
    try:
        return import_module(module, __package__)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(__package__ or ""):
            raise
        raise DataError(
            f"this needs {error.name}, which is not installed: pip install 'trainability[pipeline]'"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
