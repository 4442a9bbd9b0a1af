"""An error on one line, as the page and the command line show it."""

from __future__ import annotations

# Raised by this package, or by Python about an argument, in words that are meant to be read.
IN_WORDS: tuple[type[BaseException], ...] = (TypeError, ValueError, LookupError)


def one_line(
    error: BaseException, in_words: tuple[type[BaseException], ...] = IN_WORDS, whole: bool = False
) -> str:
    """The message of an error; before it the type, unless errors of this type are meant to be read.

    Parameters
    ----------
    in_words : tuple of type
        Errors whose message says enough, if it is more than one word.
    whole : bool
        Whether to join all lines of the message; else the first stands for it.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    line = " ".join(text.split()) if whole else text.strip().split("\n")[0].strip()
    line = line.encode("utf-8", "replace").decode("utf-8")
    if isinstance(error, in_words) and " " in line:
        return line
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
