"""Words for terminals that lack some of our signs: ``×`` becomes ``x`` rather than an error."""

import codecs
import io
import sys

PLAIN = {
    "×": "x", "·": "*", "←": "<-", "→": "->", "▶": ">", "≥": ">=", "≤": "<=", "∞": "inf", "±": "+-", "²": "^2",
    "…": "...", "–": "-", "«": '"', "»": '"', "σ": "sigma", "φ": "phi", "χ": "chi",
}  # fmt: skip


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error("plain", _plain)


def speak_plainly() -> None:
    """Let what is printed fit the terminal's encoding (``PYTHONIOENCODING``, the locale), whatever that is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")
