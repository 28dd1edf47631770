"""A real S3 API for tests: moto's server, and Airflow connections to it."""

from __future__ import annotations

import itertools
import json
import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

BUCKET = "my-bucket"
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_NUMBERS = itertools.count()


class S3:
    """
    An S3 with one bucket.

    :param url: where it listens.
    """

    def __init__(self, url: str) -> None:
        import boto3

        self.url = url
        self._client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=BUCKET)

    def write(self, url: str, content: bytes) -> None:
        """Put an object, as the service would."""
        _, _, bucket, key = url.split("/", 3)
        self._client.put_object(Bucket=bucket, Key=key, Body=content)

    def read(self, url: str) -> bytes:
        _, _, bucket, key = url.split("/", 3)
        content: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def connection(self, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> str:
        """Make an Airflow connection; its id is new, as Airflow keeps a file system for each id."""
        conn_id = f"s3_{next(_NUMBERS)}"
        extra = {"endpoint_url": self.url, "region_name": "us-east-1", **extra}
        connection = {"conn_type": "aws", "login": KEY_ID, "password": SECRET, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return conn_id

    @contextmanager
    def checking_keys(self) -> Iterator[None]:
        """Refuse whoever has no right to what they ask for, which is everybody."""
        self._reset_auth(b"0")
        try:
            yield
        finally:
            self._reset_auth(b"inf")

    def _reset_auth(self, requests_without: bytes) -> None:
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth", data=requests_without, headers={"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=60).close()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()
