"""What the three analysis monitors do (sentinelhub-api.md, section 7, "raises on" and "returns")."""

from __future__ import annotations

from tests.real_client.situations import (
    ANALYSING,
    CANCELED,
    DOWNLOAD_FAILED,
    FAILED,
    GONE,
    HANGS,
    NOVEL,
    PARTIAL,
    PROCESSING,
    QUEUED,
    RETURNS,
    RUNTIME_ERROR,
    STOPPED,
    SUCCESS,
    VALUE_ERROR,
    Situation,
    everywhere,
    life,
)

ANALYSES = (
    Situation(
        title="analysed",
        row="the ordinary case",
        job=life(QUEUED, ANALYSING, {"status": "ANALYSIS_DONE"}, user_action="ANALYSE"),
        **everywhere(RETURNS),
        sensors=SUCCESS,
    ),
    Situation(
        title="PROCESSING at the first look",
        row="section 7: any other status",
        job=life({**PROCESSING, "seconds": None}),
        **everywhere(RETURNS),
        sensors=SUCCESS,
    ),
    Situation(
        title="PARTIAL at the first look",
        row="section 7: any other status, incl. PARTIAL",
        job=life(PARTIAL),
        **everywhere(RETURNS),
        sensors=SUCCESS,
    ),
    Situation(
        title="FAILED in its analysis",
        row="section 7, column 'raises on'",
        job=life(QUEUED, ANALYSING, FAILED),
        **everywhere(RUNTIME_ERROR),
        sensors="BatchFailed",
    ),
    Situation(
        title="CANCELED after its analysis",
        row="section 7: raises on FAILED, CANCELED",
        job=life(QUEUED, ANALYSING, CANCELED),
        **everywhere(RUNTIME_ERROR),
        sensors="BatchCanceled",
    ),
    Situation(
        title="STOPPED after its analysis",
        row="section 7: any other status, incl. STOPPED",
        job=life(QUEUED, ANALYSING, STOPPED),
        process=RETURNS,
        statistical=RETURNS,
        sensors="BatchStopped",
    ),
    Situation(
        title="created, but nobody asked for anything",
        row="CREATED, never started",
        job={"status": "CREATED"},
        **everywhere(HANGS),
        noticed="NOT STARTED",
        sensors="BatchNotStarted",
    ),
    Situation(
        title="deleted before the first look",
        row="job deleted (404)",
        job=life(GONE),
        **everywhere(DOWNLOAD_FAILED),
        sensors="BatchNotFound",
    ),
    Situation(
        title="a new status for a while; then analysed",
        row="unknown status / tile status / stop reason",
        job=life(QUEUED, NOVEL, {"status": "ANALYSIS_DONE"}, user_action="ANALYSE"),
        **everywhere(VALUE_ERROR),
        noticed="Unknown status 'REHEATING'",
        sensors=SUCCESS,
    ),
)
