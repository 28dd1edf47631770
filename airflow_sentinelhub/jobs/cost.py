"""Costs as people say them."""

from __future__ import annotations


def in_units(processing_units: float) -> str:
    """
    Write a cost.

    :param processing_units: small jobs cost a few, large ones many thousands.
    """
    return f"{processing_units:,.0f} PU" if processing_units >= 100 else f"{processing_units:.3g} PU"
