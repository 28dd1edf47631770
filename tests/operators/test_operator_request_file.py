"""The file of a request is found and read as Airflow does it with the files of templates."""

from __future__ import annotations

import jinja2
import pytest

from airflow_sentinelhub.exceptions import InvalidRequest
from airflow_sentinelhub.operators import request_file
from airflow_sentinelhub.operators.request_file import read_request_file

TEXT = '{"description": "naïve"}'


@pytest.fixture
def read(tmp_path):
    folders = [tmp_path / "dag", tmp_path / "searchpath"]
    for folder in folders:
        folder.mkdir()
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folders))
    return lambda name: read_request_file(name, environment)


@pytest.mark.parametrize("folder", ["dag", "searchpath"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_it_is_read_from_each_folder_without_a_byte_order_mark(read, tmp_path, folder, mark):
    (tmp_path / folder / "request.json").write_bytes(mark + TEXT.encode())
    assert read("request.json") == TEXT


def test_the_first_folder_counts(read, tmp_path):
    (tmp_path / "searchpath" / "request.json").write_text("{}", encoding="utf-8")
    (tmp_path / "dag" / "request.json").write_text(TEXT, encoding="utf-8")
    assert read("request.json") == TEXT


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT.encode("utf-16"), "is in UTF-16: save it as UTF-8"),
        (TEXT.encode("latin-1"), r"is no UTF-8 \(byte 20\): save it as UTF-8"),
        (None, "cannot be read .*folder of the DAG's file and in the DAG's template_searchpath"),
    ],
)
def test_what_cannot_be_read_is_refused_without_its_content(read, tmp_path, content, says):
    if content is not None:
        (tmp_path / "dag" / "request.json").write_bytes(content)
    with pytest.raises(InvalidRequest, match=says) as refused:
        read("request.json")
    assert str(refused.value).endswith("Nothing was sent.")
    assert "description" not in str(refused.value)


def test_a_folder_is_refused(read, tmp_path):
    (tmp_path / "dag" / "request.json").mkdir()
    with pytest.raises(InvalidRequest, match=r"'request.json' .* is a folder"):
        read("request.json")


def test_a_file_that_is_too_large_is_not_read(read, tmp_path, monkeypatch):
    monkeypatch.setattr(request_file, "LARGEST", 10)
    (tmp_path / "dag" / "request.json").write_text("x" * 11, encoding="utf-8")
    with pytest.raises(InvalidRequest, match="has 11 bytes, and 10 at most are read"):
        read("request.json")
    (tmp_path / "dag" / "request.json").write_text("x" * 10, encoding="utf-8")
    assert read("request.json") == "x" * 10


@pytest.mark.parametrize("name", ["../secret.json", "a/../../secret.json"])
def test_a_name_that_leads_out_of_the_folders_is_refused(read, tmp_path, name):
    (tmp_path / "secret.json").write_text(TEXT, encoding="utf-8")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read(name)
