"""Text from outside as Airflow can store and show it: encodable, printable, of limited length."""

from __future__ import annotations

import re

LONGEST_LINE = 1000
"""Characters of a text from outside that a log, an exception or a message shows."""

# No database and no message encoder takes all of them: half a surrogate pair cannot be written as UTF-8, and
# PostgreSQL refuses NUL. Tab and newline stay.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNFIT_ASCII = bytes(code for code in range(128) if chr(code) not in "\t\n" and not chr(code).isprintable())
# Airflow folds the lines of a log between such marks.
_LOG_COMMAND = re.compile("::((?:end)?group)::", re.IGNORECASE)


def encodable(text: str) -> str:
    """
    Replace what cannot be encoded or stored.

    :param text: any text.
    :return: the text with U+FFFD in place of lone surrogates and of control characters other than tab and newline;
        a carriage return is a newline.
    """
    if text.isprintable() or (text.isascii() and len(text.encode().translate(None, _UNFIT_ASCII)) == len(text)):
        return text
    return _UNFIT.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text)


def cut(text: str, longest: int) -> str:
    """
    Cut a text, and show that it was cut.

    :param text: the text.
    :param longest: characters of the result, the dots at its end included.
    """
    return text if len(text) <= longest else f"{text[: max(0, longest - 3)]}..."[:longest]


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """
    Return a text as a log, an exception or a message may show it: as one line of printable characters.

    :param text: any text.
    :param longest: characters of the result.
    """
    # All steps walk through the text, so what will not be shown goes first. Spaces may be most of it.
    line = " ".join(text[: 16 * longest + 1024].split())
    if not line.isprintable():
        line = "".join(each if each.isprintable() else "\ufffd" for each in line)
    return cut(_LOG_COMMAND.sub(r"(\1)", line), longest)
