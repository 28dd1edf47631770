"""Base of all operators that make a job: its request, from the DAG to what is sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import conf
from jinja2 import TemplateError

from airflow_sentinelhub.exceptions import InvalidConnection, InvalidRequest
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.creation_tag import CreationTag, deployment_id, request_digest, with_tag
from airflow_sentinelhub.jobs.redaction import REDACT
from airflow_sentinelhub.jobs.request_buckets import add_bucket_credentials
from airflow_sentinelhub.jobs.request_kind import mismatch
from airflow_sentinelhub.jobs.request_text import BYTE_ORDER_MARK, problem_of
from airflow_sentinelhub.jobs.secret import Secret
from airflow_sentinelhub.operators.api_operator import SentinelHubBatchOperator
from airflow_sentinelhub.operators.literal_keys import KeylessPartial, refuse
from airflow_sentinelhub.operators.request_file import read_request_file
from airflow_sentinelhub.operators.request_secrets import SecretPlaceholders

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

_FILE = ".json"
_EVALSCRIPT = re.compile(r"//\s*VERSION|function\s+(?:setup|evaluatePixel)")
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class RenderedRequest:
    """
    A request, ready to be sent.

    :param body: with the tag and the keys of the bucket.
    :param tag: by which the job is found again.
    :param untagged: why the request cannot carry the tag; ``None`` if it does.
    """

    body: Secret[dict[str, Any]]
    tag: CreationTag
    untagged: str | None


class SentinelHubBatchRequestOperator(SentinelHubBatchOperator):
    """
    Makes a job from a request.

    :param request: the body that the API documents, templated (in a file too). It is a dictionary, JSON text, the
        name of a ``.json`` file, or the output of a task that gives one of these. The file lies beside the DAG or
        in its ``template_searchpath``. Keys of a bucket in it are taken out before Airflow shows or stores it;
        better is ``delivery_conn_id`` or an ``iamRoleARN``.
    :param description: description of the job instead of the request's own (templated). Batch Statistical has
        none.
    :param delivery_conn_id: the Airflow connection whose keys let the service into the bucket, of type ``aws`` or
        ``google_cloud_platform`` (templated). They are put beside each bucket in the request that has none, just
        before it is sent. ``None``: the request says it all.
    :param kwargs: see :class:`~airflow_sentinelhub.operators.api_operator.SentinelHubBatchOperator`.
    :raises ValueError: a description for Batch Statistical.
    """

    template_fields: Sequence[str] = (
        "request",
        "description",
        "delivery_conn_id",
        *SentinelHubBatchOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}

    def __init__(
        self,
        *,
        request: Any,
        api: BatchApi | str = BatchApi.PROCESS,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        description: str | None = None,
        delivery_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        refuse("default_args", kwargs.get("default_args"))
        super().__init__(api=api, sentinelhub_conn_id=sentinelhub_conn_id, **kwargs)
        if description is not None and self.api is BatchApi.STATISTICAL:
            raise ValueError("Batch Statistical has no descriptions: leave description out")
        self._keys = SecretPlaceholders()
        self._file = ""
        self.request = request
        self.description = description
        self.delivery_conn_id = delivery_conn_id

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Make mapped tasks, see Airflow.

        :raises ValueError: a key is written out in ``request``, which Airflow would store in clear.
        """
        refuse(f"{cls.__name__}.partial with default_args", kwargs.get("default_args"))
        return KeylessPartial.of(super().partial(**kwargs))

    @property
    def request(self) -> Any:
        """The request, or what will give it, with stand-ins for the keys of a bucket."""
        return self._request

    @request.setter
    def request(self, value: Any) -> None:
        if isinstance(value, str):
            value = value.removeprefix(BYTE_ORDER_MARK)
            if value == getattr(self, "_request", None):
                return  # rendering has changed nothing, so what is known of the text stays
        # Airflow shows rendered fields, and stores them with the DAG.
        self._request = self._keys.mask(value)
        # Now, as places in the text with stand-ins are others.
        self._problem = problem_of(value) if isinstance(value, str) and isinstance(self._request, str) else ""

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """
        Render a template field, and read the request's file.

        ``template_ext`` is not for this: Airflow would take each text that ends so for the name of a file, also
        the URL of a delivery such as ``s3://bucket/<ID>.json``.
        """
        if isinstance(content, str) and content == self._request and content.endswith(_FILE):
            self._file = content
            content = read_request_file(content, jinja_env or self.get_template_env())
        try:
            return super().render_template(content, context, jinja_env, seen_oids)
        except TemplateError as error:
            if not (isinstance(content, str) and _EVALSCRIPT.search(content)):
                raise
            reason = REDACT.line(f"{type(error).__name__}: {error}", _LONGEST_REASON)
        raise InvalidRequest(
            f"The evalscript in request cannot be rendered ({reason}): Airflow takes {{{{ and {{% in it for "
            "Jinja. Put it between {% raw %} and {% endraw %}. Nothing was sent."
        )

    def render_request(self, context: Context) -> RenderedRequest:
        """
        Make what is sent.

        :raises InvalidRequest: ``request`` is none.
        :raises InvalidConnection: ``delivery_conn_id`` names no connection with keys for this bucket.
        """
        # Hidden, as error trackers show the variables of frames.
        request: Secret[Any] = Secret(self._keys.unmask(self.request))
        if not isinstance(request.reveal(), dict):
            found = _shown(request.reveal())
            if isinstance(request.reveal(), str) and not request.reveal().strip().endswith(_FILE):
                found = self._problem
            holder = f"The file {self._file!r} of the request holds" if self._file else "request is"
            raise InvalidRequest(
                f"{holder} {found}, where a dictionary (a JSON object) was expected. Nothing was sent."
            )
        if (wrong := mismatch(self.api, request.reveal())) is not None:
            raise InvalidRequest(f"{wrong}. Nothing was sent.")
        if self.description is not None:
            request.reveal()["description"] = self.description
        ti = context["ti"]
        tag = CreationTag(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            site=deployment_id(conf.get("api", "base_url", fallback="") or ""),
            digest=request_digest(request.reveal()),
        )
        tagged = Secret(with_tag(self.api, request.reveal(), tag))
        return RenderedRequest(self._opened(Secret(tagged.reveal()[0])), tag, tagged.reveal()[1])

    def _opened(self, body: Secret[dict[str, Any]]) -> Secret[dict[str, Any]]:
        if not self.delivery_conn_id:
            return body
        from airflow_sentinelhub.hooks.bucket_credentials import read_delivery

        keys = read_delivery(self.delivery_conn_id)
        opened = Secret(add_bucket_credentials(self.api, body.reveal(), keys))
        put, missing = opened.reveal()[1:]
        if missing:
            raise InvalidConnection(
                f"Airflow connection {self.delivery_conn_id!r} has keys for {keys.kind}://, but {missing[0]} of "
                "the request needs others: name a connection of the bucket's kind with delivery_conn_id"
            )
        if put:
            self.log.info("%s: the keys come from connection %s.", ", ".join(put), self.delivery_conn_id)
        else:
            self.log.warning(
                "delivery_conn_id=%r is not used: no bucket in the request lacks keys%s.",
                self.delivery_conn_id,
                " (Batch Process v1 takes none)" if self.api is BatchApi.PROCESS_V1 else "",
            )
        return Secret(opened.reveal()[0])


def _shown(value: Any) -> str:
    # Never the value: it may hold keys.
    if value is None:
        return "None (did the task that should give it return nothing?)"
    if isinstance(value, str) and value.strip().endswith(_FILE):
        return "the name of a file, which came too late to be read (give it to the operator itself)"
    return f"a {type(value).__name__}"
