"""OAuth tokens as Keycloak hands them out (sentinelhub-api.md, section 2.1)."""

from __future__ import annotations

import base64
import json
import secrets
import time as _time
import uuid
from collections.abc import Callable
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs

from airflow_sentinelhub.emulator.settings import Settings


class Realm(StrEnum):
    """The two places that hand out tokens."""

    MAIN = "main"
    CDSE = "CDSE"

    @property
    def path(self) -> str:
        """Path of the token endpoint."""
        return f"/auth/realms/{self.value}/protocol/openid-connect/token"


class TokenRefused(Exception):
    """
    The token endpoint says no.

    :param status: HTTP status.
    :param error: OAuth2 error code.
    :param description: Keycloak's text.
    """

    def __init__(self, status: int, error: str, description: str) -> None:
        self.status = status
        self.body = {"error": error, "error_description": description}
        super().__init__(error)


class Tokens:
    """
    Tokens that are good now.

    Their life runs on real time, unlike that of jobs: a client renews them by its own clock.

    :param time: source of real seconds.
    """

    def __init__(self, time: Callable[[], float] = _time.monotonic) -> None:
        self._time = time
        self._expiries: dict[str, float] = {}

    def issue(self, realm: Realm, content_type: str, body: bytes, settings: Settings) -> dict[str, Any]:
        """
        Answer a token request.

        :param body: the form; credentials in it, not in a header.
        :raises TokenRefused: for anything but a client-credentials grant with the right id and secret.
        """
        form = {}
        if content_type.startswith("application/x-www-form-urlencoded"):
            form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        if "grant_type" not in form:
            raise TokenRefused(400, "invalid_request", "Missing form parameter: grant_type")
        if form["grant_type"] != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type", "Unsupported grant_type")
        if (form.get("client_id"), form.get("client_secret")) != (settings.client_id, settings.client_secret):
            raise TokenRefused(
                settings.invalid_client_status, "invalid_client", "Invalid client or Invalid client credentials"
            )
        seconds = settings.main_token_seconds if realm is Realm.MAIN else settings.cdse_token_seconds
        token = _jwt(realm, settings.client_id, seconds)
        self._forget_expired()
        self._expiries[token] = self._time() + seconds
        return {
            "access_token": token,
            "expires_in": seconds,
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": "SH",
        }

    def valid(self, authorization: str) -> bool:
        """Return whether an ``Authorization`` header opens the door."""
        kind, _, token = authorization.partition(" ")
        return kind.lower() == "bearer" and self._time() < self._expiries.get(token.strip(), float("-inf"))

    def revoke(self) -> None:
        """Make every token worthless, although it looks good to its owner."""
        self._expiries.clear()

    def _forget_expired(self) -> None:
        now = self._time()
        self._expiries = {token: expiry for token, expiry in self._expiries.items() if expiry > now}


def _jwt(realm: Realm, client_id: str, seconds: int) -> str:
    """Return a text in the form of a JWT; its signature is not checked."""
    issued = int(_time.time())
    claims = {
        "exp": issued + seconds,
        "iat": issued,
        "jti": str(uuid.uuid4()),
        "iss": f"https://emulator.invalid/auth/realms/{realm.value}",
        "typ": "Bearer",
        "azp": client_id,
    }
    parts = [json.dumps(each, separators=(",", ":")).encode() for each in ({"alg": "RS256", "typ": "JWT"}, claims)]
    parts.append(secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
