"""The file that holds a request, found and read as Airflow does it with the files of templates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_sentinelhub.exceptions import InvalidRequest
from airflow_sentinelhub.jobs.request_text import BYTE_ORDER_MARK

if TYPE_CHECKING:
    import jinja2

LARGEST = 32 * 1024 * 1024
"""
Bytes of a file at most: Airflow renders, masks and stores what is in it, and that takes longer than to send it.

A geometry of 200,000 points is of 8 MB.
"""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_request_file(name: str, jinja_env: jinja2.Environment) -> str:
    """
    Read the file of a request.

    :param name: its name, relative to the folder of the DAG or to one of its ``template_searchpath``.
    :param jinja_env: the DAG's, which knows these folders.
    :return: its text, without a byte order mark.
    :raises InvalidRequest: it is not there, or is not read.
    """
    for path in _candidates(name, jinja_env):
        if path.is_dir():
            raise _refused(name, "is a folder")
        if path.is_file():
            size = path.stat().st_size
            if size > LARGEST:
                raise _refused(name, f"has {size:,} bytes, and {LARGEST:,} at most are read")
            break
    reason = ""
    try:
        if jinja_env.loader is not None:
            return jinja_env.loader.get_source(jinja_env, name)[0].removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        kind = "is in UTF-16" if error.object[:2] in _UTF_16 else f"is no UTF-8 (byte {error.start + 1})"
        raise _refused(name, f"{kind}: save it as UTF-8") from None  # the error holds the whole file
    except Exception as error:
        reason = f" ({type(error).__name__})"
    raise InvalidRequest(
        f"The file {name!r} that holds the request cannot be read{reason}: it is looked for in the folder of "
        "the DAG's file and in the DAG's template_searchpath. Nothing was sent."
    )


def _candidates(name: str, jinja_env: jinja2.Environment) -> Iterator[Path]:
    # The loader itself refuses names that lead out of its folders.
    if ".." not in Path(name).parts and not Path(name).is_absolute():
        for folder in getattr(jinja_env.loader, "searchpath", ()):
            yield Path(folder) / name


def _refused(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"The file {name!r} that holds the request {why}. Nothing was sent.")
