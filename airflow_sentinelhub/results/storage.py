"""Files in object storage, through Airflow's ``ObjectStoragePath`` and the connection that it is given."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from airflow_sentinelhub.exceptions import (
    ResultsUnavailable,
    SentinelHubError,
    StorageUnavailable,
    StorageUnsupported,
)

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

LOCAL = ("file", "local")

MOST_FILES = 5_000_000
"""
Files that are listed below a folder at most.

A job has up to 700,000 features; a folder that many jobs share may hold a few times that.
"""

_CHUNK = 8 * 1024 * 1024
_NEEDED = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "airflow-provider-sentinelhub[storage]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
}


class FileRefused(Exception):
    """A file is there and is not read; the message says why."""


class FileTooLarge(FileRefused):
    """
    A file has more bytes than are read of one.

    :param most: bytes.
    """

    def __init__(self, most: int) -> None:
        super().__init__(f"it has more than {most:,} bytes, the most that is read of one file")


class Storage:
    """
    Reads whole files up to a size that the caller states, and writes them.

    Its messages do not repeat what a library said: that may hold keys.

    Every method raises :class:`FileNotFoundError` where there is no such file,
    :class:`~airflow_sentinelhub.exceptions.StorageUnsupported` where a library is missing,
    :class:`~airflow_sentinelhub.exceptions.StorageUnavailable` where asking again may help, and otherwise
    :class:`~airflow_sentinelhub.exceptions.ResultsUnavailable`.

    :param conn_id: the Airflow connection; ``None``: the worker's own credentials. A URL may name another one
        (``s3://conn_id@bucket/key``).
    :param about: the job, as messages name it.
    :param attributes: what the exceptions carry.
    """

    def __init__(self, conn_id: str | None, about: str, **attributes: Any) -> None:
        self._conn_id = conn_id or None
        self._about = about
        self._attributes = attributes
        self._seen: set[str | None] = set()

    def download(self, url: str, target: Path, most: int) -> None:
        """
        Copy a file to this machine, never more than a few MB of it in memory.

        :param url: where it is.
        :param target: where it goes.
        :param most: bytes.
        :raises FileTooLarge: it has more bytes than that. What it says of its size is not believed: it is counted.
        :raises FileRefused: it is a link, a pipe or a device of this machine.
        """
        with self._translated("read", url) as path:
            _check_regular(path)
            # Not get_file, which holds as many parts of 50 MB in memory as it has connections.
            with path.fs.open(path.path, "rb", cache_type="none") as source, target.open("wb") as copy:
                left = most
                while chunk := source.read(min(_CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise FileTooLarge(most)
                    copy.write(chunk)

    def read(self, url: str, most: int) -> bytes:
        """
        Return the content of a file.

        :param url: where it is.
        :param most: bytes; no more than one above is asked for.
        :raises FileTooLarge: it has more bytes than that.
        :raises FileRefused: it is a link, a pipe or a device of this machine.
        """
        with self._translated("read", url) as path:
            _check_regular(path)
            try:
                content = bytes(path.fs.cat_file(path.path, start=0, end=most + 1))
            except OSError as error:
                if _code(error) != "InvalidRange":
                    raise
                content = b""  # S3 knows no first byte of an empty file
        if len(content) > most:
            raise FileTooLarge(most)
        return content

    def upload(self, source: Path, url: str) -> None:
        """Put a file of this machine there, replacing what is there; what reads it never sees half of it in S3."""
        with self._translated("write", url) as path:
            if path.protocol in LOCAL:
                Path(path.path).parent.mkdir(parents=True, exist_ok=True)
            path.fs.put_file(str(source), path.path)

    def names(self, folder: str) -> Iterator[str]:
        """
        Return what is below a folder: paths relative to it, not all at once.

        :raises ResultsUnavailable: there are more than :data:`MOST_FILES`.
        """
        with self._translated("list", f"{folder}/") as path:
            inside = path.path.strip("/") + "/"
            for count, name in enumerate(_files(path)):
                if count >= MOST_FILES:
                    raise ResultsUnavailable(
                        f"{self._about}: there are more than {MOST_FILES:,} files below {_plain(folder)}, the "
                        "most that are looked through. Let jobs deliver to folders of their own (<REQUEST_ID> in "
                        "the delivery URL).",
                        **self._attributes,
                    )
                found = name.lstrip("/")
                if found.startswith(inside):
                    yield found[len(inside) :]

    @contextmanager
    def _translated(self, action: str, url: str) -> Iterator[ObjectStoragePath]:
        try:
            yield self._path(url)
        except (SentinelHubError, FileNotFoundError, FileRefused):
            raise
        except Exception as error:
            raise self._explained(error, action, url) from None

    def _path(self, url: str) -> ObjectStoragePath:
        from airflow.sdk import ObjectStoragePath

        conn_id = self._conn_id_for(url)
        if urlsplit(url).scheme not in LOCAL:
            self._check_connection(conn_id)
        return ObjectStoragePath(_plain(url), conn_id=conn_id)

    def _conn_id_for(self, url: str) -> str | None:
        return urlsplit(url).netloc.rpartition("@")[0] or self._conn_id

    def _check_connection(self, conn_id: str | None) -> None:
        # Amazon's hook only warns of a connection that does not exist, and goes on with other credentials.
        if conn_id is None or conn_id in self._seen:
            return
        from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

        try:
            BaseHook.get_connection(conn_id)
        except AirflowNotFoundException:
            raise ResultsUnavailable(
                f"{self._about}: its bucket cannot be reached, as there is no Airflow connection {conn_id!r}. "
                "Create it under Admin / Connections, or name another one with storage_conn_id.",
                **self._attributes,
            ) from None
        self._seen.add(conn_id)

    def _explained(self, error: Exception, action: str, url: str) -> ResultsUnavailable:
        scheme, place, conn_id = urlsplit(url).scheme, _plain(url), self._conn_id_for(url)
        who = f"connection {conn_id!r}" if conn_id else "the worker's own credentials (no storage_conn_id)"
        reason = _code(error) or type(error).__name__
        if isinstance(error, ImportError) or "No filesystem registered" in str(error):
            needed = _NEEDED.get(scheme, f"the Airflow provider that serves {scheme}://")
            return StorageUnsupported(
                f"{self._about}: the worker cannot {action} {place}, as what serves {scheme}:// is not installed: "
                f"pip install '{needed}'.",
                **self._attributes,
            )
        if isinstance(error, PermissionError):
            return ResultsUnavailable(
                f"{self._about}: {who} may not {action} {place} ({reason}). Check that the keys are right, belong "
                f"to the account of the bucket, and may {_RIGHTS[action]}; or name another connection with "
                "storage_conn_id. The job itself is not touched by this.",
                **self._attributes,
            )
        return StorageUnavailable(
            f"{self._about}: {who} could not {action} {place} ({reason}). The storage may be away, or the "
            "connection's endpoint or region wrong. Clear this task to try again.",
            **self._attributes,
        )


_PAGE = 1000
_MOST_PAGES = 2 * MOST_FILES // _PAGE
_RIGHTS = {"read": "read its objects", "list": "list it", "write": "write to it"}


def _files(path: ObjectStoragePath) -> Iterator[str]:
    """Full names of all files below; a folder of S3 may have hundreds of thousands, and comes page by page."""
    if not hasattr(path.fs, "call_s3"):
        for folder, _, names in path.fs.walk(path.path, on_error="raise"):
            yield from (f"{folder.rstrip('/')}/{name}" for name in sorted(names))
        return
    # Not its properties bucket and key: Airflow 3.1 gives others.
    bucket, _, key = path.path.strip("/").partition("/")
    query: dict[str, Any] = {"Bucket": bucket, "Prefix": f"{key}/" if key else "", "MaxKeys": _PAGE}
    for _ in range(_MOST_PAGES):
        page = path.fs.call_s3("list_objects_v2", **query)
        yield from (f"{bucket}/{entry['Key']}" for entry in page.get("Contents", ()))
        if not page.get("IsTruncated"):
            return
        query["ContinuationToken"] = page["NextContinuationToken"]
    raise OSError("the list has no end")


def _check_regular(path: ObjectStoragePath) -> None:
    """
    Make sure that a path of this machine leads to an ordinary file, and not by a link.

    A link may lead out of the folder in which it lies; a pipe or a device never ends.

    :raises FileNotFoundError: there is none.
    :raises FileRefused: it is something else.
    """
    if path.protocol in LOCAL and not stat.S_ISREG(os.lstat(path.path).st_mode):
        raise FileRefused("it is no ordinary file, but a link, a folder, a pipe or a device")


def _plain(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _code(error: BaseException) -> str | None:
    """Return the error code of S3, which is safe to show; the message beside it may name a key."""
    for each in (error, error.__cause__, error.__context__):
        response = getattr(each, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        if isinstance(code, str) and code.isalnum():
            return code
    return None
