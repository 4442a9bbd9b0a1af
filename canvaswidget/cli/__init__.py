"""`canvaswidget` on the command line.

Results go to standard output, everything else to standard error, so that a pipe gets what it asked for. The exit code
is 0 when all went well, 1 when something could not be done, 2 when it was asked for wrongly and 130 when interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from canvaswidget.cli.arguments import make_parser
from canvaswidget.cli.errors import UsageError
from canvaswidget.error_text import IN_WORDS, one_line

__all__ = ["main"]

FAILED, MISUSED, INTERRUPTED = 1, 2, 130
# Those of wrong input; a missing file or package; a server that did not start.
SAID = (*IN_WORDS, OSError, ImportError, RuntimeError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:  # argparse has said why
        return int(end.code or 0)
    try:
        commands = importlib.import_module("canvaswidget.cli.commands")  # brings torch: not for help
        getattr(commands, f"run_{options.command}")(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever read the results has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        misused = isinstance(error, UsageError)
        return _say(f"error: {one_line(error, SAID, whole=True)}", MISUSED if misused else FAILED)
    return 0


def _say(message: str, code: int) -> int:
    print(f"canvaswidget: {message}", file=sys.stderr)
    return code
