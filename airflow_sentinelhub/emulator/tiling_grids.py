"""The tiling grids that the service documents (sentinelhub-api.md, section 5.8)."""

from __future__ import annotations

from typing import Any


def _grid(number: int, name: str, size: float, resolutions: list[float], unit: str = "METRE") -> dict[str, Any]:
    properties = {"tileWidth": size, "tileHeight": size, "resolutions": resolutions, "unit": unit}
    return {"id": number, "name": name, "properties": properties}


TILING_GRIDS = {
    grid["id"]: grid
    for grid in (
        _grid(0, "UTM 20km grid", 20040.0, [10.0, 20.0, 30.0, 60.0]),
        _grid(1, "UTM 10km grid", 10000.0, [10.0, 20.0]),
        _grid(2, "UTM 100km grid", 100080.0, [30.0, 60.0, 120.0, 240.0, 360.0]),
        _grid(3, "WGS84 1 degree grid", 1.0, [0.0001, 0.0002], "DEGREE"),
        _grid(6, "LAEA 100km grid", 100000.0, [40.0, 50.0, 100.0]),
        _grid(7, "LAEA 20km grid", 20000.0, [10.0, 20.0]),
    )
}
