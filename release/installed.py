"""
Run by the Python of an environment that holds the wheel: what Airflow and pytest see of it there.

It imports nothing of the project but what is installed, and says what it saw on one line.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import json
import os
import sys
import tempfile
from pathlib import Path

DISTRIBUTION = "airflow-provider-sentinelhub"


def main(examples: Path) -> None:
    """
    Look at the provider and its plugin as Airflow shows them, import all its modules, and the examples.

    :param examples: folder of the example DAGs.
    """
    package = Path(importlib.util.find_spec("airflow_sentinelhub").origin)
    assert sys.prefix in str(package), f"{package} is not the installed one"
    info = _provider_info()

    providers = {each["package_name"]: each["version"] for each in _airflow("providers", "list")}
    assert providers[DISTRIBUTION] == importlib.metadata.version(DISTRIBUTION)
    hooks = {each["connection_type"]: each for each in _airflow("providers", "hooks")}
    assert hooks["sentinelhub"]["hook_name"] == "Sentinel Hub", hooks["sentinelhub"]
    plugins = {each["name"]: each for each in _airflow("plugins")}
    assert "deferral_listener" in str(plugins["airflow_sentinelhub"]["listeners"]), plugins
    triggers = _triggers()

    modules = [name for kind in ("hooks", "operators", "sensors", "triggers") for name in _modules(info[kind])]
    for name in modules:
        importlib.import_module(name)
    if triggers is not None:
        assert set(_modules(info["triggers"])) <= triggers, triggers

    for file in sorted(examples.glob("*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert getattr(module, file.stem)().dag_id == file.stem

    [plugin] = [each for each in importlib.metadata.entry_points(group="pytest11") if each.name == "sentinelhub"]
    assert plugin.value == "airflow_sentinelhub.pytest_plugin"
    shown = "has no such command" if triggers is None else "shows the triggers"
    print(
        f"Airflow {importlib.metadata.version('apache-airflow')}: {DISTRIBUTION} {providers[DISTRIBUTION]}, its "
        f"connection type, its plugin, {len(modules)} modules and {len(list(examples.glob('*.py')))} examples are "
        f"there; 'airflow providers triggers' {shown}"
    )


def _provider_info() -> dict:
    [entry] = [
        each
        for each in importlib.metadata.entry_points(group="apache_airflow_provider")
        if each.dist and each.dist.name == DISTRIBUTION
    ]
    return entry.load()()


def _modules(groups: list[dict]) -> list[str]:
    return [name for group in groups for name in group["python-modules"]]


def _triggers() -> set[str] | None:
    try:
        listed = _airflow("providers", "triggers")
    except SystemExit:
        return None
    return {value for each in listed for value in each.values() if "airflow_sentinelhub" in str(value)}


def _airflow(*command: str) -> list[dict[str, str]]:
    """Run a command of Airflow in this process, which has imported it already."""
    from airflow.cli import cli_parser

    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        arguments = cli_parser.get_parser().parse_args([*command, "--output", "json"])
        arguments.func(arguments)
    text = output.getvalue()
    return json.loads(text[text.index("[") :])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
            del os.environ[name]
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        main(Path(sys.argv[1]))
