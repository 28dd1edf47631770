"""Bucket credentials from an Airflow connection."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, mask_secret

from airflow_sentinelhub.exceptions import InvalidConnection, ServiceUnavailable
from airflow_sentinelhub.hooks.connection_fields import Extra, quoted
from airflow_sentinelhub.jobs.request_buckets import BucketCredentials
from airflow_sentinelhub.jobs.secret import Secret

_GOOGLE = "extra__google_cloud_platform__"


def read_delivery(conn_id: str) -> BucketCredentials:
    """
    Read the keys of a bucket from an Airflow connection, and mask them in all logs.

    ``aws``: ``role_arn`` in extra becomes ``iamRoleARN``; otherwise login and password are the access key, and
    ``region_name`` in extra its region. ``google_cloud_platform``: ``keyfile_dict`` or ``key_path`` in extra.

    :raises InvalidConnection: there is none of that id, it is of another type, or a field is missing.
    :raises ServiceUnavailable: the secrets backend or the database did not answer.
    """
    try:
        # Hidden, as Airflow shows passwords in the repr of a connection, and error trackers show variables.
        connection: Secret[Any] = Secret(BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        raise InvalidConnection(
            f"Airflow connection {conn_id!r} does not exist or could not be read: create one of type 'aws' or "
            "'google_cloud_platform', or name another one with delivery_conn_id"
        ) from None
    except Exception as error:
        # Only its type is named: the text may come from a secrets backend and hold anything.
        raise ServiceUnavailable(
            f"Airflow connection {conn_id!r} could not be read ({type(error).__name__}): the database or the "
            "secrets backend did not answer"
        ) from None
    extra = _extra(conn_id, connection)
    match connection.reveal().conn_type:
        case "aws":
            return _aws(conn_id, connection, extra)
        case "google_cloud_platform":
            return _google(conn_id, extra)
        case other:
            raise InvalidConnection(
                f"Airflow connection {conn_id!r} is of type {quoted(other)}: the service delivers to S3 (type "
                "'aws') and Google Cloud Storage (type 'google_cloud_platform')"
            )


def _aws(conn_id: str, connection: Secret[Any], extra: Extra) -> BucketCredentials:
    region = extra.reveal().get("region_name") or None
    if role := extra.reveal().get("role_arn"):
        return BucketCredentials("s3", {"iamRoleARN": role}, region)
    if extra.reveal().get("aws_session_token"):
        raise InvalidConnection(
            f"Airflow connection {conn_id!r} holds temporary keys (aws_session_token in extra), which the service "
            "takes no token for: enter lasting keys, or a role_arn"
        )
    keys = Secret({"accessKey": connection.reveal().login, "secretAccessKey": connection.reveal().password})
    if not all(keys.reveal().values()):
        raise InvalidConnection(
            f"Airflow connection {conn_id!r} has no keys to hand to the service: enter the access key id as login "
            "and the secret access key as password, or a role_arn in extra. The worker's own AWS credentials are "
            "of no use to the service"
        )
    for name in keys.reveal():
        mask_secret(keys.reveal()[name])
    return BucketCredentials("s3", keys.reveal(), region)


def _google(conn_id: str, extra: Extra) -> BucketCredentials:
    path = extra.reveal().get("key_path") or extra.reveal().get(f"{_GOOGLE}key_path")
    keyfile: Secret[Any] = Secret(
        extra.reveal().get("keyfile_dict") or extra.reveal().get(f"{_GOOGLE}keyfile_dict")
    )
    try:
        if not keyfile.reveal() and path:
            keyfile = Secret(Path(path).read_text(encoding="utf-8"))
        read: Secret[Any] = Secret(
            json.loads(keyfile.reveal()) if isinstance(keyfile.reveal(), str) else keyfile.reveal()
        )
    except OSError as error:
        raise InvalidConnection(
            f"Airflow connection {conn_id!r}: key_path cannot be read on this worker ({type(error).__name__})"
        ) from None
    except (ValueError, TypeError, RecursionError):
        read = Secret(None)
    if not isinstance(read.reveal(), dict) or not read.reveal():
        raise InvalidConnection(
            f"Airflow connection {conn_id!r} has no service account key to hand to the service: enter it as "
            "keyfile_dict, or its file as key_path, in extra"
        )
    credentials = Secret(base64.b64encode(json.dumps(read.reveal()).encode()).decode())
    mask_secret(credentials.reveal())
    if isinstance(read.reveal().get("private_key"), str):
        mask_secret(read.reveal()["private_key"])
    return BucketCredentials("gs", {"credentials": credentials.reveal()})


def _extra(conn_id: str, connection: Secret[Any]) -> Extra:
    try:
        extra = Secret(json.loads(connection.reveal().extra or "{}"))
    except (ValueError, RecursionError):
        extra = Secret(None)
    if not isinstance(extra.reveal(), dict):
        raise InvalidConnection(f"Airflow connection {conn_id!r}: extra is no JSON object")
    return extra
