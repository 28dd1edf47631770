"""From the fields of an Airflow connection to a configuration."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
import structlog

from airflow_sentinelhub.exceptions import InvalidConnection, ServiceUnavailable
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, UrlLayout
from tests.harness import requirements
from tests.harness.versions import needs_airflow

MAIN = "https://services.sentinel-hub.com"
MAIN_AUTH = "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token"
US_WEST = "https://services-uswest2.sentinel-hub.com"
CDSE = "https://sh.dataspace.copernicus.eu"
CDSE_AUTH = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
OWN, OWN_AUTH = "https://sh.example.org", "https://login.example.org/token"

lets_it_pass = needs_airflow("3.2", "hands on a connection whose extra is not JSON")


@pytest.fixture
def configure(monkeypatch):
    """Set the connection ``sh`` and read it, in both ways that the hook offers."""

    def configure(extra=None, **fields):
        fields = {"conn_type": "sentinelhub", "login": "my-id", "password": "my-secret", **fields}
        if extra is not None:
            fields["extra"] = extra if isinstance(extra, str) else json.dumps(extra)
        monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps(fields))
        hook = SentinelHubHook("sh")
        config = hook.get_config()
        assert asyncio.run(hook.aget_config()) == config
        return config

    return configure


@pytest.mark.parametrize(
    ("fields", "base_url", "auth_url"),
    [
        ({}, MAIN, MAIN_AUTH),
        ({"extra": {"deployment": "main"}}, MAIN, MAIN_AUTH),
        ({"extra": {"deployment": "us-west-2"}}, US_WEST, MAIN_AUTH),
        ({"extra": {"deployment": "CDSE"}}, CDSE, CDSE_AUTH),
        ({"extra": {"deployment": None, "auth_url": None}}, MAIN, MAIN_AUTH),
        # An explicit address wins over the deployment's.
        ({"extra": {"deployment": "main", "auth_url": OWN_AUTH}}, MAIN, OWN_AUTH),
        ({"extra": {"deployment": "cdse"}, "host": OWN}, OWN, CDSE_AUTH),
        ({"extra": {"deployment": "us-west-2", "auth_url": MAIN_AUTH}}, US_WEST, MAIN_AUTH),
        # A known base URL brings its own authentication, whatever the form's drop-down still says.
        ({"host": CDSE}, CDSE, CDSE_AUTH),
        ({"host": CDSE + "/", "extra": {"deployment": "main"}}, CDSE, CDSE_AUTH),
        ({"extra": {"auth_url": CDSE_AUTH}}, CDSE, CDSE_AUTH),
        # Both by hand are a deployment of one's own.
        ({"host": OWN, "extra": {"auth_url": OWN_AUTH}}, OWN, OWN_AUTH),
        ({"host": OWN, "extra": {"deployment": "custom", "auth_url": OWN_AUTH}}, OWN, OWN_AUTH),
        # The names that SHConfig uses.
        ({"host": OWN, "extra": {"sh_token_url": OWN_AUTH}}, OWN, OWN_AUTH),
        (
            {"host": OWN, "extra": {"sh_auth_base_url": "https://old.example.org/"}},
            OWN,
            "https://old.example.org/oauth/token",
        ),
        # Loopback needs no https.
        (
            {"host": "http://127.0.0.1", "port": 8780, "extra": {"auth_url": "http://localhost:8780/token"}},
            "http://127.0.0.1:8780",
            "http://localhost:8780/token",
        ),
        (
            {"host": "http://127.0.0.1:9999", "port": 8780, "extra": {"auth_url": "http://localhost:8780/token"}},
            "http://127.0.0.1:9999",
            "http://localhost:8780/token",
        ),
        # A port that is there for Airflow's sake alone changes nothing.
        ({"host": CDSE, "port": 443}, CDSE, CDSE_AUTH),
        ({"port": 443, "extra": {"deployment": "cdse"}}, CDSE, CDSE_AUTH),
        ({"host": OWN, "port": 8443, "extra": {"auth_url": OWN_AUTH}}, OWN + ":8443", OWN_AUTH),
        # What was copied with blanks around it.
        (
            {"login": " my-id ", "password": "my-secret\n", "host": f" {OWN}/ ", "extra": {"auth_url": OWN_AUTH}},
            OWN,
            OWN_AUTH,
        ),
        # Our own name for it goes before those of SHConfig.
        (
            {"host": OWN, "extra": {"auth_url": OWN_AUTH, "sh_token_url": CDSE_AUTH, "sh_auth_base_url": MAIN}},
            OWN,
            OWN_AUTH,
        ),
    ],
)
def test_addresses(configure, fields, base_url, auth_url):
    config = configure(**fields)
    assert (config.base_url, config.auth_url) == (base_url, auth_url)
    assert (config.client_id, config.client_secret) == ("my-id", "my-secret")


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"login": None}, "client id"),
        ({"login": " "}, "client id"),
        ({"password": None}, "client secret"),
        ({"host": "services.sentinel-hub.com"}, "host 'services.sentinel-hub.com' has no scheme"),
        ({"host": "user:hunter2@sh.example.org"}, "host 'sh.example.org' has no scheme"),
        ({"host": "ftp://sh.example.org", "extra": {"auth_url": OWN_AUTH}}, "base URL"),
        ({"host": "https://user:hunter2@sh.example.org", "extra": {"auth_url": OWN_AUTH}}, "base URL"),
        ({"host": "http://sh.example.org", "extra": {"auth_url": OWN_AUTH}}, "base URL"),
        ({"host": OWN, "extra": {"auth_url": "http://login.example.org/token"}}, "auth_url"),
        ({"host": OWN}, "base URL without authentication URL: enter"),
        ({"extra": {"deployment": "custom", "auth_url": OWN_AUTH}}, "host is empty"),
        ({"extra": {"auth_url": OWN_AUTH}}, "host is empty"),
        ({"extra": {"deployment": "atlantis"}}, "deployment 'atlantis'"),
        ({"extra": {"deployment": 5}}, "deployment in extra"),
        pytest.param({"extra": "[1]"}, "extra is no JSON object", marks=lets_it_pass),
        pytest.param({"extra": "nonsense"}, "extra is no JSON object", marks=lets_it_pass),
        ({"extra": {"url_layout": "newest"}}, "url_layout"),
        ({"extra": {"allow_http": "perhaps"}}, "allow_http"),
        ({"extra": {"dashboard_url": "https://sh.example.org/{job}"}}, "dashboard_url in extra has {job}"),
        ({"extra": {"dashboard_url": "javascript:alert(1)"}}, "dashboard_url in extra is no web address"),
        (
            {"extra": {"dashboard_url": "https://user:hunter2@sh.example.org/{id}"}},
            "dashboard_url in extra contains",
        ),
        ({"extra": {"dashboard_url": "ftp://sh.example.org/?key=hunter2"}}, "dashboard_url in extra is no web"),
        ({"extra": {"dashboard_url": "https://sh.example.org\\/hunter2"}}, "dashboard_url in extra is no address"),
        (
            {"extra": {"dashboard_url": "https://sh.example.org/{hunter2 and more}"}},
            "dashboard_url in extra contains a blank",
        ),
        ({"host": "hunter2"}, "host has no scheme"),
        ({"host": "sh.example.org/?key=hunter2"}, "host has no scheme"),
        ({"host": "http://evil.example\\.localhost", "extra": {"auth_url": OWN_AUTH}}, "base URL is no address"),
        ({"host": OWN, "extra": {"auth_url": "http://evil.example\\.localhost"}}, "auth_url is no address"),
        (
            {"host": OWN, "extra": {"auth_url": "https://user:hunter2@id.example.org"}},
            "auth_url in extra contains",
        ),
        ({"host": OWN, "extra": {"sh_token_url": "https://user:hunter2@id.example.org"}}, "sh_token_url in extra"),
        (
            {"host": OWN, "extra": {"sh_auth_base_url": "https://hunter2@id.example.org"}},
            "sh_auth_base_url in extra",
        ),
        ({"host": OWN, "port": 70000, "extra": {"auth_url": OWN_AUTH}}, "base URL is no address"),
        ({"host": OWN, "extra": {"auth_url": OWN_AUTH + "?key=hunter2"}}, "auth_url must have no '?'"),
        ({"extra": {"deployment": "x" * 10_000}}, "deployment a str that is too long to be shown"),
        ({"extra": {"url_layout": {"hunter2": 1}}}, "url_layout of type dict"),
        ({"extra": {"allow_http": ["hunter2"]}}, "allow_http in extra"),
        ({"extra": {"requests_per_minute": "9" * 10_000}}, "requests_per_minute in extra"),
        ({"extra": {"requests_per_minute": {"hunter2": 1}}}, "requests_per_minute in extra"),
        ({"extra": {"requests_per_minute": "many"}}, "requests_per_minute in extra"),
        ({"extra": {"requests_per_minute": True}}, "requests_per_minute in extra"),
        ({"extra": {"requests_per_minute": "inf"}}, "requests_per_minute in extra"),
        ({"extra": {"requests_per_minute": 0}}, "requests_per_minute is 0"),
        ({"extra": {"requests_per_minute": 0.5}}, "requests_per_minute is 0"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_bad_connection_names_itself_and_the_field(configure, fields, names):
    with pytest.raises(InvalidConnection) as raised:
        configure(**fields)
    assert "'sh'" in str(raised.value)
    assert names in str(raised.value)
    for secret in ("my-secret", "hunter2"):
        assert secret not in str(raised.value)
    assert len(str(raised.value)) < 400


DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


@pytest.mark.parametrize("extra", [DEEP, "[" * 100_000, '{"deployment": ' + "[" * 900 + "]" * 900 + "}"])
def test_an_extra_that_is_nested_deep(monkeypatch, extra):
    """Whether Airflow reads it before us or hands it on."""
    connection = SimpleNamespace(login="my-id", password="my-secret", host=None, port=None, extra=extra)
    monkeypatch.setattr(SentinelHubHook, "get_connection", lambda hook, conn_id: connection)
    with pytest.raises(InvalidConnection, match="extra"):
        SentinelHubHook("sh").get_config()

    def airflow_reads_it(hook, conn_id):
        raise RecursionError

    monkeypatch.setattr(SentinelHubHook, "get_connection", airflow_reads_it)
    with pytest.raises(InvalidConnection, match="extra is nested too deep"):
        SentinelHubHook("sh").get_config()


def test_a_port_belongs_to_any_kind_of_host(configure):
    extra = {"auth_url": "http://[::1]:8780/token"}
    assert configure(extra, host="http://[::1]", port=8780).base_url == "http://[::1]:8780"


def test_a_missing_connection_says_what_to_do():
    for read in (
        SentinelHubHook("nowhere").get_config,
        lambda: asyncio.run(SentinelHubHook("nowhere").aget_config()),
    ):
        with pytest.raises(InvalidConnection, match="'nowhere' does not exist or could not be read: create one"):
            read()


def test_http_to_a_public_host_is_warned_about_every_time(configure):
    extra = {"allow_http": True, "auth_url": "http://login.example.org/token"}
    with structlog.testing.capture_logs() as lines:
        configure(extra, host="http://sh.example.org")
    assert [line["log_level"] for line in lines if "in clear" in line["event"]] == ["warning"] * 4  # read twice


def test_url_layout(configure):
    assert configure({"url_layout": "new"}).url_layout is UrlLayout.NEW
    assert configure({"url_layout": "NEW"}).url_layout is UrlLayout.NEW
    assert configure({"url_layout": ""}).url_layout is UrlLayout.LEGACY
    assert configure().url_layout is UrlLayout.LEGACY


@pytest.mark.parametrize(
    ("fields", "page"),
    [
        ({}, "https://apps.sentinel-hub.com/requests-builder/"),
        ({"extra": {"deployment": "us-west-2"}}, "https://apps.sentinel-hub.com/requests-builder/"),
        ({"host": CDSE}, "https://shapps.dataspace.copernicus.eu/requests-builder/"),
        ({"host": OWN, "extra": {"auth_url": OWN_AUTH, "deployment": "main"}}, ""),
        ({"extra": {"dashboard_url": "https://jobs.example.org/{id}"}}, "https://jobs.example.org/{id}"),
    ],
)
def test_dashboard_url(configure, fields, page):
    assert configure(**fields).dashboard_url == page


@pytest.mark.parametrize(
    ("value", "limit"), [(60, 60), ("60", 60), (3.33, 3), ("3.33", 3), (None, None), ("", None)]
)
def test_requests_per_minute(configure, value, limit):
    assert configure({"requests_per_minute": value}).requests_per_minute == limit


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        *[(spelled, True) for spelled in (True, "true", "1", 1)],
        *[(spelled, False) for spelled in (False, "False", "0", "", None)],
    ],
)
def test_allow_http_in_every_spelling(configure, value, allowed):
    assert configure({"allow_http": value}).allow_http is allowed


def test_why_a_connection_cannot_be_read_is_not_told_in_the_words_of_the_backend(monkeypatch):
    def get_connection(hook, conn_id):
        raise ConnectionError("https://vault/?key=hunter2")

    monkeypatch.setattr(SentinelHubHook, "get_connection", get_connection)
    with pytest.raises(ServiceUnavailable, match=r"'sh' could not be read \(ConnectionError\)") as raised:
        SentinelHubHook("sh").get_config()
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "uri",
    [
        "sentinelhub://my-id:my-secret@/?deployment=cdse",
        "sentinelhub://my-id:my-secret@https%3A%2F%2Fsh.dataspace.copernicus.eu/",
        "sentinelhub://my-id:my-secret@/?auth_url=https%3A%2F%2Fidentity.dataspace.copernicus.eu%2Fauth%2Frealms"
        "%2FCDSE%2Fprotocol%2Fopenid-connect%2Ftoken",
    ],
)
def test_connection_as_uri(monkeypatch, uri):
    monkeypatch.setenv("AIRFLOW_CONN_SH", uri)
    config = SentinelHubHook("sh").get_config()
    assert (config.base_url, config.auth_url, config.client_secret) == (CDSE, CDSE_AUTH, "my-secret")


def test_the_secret_is_in_no_repr(configure):
    assert "my-secret" not in repr(configure())
    assert "my-secret" not in repr(SentinelHubHook("sh"))


def test_get_conn_gives_a_client_of_the_api(configure):
    configure()
    assert SentinelHubHook("sh").get_conn().api is BatchApi.PROCESS
    assert SentinelHubHook("sh").get_conn("statistical").api is BatchApi.STATISTICAL
    with pytest.raises(ValueError, match="atlantis"):
        SentinelHubHook("sh").get_conn("atlantis")


def test_a_client_pauses_on_the_clock_that_all_others_have(virtual_emulator, virtual_time):
    job = virtual_emulator.add_job("process")
    virtual_emulator.fault(status=503, method="GET", retry_after=30)
    with SentinelHubHook("sh").get_conn() as client:
        client.get(job)
    [pause] = virtual_time.pauses
    assert pause == virtual_time.monotonic() == 30


def test_get_sh_config(configure, monkeypatch, tmp_path):
    pytest.importorskip("sentinelhub", reason=requirements.SENTINELHUB)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SH_CLIENT_ID", "of the worker")
    configure({"deployment": "cdse"})
    sh_config = SentinelHubHook("sh").get_sh_config()
    assert sh_config.sh_client_id == "my-id"
    assert sh_config.sh_client_secret == "my-secret"
    assert sh_config.sh_base_url == CDSE
    assert sh_config.sh_token_url == CDSE_AUTH
    assert list(tmp_path.iterdir()) == [], "SHConfig writes a file unless it is told not to"


@pytest.mark.parametrize(
    ("value", "allowed"), [(True, True), ("true", True), ("1", True), (False, False), ("", False), (None, False)]
)
def test_allow_file_delivery_in_every_spelling(configure, value, allowed):
    assert configure({"allow_file_delivery": value}).allow_file_delivery is allowed
