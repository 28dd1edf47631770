"""Keys that are written out in a DAG file are refused where Airflow would store them in clear."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import DAG, task

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.operators.batch import SentinelHubBatchCreateOperator, SentinelHubBatchRunOperator
from tests.harness.versions import through_the_database

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
PLAIN = sample_request(BatchApi.PROCESS)
PATH = r"request\['output'\]\['delivery'\]\['s3'\]\['secretAccessKey'\]"
every_operator = pytest.mark.parametrize("operator", [SentinelHubBatchCreateOperator, SentinelHubBatchRunOperator])


def request(secret=SECRET):
    delivery = {"s3": {"url": "s3://bucket/x", "accessKey": "{{ conn.bucket.login }}", "secretAccessKey": secret}}
    return {**PLAIN, "output": {**PLAIN["output"], "delivery": delivery}}


AS_TEXT = json.dumps(request())
AS_TEMPLATE = AS_TEXT.replace('"s3://bucket/x"', '"{{ params.url }}"')
every_form = pytest.mark.parametrize(
    ("given", "path"),
    [
        pytest.param(request(), PATH, id="dictionary"),
        pytest.param(AS_TEXT, PATH, id="JSON"),
        pytest.param(str(request()), PATH, id="Python"),
        pytest.param(
            AS_TEMPLATE.replace("{", "{% raw %}{% endraw %}{", 1), "field 'secretAccessKey'", id="template"
        ),
    ],
)


def refused(path, where):
    return pytest.raises(ValueError, match=rf"{where}.*{path}.* is a key that is written out.*delivery_conn_id")


@pytest.fixture
def dag():
    with DAG("a_dag", schedule=None) as dag:
        yield dag


@every_operator
@every_form
def test_in_partial(dag, operator, given, path):
    with refused(path, "partial") as told:
        operator.partial(task_id="t", request=given)
    assert SECRET not in str(told.value)


@every_operator
@every_form
def test_in_expand(dag, operator, given, path):
    with refused(path.replace("request", r"request\[1\]", 1), "expand") as told:
        operator.partial(task_id="t").expand(request=[PLAIN, given])
    assert SECRET not in str(told.value)


@every_operator
@every_form
def test_in_expand_kwargs(dag, operator, given, path):
    with refused(path, "expand_kwargs, item 1") as told:
        operator.partial(task_id="t").expand_kwargs([{"request": PLAIN}, {"request": given}])
    assert SECRET not in str(told.value)


@every_operator
@every_form
@pytest.mark.parametrize("mapped", [False, True])
def test_in_default_args(operator, given, path, mapped):
    with DAG("a_dag", schedule=None, default_args={"request": given}), refused(path, "default_args") as told:
        if mapped:
            operator.partial(task_id="t").expand(description=["a", "b"])
        else:
            operator(task_id="t", request=PLAIN)
    assert SECRET not in str(told.value)


@every_operator
def test_templates_other_tasks_and_requests_without_keys_are_no_matter(dag, operator):
    @task
    def requests():
        return [PLAIN]

    operator.partial(task_id="a", request=request("{{ conn.bucket.password }}")).expand(description=["a"])
    operator.partial(task_id="b").expand(request=requests())
    operator.partial(task_id="c").expand(request=[PLAIN, "request.json", json.dumps(PLAIN)])
    operator.partial(task_id="d").expand_kwargs(requests())
    operator.partial(task_id="e", request=PLAIN).expand_kwargs([{"description": "a"}, {"description": "b"}])
    with DAG("another", schedule=None, default_args={"request": request("{{ conn.bucket.password }}")}):
        operator(task_id="f")


@every_operator
def test_a_plain_task_keeps_its_keys_out_of_what_airflow_stores(dag, operator):
    operator(task_id="t", request=request())
    assert SECRET not in str(dag.__dict__)
    stored = through_the_database(dag) if callable(through_the_database) else None
    assert SECRET not in str(stored)
