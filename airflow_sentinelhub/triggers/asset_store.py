"""Cursor store of an event trigger, in Airflow's state store of its assets (Airflow 3.3)."""

from __future__ import annotations

import asyncio
from typing import Any


class AssetCursorStore:
    """
    Keeps one value with the assets that a trigger watches, so that it survives the triggerer.

    :param store: what Airflow gives the trigger, for one asset or several.
    :param key: the value's name; it has to be the same after a restart.
    """

    def __init__(self, store: Any, key: str) -> None:
        # Two assets with the same trigger share it. Airflow's shorthand is for one asset only.
        by_name = getattr(store, "_by_name", None)
        self._stores = [by_name[name] for name in sorted(by_name)] if by_name else [store]
        self._key = key

    async def read(self) -> object:
        """Return the value; ``None`` if there is none."""
        for store in self._stores:
            value = await self._call(store, "get", self._key)
            if value is not None:
                return value
        return None

    async def write(self, value: dict[str, Any]) -> None:
        """Replace the value."""
        for store in self._stores:
            await self._call(store, "set", self._key, value)

    @staticmethod
    async def _call(store: Any, name: str, *arguments: Any) -> object:
        # Airflow 3.3.0 and 3.3.1 have only the methods that block.
        asynchronous = getattr(store, f"a{name}", None)
        if asynchronous is not None:
            return await asynchronous(*arguments)
        return await asyncio.to_thread(getattr(store, name), *arguments)
