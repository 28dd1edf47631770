"""Requests in every form, and that no key of a bucket is ever shown."""

from __future__ import annotations

import base64
import json
import traceback
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import redact
from airflow.sdk import DAG

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.creation_tag import request_digest
from airflow_sentinelhub.jobs.request_kind import mismatch
from airflow_sentinelhub.operators.request_secrets import SecretPlaceholders
from tests.harness.cost import lines_run
from tests.harness.task_runner import ExecutionApi, run
from tests.harness.versions import through_the_database
from tests.operators.conftest import operator

KEY, SECRET = "AKIDEXAMPLEKEY000042", "wJalrXUtnFEMI/K7+x'y\"EXAMPLE&KEY"
INLINE = {"accessKey": KEY, "secretAccessKey": SECRET}
S3 = {"url": "s3://my-bucket/results"}


def request(api="process", **storage):
    made = sample_request(BatchApi(api))
    if api != "process_v1":
        place = made["output"]["delivery"] if api == "process" else made["output"]
        place["s3"] = {**S3, **storage}
    return made


def delivery(body, api="process"):
    return body["output"]["delivery"]["s3"] if api == "process" else body["output"]["s3"]


@pytest.fixture
def sent(monkeypatch):
    """What goes to the service, before it masks it."""
    sent, create = [], BatchClient.create

    def create_and_keep(self, body):
        sent.append(body.reveal())
        return create(self, body)

    monkeypatch.setattr(BatchClient, "create", create_and_keep)
    return sent


@pytest.fixture
def create(emulator, clock, tmp_path):
    def create(request, *, execution=None, try_number=1, **arguments):
        arguments = {"task_id": "create", "sentinelhub_conn_id": "sh", **arguments}
        with DAG("a_dag", schedule=None, template_searchpath=[str(tmp_path)]):
            task = operator("Create", request=request, **arguments)
        ended = run(task, execution, try_number=try_number)
        ended.task = task
        return ended

    return create


def everything_shown(ended):
    """All that anybody can read of a task."""
    error = ended.error
    dag = through_the_database(ended.task.dag)
    return "\n".join(
        str(each)
        for each in (
            ended.api.rendered,
            ended.api.xcoms,
            ended.api.store,
            ended.api.states,
            ended.lines,
            ended.message,
            "".join(traceback.format_exception(error)) if error else "",
            repr(error),
            getattr(error, "__dict__", ""),
            repr(ended.task),
            ended.task.request,
            repr(ended.task._keys),
            vars(dag.get_task("create")) if hasattr(dag, "get_task") else dag,
        )
    )


def nothing_is_shown(ended, *secrets):
    shown = everything_shown(ended)
    assert "my-bucket" in shown, "the rest is"
    for secret in secrets or (KEY, SECRET):
        for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(json.dumps(secret))[2:-2]):
            assert form not in shown


FORMS = {
    "dictionary": lambda made: made,
    "json text": json.dumps,
    "pretty text": lambda made: json.dumps(made, indent=2),
    "text of a dictionary": str,
    "template": lambda made: "{{ params.request }}",
    "template to json": lambda made: "{{ params.request | tojson }}",
    "text with a template": lambda made: json.dumps(made).replace("60.0", "{{ params.resolution }}"),
}


@pytest.mark.parametrize("form", FORMS)
def test_inline_keys_arrive_and_are_never_shown(create, sent, form):
    made = request(**INLINE)
    params = {"resolution": 60.0}
    if form.startswith("template"):
        params["request"] = made
    ended = create(FORMS[form](made), params=params)
    assert ended.state == "success", ended.error
    assert delivery(sent[0]) == {**S3, **INLINE}
    if form.startswith("template"):
        return  # the DAG's params show them, which is its author's doing
    nothing_is_shown(ended)
    shown = ended.api.rendered["request"]["output"]["delivery"]["s3"]
    # Airflow knows by its name that the other is a secret.
    assert shown == {**S3, "accessKey": "***** (1)", "secretAccessKey": "***"}
    assert "***** (2)" in str(ended.task.request)
    assert redact(f"x {KEY} {SECRET} x") == "x *** *** x", "whatever logs them"


@pytest.mark.parametrize("api", ["process", "statistical"])
@pytest.mark.parametrize("answer", [
    {"status": 400, "body": f"The keys {KEY} and {SECRET} are wrong."},
    {"status": 400, "message": json.dumps(INLINE)},
    {"status": 502, "body": SECRET},
    {"status": 403, "message": KEY},
])  # fmt: skip
def test_inline_keys_that_the_service_repeats(emulator, create, api, answer):
    emulator.fault(method="POST", api=api, times=None, **answer)
    ended = create(request(api, **INLINE), api=api)
    assert ended.state == "failed"
    nothing_is_shown(ended)


def test_inline_keys_that_a_template_gives(create, sent, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_S3", json.dumps({"conn_type": "aws", "login": KEY, "password": SECRET}))
    keys = {"accessKey": "{{ conn.s3.login }}", "secretAccessKey": "{{ conn.s3.password }}"}
    ended = create(request(**keys))
    assert ended.state == "success", ended.error
    assert delivery(sent[0]) == {**S3, **INLINE}
    nothing_is_shown(ended)


def test_inline_keys_beside_a_template_that_is_broken(emulator, create):
    made = request(**INLINE)
    made["description"] = "{{ 1 / 0 }}"
    ended = create(made)
    assert ended.state == "failed"
    nothing_is_shown(ended)
    assert not emulator.requests()["total"]


def test_rotated_keys_are_no_other_request(emulator, create):
    execution = ExecutionApi()
    first = create(request(**INLINE), execution=execution)
    execution.store.clear()  # as below Airflow 3.3
    second = create(
        request(accessKey="AKIDEXAMPLEKEY000043", secretAccessKey="x"), execution=execution, try_number=2
    )
    assert first.returned["id"] == second.returned["id"]
    assert emulator.requests()["actions"]["create"] == 1


@pytest.mark.parametrize("extra", [{}, {"region_name": "eu-west-1"}])
@pytest.mark.parametrize("api", ["process", "statistical"])
def test_keys_of_an_aws_connection(create, sent, monkeypatch, api, extra):
    connection = {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    ended = create(request(api), api=api, delivery_conn_id="{{ params.bucket }}", params={"bucket": "bucket"})
    assert ended.state == "success", ended.error
    region = {"region": extra["region_name"]} if extra else {}
    assert delivery(sent[0], api) == {**S3, **INLINE, **region}
    if api == "statistical":
        assert sent[0]["input"]["features"]["s3"] == {"url": "s3://my-bucket/features.gpkg", **INLINE, **region}
    nothing_is_shown(ended)
    assert "the keys come from connection bucket" in ended.log
    assert not set(INLINE) & set(delivery(ended.api.rendered["request"], api))


def test_the_role_of_an_aws_connection(create, sent, monkeypatch):
    connection = {
        "conn_type": "aws",
        "login": KEY,
        "password": SECRET,
        "extra": {"role_arn": "arn:aws:iam::1:role/r"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    create(request(), delivery_conn_id="bucket")
    assert delivery(sent[0]) == {**S3, "iamRoleARN": "arn:aws:iam::1:role/r"}


@pytest.mark.parametrize("place", ["keyfile_dict", "key_path"])
def test_keys_of_a_google_connection(create, sent, monkeypatch, tmp_path, place):
    keyfile = {"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\nMIIEsecretsecret\n"}
    (tmp_path / "key").write_text(json.dumps(keyfile), encoding="utf-8")
    extra = (
        {"keyfile_dict": json.dumps(keyfile)} if place == "keyfile_dict" else {"key_path": str(tmp_path / "key")}
    )
    connection = {"conn_type": "google_cloud_platform", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    made = request()
    made["output"]["delivery"] = {"gs": {"url": "gs://my-bucket/results"}}
    ended = create(made, delivery_conn_id="bucket")
    assert ended.state == "success", ended.error
    credentials = sent[0]["output"]["delivery"]["gs"]["credentials"]
    assert json.loads(base64.b64decode(credentials)) == keyfile
    nothing_is_shown(ended, credentials, "MIIEsecretsecret")
    assert redact(f"x {credentials} x") == "x *** x", "whatever logs it"


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        (None, "'bucket' does not exist"),
        ({"conn_type": "http"}, "is of type 'http'"),
        ({"conn_type": "aws"}, "no keys to hand to the service"),
        ({"conn_type": "aws", "login": KEY}, "no keys to hand to the service"),
        ({"conn_type": "aws", "login": KEY, "password": SECRET, "extra": {"aws_session_token": "t"}}, "temporary"),
        ({"conn_type": "google_cloud_platform"}, "no service account key"),
        ({"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": "{"}}, "no service account key"),
        ({"conn_type": "google_cloud_platform", "extra": {"key_path": "/nowhere"}}, "key_path cannot be read"),
        ({"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": '{"a": 1}'}}, "output.delivery.s3"),
    ],
)
def test_a_connection_that_does_not_help(emulator, create, monkeypatch, connection, says):
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    ended = create(request(), delivery_conn_id="bucket")
    assert type(ended.error) is exceptions.InvalidConnection
    assert says in str(ended.error)
    assert not emulator.requests()["total"]
    nothing_is_shown(ended)


@pytest.mark.parametrize("api", ["process", "process_v1"])
def test_a_connection_that_is_not_needed(create, sent, monkeypatch, api):
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps({"conn_type": "aws", "login": KEY, "password": SECRET}))
    ended = create(request(api, iamRoleARN="arn:x"), api=api, delivery_conn_id="bucket")
    assert ended.state == "success", ended.error
    assert "delivery_conn_id='bucket' is not used" in ended.log
    assert KEY not in json.dumps(sent)


def test_a_templated_file(create, sent, tmp_path):
    made = json.dumps(request(**INLINE)).replace("60.0", "{{ params.resolution }}")
    (tmp_path / "request.json").write_text(made.replace("Max NDVI", "Of {{ params.where }}"), encoding="utf-8")
    ended = create("request.json", params={"resolution": 20.0, "where": "Corsica"})
    assert ended.state == "success", ended.error
    assert sent[0]["input"]["resolution"] == 20.0
    assert sent[0]["description"].startswith("Of Corsica [airflow ")
    assert ended.api.rendered["request"]["input"]["resolution"] == 20.0
    nothing_is_shown(ended)


def test_the_url_of_a_delivery_is_no_file(create, sent):
    made = request("statistical", url="s3://my-bucket/<REQUEST_ID>/<ID>.json")
    ended = create(made, api="statistical")
    assert ended.state == "success", ended.error
    assert sent[0]["output"]["s3"]["url"] == "s3://my-bucket/<REQUEST_ID>/<ID>.json"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "None (did the task that should give it return nothing?)"),
        ([], "a list"),
        ("", "request is an empty text, where a dictionary (a JSON object) was expected. Nothing was sent."),
        ("s3://my-bucket/x", "request is a text that is no JSON: line 1, column 1: a value is missing here"),
        (
            f'{{"output": {{"accessKey": "{KEY}", }}',
            "request is a text that is no JSON: line 1, column 50: a comma after the last value",
        ),
        (
            "broken.json",
            "'broken.json' of the request holds a text that is no JSON: line 1, column 54: the text",
        ),
        ("list.json", "The file 'list.json' of the request holds JSON, but a list, where a dictionary"),
        ("empty.json", "The file 'empty.json' of the request holds an empty text, where"),
        ("comment.json", "line 3, column 3: a comment, which JSON does not have"),
        ("utf16.json", "The file 'utf16.json' that holds the request is in UTF-16: save it as UTF-8"),
        ("utf16le.json", "'utf16le.json' of the request holds a text with NUL characters (is its file"),
        ("latin.json", "The file 'latin.json' that holds the request is no UTF-8 (byte 18): save it as UTF-8"),
        ("folder.json", "The file 'folder.json' that holds the request is a folder"),
        ("large.json", "'large.json' that holds the request has 5,001 bytes, and 5,000 at most are read"),
        ("../outside.json", "The file '../outside.json' that holds the request cannot be read (TemplateNotFound)"),
        ("missing.json", "The file 'missing.json' that holds the request cannot be read (TemplateNotFound)"),
        ("{{ params.name }}", "the name of a file, which came too late"),
        ({"x": {1, 2}}, "cannot be written as JSON"),
    ],
)
def test_what_is_no_request_fails_before_anything_is_asked(emulator, create, tmp_path, monkeypatch, given, says):
    monkeypatch.setattr("airflow_sentinelhub.operators.request_file.LARGEST", 5000)
    files = {
        "broken.json": f'{{"output": {{"secretAccessKey": "{KEY}"',
        "list.json": "[1]",
        "empty.json": "",
        "comment.json": f'{{"secretAccessKey": "{KEY}",\n\n  // "hush"\n"a": 1}}',
        "utf16.json": json.dumps(request(**INLINE)).encode("utf-16"),
        "utf16le.json": '{"a": "b"}'.encode("utf-16-le"),
        "latin.json": b'{"description": "\xdcberlingen", "accessKey": "' + KEY.encode(),
        "large.json": " " * 5001,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "folder.json").mkdir()
    (tmp_path.parent / "outside.json").write_text("{}", encoding="utf-8")
    ended = create(given, params={"name": "late.json"})
    assert type(ended.error) is exceptions.InvalidRequest
    assert says in str(ended.error)
    assert not emulator.requests()["total"]
    assert KEY not in everything_shown(ended)
    assert "hush" not in str(ended.error)


OTHERS = [
    ("process", "statistical", "request is one of Batch Process (it has 'processRequest')", "api='process'"),
    ("process_v1", "statistical", "request is one of Batch Process v1 (it has 'tilingGrid')", "api='process_v1'"),
    ("statistical", "process", "request is one of Batch Statistical (it has 'aggregation')", "api='statistical'"),
    (
        "statistical",
        "process_v1",
        "request is one of Batch Statistical (it has 'aggregation')",
        "api='statistical'",
    ),
]


@pytest.mark.parametrize(("kind", "api", "says", "mend"), OTHERS)
def test_a_request_of_another_api_is_not_sent(emulator, create, kind, api, says, mend):
    ended = create(request(kind, **INLINE), api=api)
    assert type(ended.error) is exceptions.InvalidRequest
    assert str(ended.error).startswith(says)
    assert mend in str(ended.error)
    assert not emulator.requests()["total"]
    nothing_is_shown(ended)


@pytest.mark.parametrize("api", BatchApi)
def test_a_request_of_its_own_is_for_an_api_whatever_else_it_has(api):
    own = sample_request(api)
    assert mismatch(api, own) is None
    assert mismatch(api, {**own, "aggregation": {}, "tilingGrid": {}, "processRequest": {}}) is None
    assert mismatch(api, {"something": "else"}) is None


@pytest.mark.parametrize("form", ["dictionary", "json text"])
@pytest.mark.parametrize("script", ["return {{red: 1}};", "// {% of the pixels"])
def test_an_evalscript_that_looks_like_jinja_says_what_to_write(emulator, create, form, script):
    made = request(**INLINE)
    made["processRequest"]["evalscript"] = f"//VERSION=3\nfunction setup() {{}}\n{script}\n"
    ended = create(FORMS[form](made))
    assert type(ended.error) is exceptions.InvalidRequest
    assert "Put it between {% raw %} and {% endraw %}" in str(ended.error)
    assert not emulator.requests()["total"]
    nothing_is_shown(ended)


@pytest.mark.parametrize("place", ["file", "text"])
def test_a_byte_order_mark_is_accepted(create, sent, tmp_path, place):
    text = "\ufeff" + json.dumps(request(**INLINE))
    (tmp_path / "marked.json").write_text(text, encoding="utf-8")
    ended = create("marked.json" if place == "file" else text)
    assert ended.state == "success", ended.error
    assert delivery(sent[0]) == {**S3, **INLINE}
    nothing_is_shown(ended)


class Context(dict):
    def __init__(self):
        super().__init__(ti=SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1))


@pytest.mark.parametrize("form", [dict, json.dumps, repr])
def test_a_point_of_a_large_geometry_costs_a_few_lines_of_python(monkeypatch, form):
    """From the task's rendered field to what is sent: a geometry has hundreds of thousands of points."""
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps({"conn_type": "aws", "login": KEY, "password": SECRET}))

    def lines(points):
        made = request()
        ring = [[number / 7, -number / 11] for number in range(points)]
        made["processRequest"]["input"]["bounds"] = {"geometry": {"type": "Polygon", "coordinates": [ring]}}
        given, sent = form(made), {}

        def ours():
            task = operator("Create", task_id="create", request=given, delivery_conn_id="bucket")
            sent.update(task.render_request(Context()).body.reveal())

        ran = lines_run(ours)
        assert sent["processRequest"] == made["processRequest"]
        assert delivery(sent) == {**S3, **INLINE}
        return ran

    lines(100)  # what is cached is there now
    assert (lines(10_200) - lines(200)) / 10_000 <= 32


def test_the_same_request_has_the_same_digest_in_every_form():
    made = request(**INLINE) | {"points": [[1, 2], [3.5, 4]], "mixed": [1, [2], {"accessKey": "x"}], "none": []}
    plain = json.loads(json.dumps(made))
    tupled = {**made, "points": ((1, 2), (3.5, 4))}
    assert len({request_digest(each) for each in (made, plain, tupled)}) == 1
    assert request_digest({"a": [1, {"accessKey": "x"}]}) == request_digest({"a": [1, {}]})


TEXT = '{"accessKey": "A\\"1", "x": {{ y }}, \'secretAccessKey\': \'B\', "credentials": "{{ z }}"}'


def test_keys_in_the_text_of_a_template():
    keys = SecretPlaceholders()
    hidden = keys.mask(TEXT)
    assert hidden == (
        '{"accessKey": "***** (1)", "x": {{ y }}, \'secretAccessKey\': "***** (2)", "credentials": "{{ z }}"}'
    )
    rendered = keys.mask({"accessKey": "***** (1)", "secretAccessKey": "***** (2)", "credentials": "Z"})
    assert rendered["credentials"] == "***** (3)"
    assert keys.unmask(rendered) == {"accessKey": 'A"1', "secretAccessKey": "B", "credentials": "Z"}
    assert "A" not in repr(keys).replace("SecretPlaceholders", "")


@pytest.mark.parametrize(
    "value",
    [None, 7, "x.json", "{{ ti.xcom_pull('x') }}", "{% if x %}", {}, [], {"accessKey": None}, {"a": ["b"]}],
)
def test_what_has_no_keys_is_left(value):
    assert SecretPlaceholders().mask(value) == value


def test_equal_keys_have_one_stand_in_and_hiding_twice_changes_nothing():
    keys = SecretPlaceholders()
    once = keys.mask({"a": [{"accessKey": "A"}, {"ACCESSKEY": "A"}], "b": ({"credentials": {"k": "B"}},)})
    assert once == {
        "a": [{"accessKey": "***** (1)"}, {"ACCESSKEY": "***** (1)"}],
        "b": [{"credentials": "***** (2)"}],
    }
    assert keys.mask(once) == once
    assert keys.unmask(once)["b"] == [{"credentials": {"k": "B"}}]
