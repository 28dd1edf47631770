"""The arguments of triggers, as tests write them: without levels."""

from __future__ import annotations

from typing import Any

_LEVELS = {
    "policy": ("poke_interval", "analysis_poke_interval", "slowest_poke_interval", "allow_partial"),
    "deadlines": ("started_at", "timeout_at", "execution_timeout_at", "stops_job"),
}


def nested(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments as Airflow stores them."""
    levels = {
        level: {name: arguments[name] for name in names if name in arguments} for level, names in _LEVELS.items()
    }
    inner = {name for names in _LEVELS.values() for name in names}
    return {**{name: value for name, value in arguments.items() if name not in inner}, **levels}
