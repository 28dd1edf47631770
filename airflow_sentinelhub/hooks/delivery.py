"""From an Airflow connection to the keys that let the service into its user's bucket."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, mask_secret

from airflow_sentinelhub.exceptions import InvalidConnection, ServiceUnavailable
from airflow_sentinelhub.jobs.storages import StorageKeys

_GOOGLE = "extra__google_cloud_platform__"


def read_delivery(conn_id: str) -> StorageKeys:
    """
    Read the keys of a bucket from an Airflow connection, and mask them in all logs.

    ``aws``: ``role_arn`` in extra becomes ``iamRoleARN``; otherwise login and password are the access key, and
    ``region_name`` in extra its region. ``google_cloud_platform``: ``keyfile_dict`` or ``key_path`` in extra.

    :raises InvalidConnection: there is none of that id, it is of another type, or a field is missing.
    :raises ServiceUnavailable: the secrets backend or the database did not answer.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
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
    extra = _extra(conn_id, connection.extra)
    match connection.conn_type:
        case "aws":
            return _aws(conn_id, connection, extra)
        case "google_cloud_platform":
            return _google(conn_id, extra)
        case other:
            raise InvalidConnection(
                f"Airflow connection {conn_id!r} is of type {other!r}: the service delivers to S3 (type 'aws') "
                "and Google Cloud Storage (type 'google_cloud_platform')"
            )


def _aws(conn_id: str, connection: Any, extra: dict[str, Any]) -> StorageKeys:
    region = extra.get("region_name") or None
    if role := extra.get("role_arn"):
        return StorageKeys("s3", {"iamRoleARN": role}, region)
    if extra.get("aws_session_token"):
        raise InvalidConnection(
            f"Airflow connection {conn_id!r} holds temporary keys (aws_session_token in extra), which the service "
            "takes no token for: enter lasting keys, or a role_arn"
        )
    key, secret = connection.login, connection.password
    if not key or not secret:
        raise InvalidConnection(
            f"Airflow connection {conn_id!r} has no keys to hand to the service: enter the access key id as login "
            "and the secret access key as password, or a role_arn in extra. The worker's own AWS credentials are "
            "of no use to the service"
        )
    mask_secret(key)
    mask_secret(secret)
    return StorageKeys("s3", {"accessKey": key, "secretAccessKey": secret}, region)


def _google(conn_id: str, extra: dict[str, Any]) -> StorageKeys:
    keyfile = extra.get("keyfile_dict") or extra.get(f"{_GOOGLE}keyfile_dict")
    path = extra.get("key_path") or extra.get(f"{_GOOGLE}key_path")
    try:
        if not keyfile and path:
            keyfile = Path(path).read_text()
        read = json.loads(keyfile) if isinstance(keyfile, str) else keyfile
    except OSError as error:
        raise InvalidConnection(
            f"Airflow connection {conn_id!r}: key_path cannot be read on this worker ({type(error).__name__})"
        ) from None
    except ValueError:
        read = None
    if not isinstance(read, dict) or not read:
        raise InvalidConnection(
            f"Airflow connection {conn_id!r} has no service account key to hand to the service: enter it as "
            "keyfile_dict, or its file as key_path, in extra"
        )
    credentials = base64.b64encode(json.dumps(read).encode()).decode()
    mask_secret(credentials)
    if isinstance(read.get("private_key"), str):
        mask_secret(read["private_key"])
    return StorageKeys("gs", {"credentials": credentials})


def _extra(conn_id: str, text: str | None) -> dict[str, Any]:
    try:
        extra = json.loads(text or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise InvalidConnection(f"Airflow connection {conn_id!r}: extra is no JSON object")
    return extra
