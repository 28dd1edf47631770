"""One poll of many jobs from blocking code: list pages where that is cheaper, and requests for the others."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence

from airflow_sentinelhub.exceptions import InvalidPayload, RequestRefused, SentinelHubError
from airflow_sentinelhub.jobs import BatchJob
from airflow_sentinelhub.polling.circuit_breaker import CircuitBreaker, is_of_account, is_service_wide
from airflow_sentinelhub.polling.list_index import ListIndex
from airflow_sentinelhub.waits.fetch import ListReader, fetch_job
from airflow_sentinelhub.waits.job_reading import (
    id_of,
    is_unreadable,
    of_everybody,
    of_the_job,
    read_job,
    unexpected,
)
from airflow_sentinelhub.waits.observation import PollResult

log = logging.getLogger(__name__)


def fetch_jobs(
    reader: ListReader,
    job_ids: Sequence[str],
    *,
    bypass_list: Sequence[str] = (),
    budget: float | None = 0,
    list_index: ListIndex | None = None,
    now: float = 0.0,
) -> dict[str, PollResult]:
    """
    Fetch many jobs from blocking code, from list pages where that is cheaper.

    The list is read while it has them, and without success no further than a tenth of their number. If only the
    list fails, each job is asked for. When the service turns out to be away, no further job is asked for: what is
    left is in the same trouble.

    :param reader: the client.
    :param job_ids: the jobs, each once.
    :param bypass_list: those among them for which a list will not do, since it may lag.
    :param budget: the seconds in which the client may begin to ask again; ``None``: its own default.
    :param list_index: remembers from look to look for how long the list is done without.
    :param now: seconds, on the clock of ``list_index``.
    :return: a result for each.
    """
    results: dict[str, PollResult] = {}
    wanted = {job_id.lower(): job_id for job_id in job_ids if job_id not in set(bypass_list)}
    breaker = CircuitBreaker(lambda: 1.0)
    heard, list_trouble = False, None
    unreadable: dict[str, SentinelHubError] = {}

    def rest(error: SentinelHubError) -> dict[str, PollResult]:
        return results | dict.fromkeys(
            (job_id for job_id in job_ids if job_id not in results), of_everybody(error)
        )

    if len(wanted) > 1 and not (list_index and list_index.is_suspended(now)):
        try:
            for key, found in _from_the_list(reader, wanted, budget):
                results[wanted.pop(key)] = found
                heard = True
        except Exception as error:
            list_trouble = error if isinstance(error, SentinelHubError) else unexpected(error)
            if is_of_account(list_trouble):
                return rest(list_trouble)
            heard = heard or not (is_service_wide(list_trouble) or is_unreadable(list_trouble))
    left = [job_id for job_id in job_ids if job_id not in results]
    if list_trouble and not heard:
        # The first one tells whether the service is away; not always the same one, which may have its own trouble.
        random.shuffle(left)
    for job_id in left:
        result = fetch_job(reader, job_id, budget=budget)
        if isinstance(result, SentinelHubError) and is_unreadable(result):
            unreadable[job_id] = result
            continue
        results[job_id] = result
        if not isinstance(result, SentinelHubError) or not is_service_wide(result):
            heard = True
            breaker.record_success()
        elif breaker.record_failure(job_id, result, len(job_ids)) or (list_trouble and not heard):
            return rest(result)
    if list_index and list_trouble and heard:
        suspended_for = list_index.suspend(now)
        log.warning(
            "For %.0f s, each job is asked for by itself, as they cannot be listed: %s",
            suspended_for,
            list_trouble,
        )
    elif list_index and not list_index.is_suspended(now):
        list_index.resume()
    for job_id, trouble in unreadable.items():
        heard = heard or (list_trouble is None and answers(reader))
        results[job_id] = of_the_job(trouble) if heard else of_everybody(trouble)
    return results


def answers(reader: ListReader) -> bool:
    """Return whether the service gives an answer that can be read, to a request that is for no single job."""
    try:
        next(reader.list(budget=0), None)
    except RequestRefused as error:
        return error.code is not None and not error.of_account
    except Exception:
        return False
    return True


def whose(reader: ListReader, result: PollResult) -> PollResult:
    """
    Return the error of an unreadable answer as the job's own, or as an outage.

    :param reader: the client.
    :param result: of a poll of one job.
    """
    if not isinstance(result, SentinelHubError) or not is_unreadable(result):
        return result
    return of_the_job(result) if answers(reader) else of_everybody(result)


def _from_the_list(
    reader: ListReader, wanted: dict[str, str], budget: float | None
) -> Iterator[tuple[str, BatchJob | InvalidPayload]]:
    """Read the list while it pays; who calls takes out of ``wanted`` what is found."""
    in_vain, allowed = 0, max(1, len(wanted) // 10)
    for page in reader.list(budget=budget):
        found = {job: read_job(reader.api, payload) for payload in page if (job := id_of(payload)) in wanted}
        yield from found.items()
        # A page that tells of one job costs what asking for that one does.
        in_vain += len(found) <= 1
        if len(wanted) <= 1 or in_vain >= allowed:
            return
