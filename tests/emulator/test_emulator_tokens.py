"""Section 2.1 of the contract."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import requests

from airflow_sentinelhub.emulator import CLIENT_ID, CLIENT_SECRET, Emulator
from airflow_sentinelhub.emulator.oauth import Realm, Tokens
from airflow_sentinelhub.emulator.settings import Settings

FORM = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
INVALID_CLIENT = {"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"}


def ask(url: str, form: dict[str, str] | None = None, **more: Any) -> requests.Response:
    return requests.post(url, data=FORM if form is None else form, timeout=60, **more)


@pytest.mark.parametrize(("realm", "seconds"), [("main", 3599), ("cdse", 600)])
def test_both_realms_hand_out_tokens(emulator: Emulator, realm: str, seconds: int) -> None:
    answer = ask({"main": emulator.auth_url, "cdse": emulator.cdse_auth_url}[realm])
    assert answer.status_code == 200
    token = answer.json()
    assert (token["expires_in"], token["token_type"]) == (seconds, "Bearer")
    claims = token["access_token"].split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert decoded["exp"] - decoded["iat"] == seconds
    assert decoded["azp"] == CLIENT_ID
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert requests.get(f"{emulator.url}/batch/v2/process", headers=headers, timeout=60).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "somebody"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
def test_others_get_none(emulator: Emulator, change: dict[str, str], status: int, error: str) -> None:
    answer = ask(emulator.auth_url, FORM | change)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_wrong_credentials_are_refused_in_keycloaks_words(emulator: Emulator) -> None:
    emulator.configure(invalid_client_status=400)
    answer = ask(emulator.auth_url, FORM | {"client_secret": "wrong"})
    assert (answer.status_code, answer.json()) == (400, INVALID_CLIENT)


def test_credentials_count_in_a_form_only(emulator: Emulator) -> None:
    basic = ask(emulator.auth_url, {"grant_type": "client_credentials"}, auth=(CLIENT_ID, CLIENT_SECRET))
    as_json = requests.post(emulator.auth_url, json=FORM, timeout=60)
    assert (basic.status_code, as_json.status_code) == (401, 400)
    assert requests.get(emulator.auth_url, timeout=60).status_code == 405


def test_a_rotated_secret_refuses_the_old_one_but_keeps_the_tokens(
    emulator: Emulator, user: requests.Session
) -> None:
    emulator.rotate_secret("new & strange=secret")
    assert emulator.client_secret == "new & strange=secret"
    assert ask(emulator.auth_url).status_code == 401
    assert ask(emulator.auth_url, FORM | {"client_secret": "new & strange=secret"}).status_code == 200
    assert user.get(f"{emulator.url}/batch/v2/process", timeout=60).status_code == 200


def test_a_revoked_token_is_refused_with_the_services_words(emulator: Emulator, user: requests.Session) -> None:
    emulator.revoke_tokens()
    answer = user.get(f"{emulator.url}/batch/v2/process", timeout=60)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "COMMON_UNAUTHORIZED"
    assert answer.json()["error"]["message"].startswith(
        "You are not authorized! Please provide a valid access token"
    )


def test_tokens_expire_by_real_time_and_not_by_the_services() -> None:
    now = [0.0]
    tokens = Tokens(time=lambda: now[0])
    form = "&".join(f"{name}={value}" for name, value in FORM.items()).encode()
    settings = Settings(main_token_seconds=100)
    token = tokens.issue(Realm.MAIN, "application/x-www-form-urlencoded", form, settings)["access_token"]
    for seconds, valid in [(99.0, True), (100.0, False)]:
        now[0] = seconds
        assert tokens.valid(f"Bearer {token}") is valid


def test_advancing_the_service_leaves_tokens_alone(emulator: Emulator, user: requests.Session) -> None:
    emulator.advance(86_400)
    assert user.get(f"{emulator.url}/batch/v2/process", timeout=60).status_code == 200
