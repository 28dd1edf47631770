"""The Airflow of this environment can start: a version of a library with which it cannot is found in seconds."""

from __future__ import annotations

import os
import subprocess
import sys

# Where they live differs between versions, but for these, which start the others.
COMPONENTS = {
    "API server": "from airflow.api_fastapi.app import create_app; create_app()",
    "scheduler": "import airflow.jobs.scheduler_job_runner, airflow.executors.local_executor",
    "DAG processor": "import airflow.jobs.dag_processor_job_runner",
    "triggerer": "import airflow.jobs.triggerer_job_runner",
    "worker": "import airflow.sdk.execution_time.supervisor, airflow.sdk.execution_time.task_runner",
    "command line": "from airflow.__main__ import main; import sys; sys.argv = ['airflow', 'version']; main()",
}


def test_all_of_it_starts(tmp_path):
    """In one process, as most of the time goes into what they share."""
    lines = [f"print({component!r}, flush=True); {code}" for component, code in COMPONENTS.items()]
    started = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=os.environ | {"AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert started.returncode == 0, f"after {started.stdout.splitlines()}: {started.stderr}"
