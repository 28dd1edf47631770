"""Refusals of the service."""

from __future__ import annotations

from http import HTTPStatus

_CODES = {
    400: "COMMON_BAD_PAYLOAD",
    401: "COMMON_UNAUTHORIZED",
    403: "COMMON_INSUFFICIENT_PERMISSIONS",
    404: "COMMON_NOT_FOUND",
    405: "COMMON_METHOD_NOT_ALLOWED",
    409: "COMMON_UNIQUE_KEY_VIOLATION",
    415: "COMMON_UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
}
_MESSAGES = {
    401: (
        "You are not authorized! Please provide a valid access token within the header "
        "[Authorization: Bearer <accessToken>] of your request."
    ),
    403: "You are not authorized to perform this action.",
    404: "Not found.",
    429: "You have exceeded your rate limit",
}


class HttpRefusal(Exception):
    """
    A request that the service refuses.

    :param status: HTTP status.
    :param message: the text for the user. Default: the service's usual one.
    """

    def __init__(self, status: int, message: str | None = None) -> None:
        self.status = status
        self.message = message or _MESSAGES.get(status) or _reason(status)
        super().__init__(f"{status}: {self.message}")


def error_object(status: int, message: str | None = None) -> dict[str, object]:
    """Return the error itself, as rate limiting sends it: not wrapped."""
    return {
        "status": status,
        "reason": _reason(status),
        "message": message or _MESSAGES.get(status) or _reason(status),
        "code": _CODES.get(status, "COMMON_EXCEPTION"),
    }


def wrapped(status: int, message: str | None = None) -> dict[str, object]:
    """Return the error as everything but rate limiting sends it."""
    return {"error": error_object(status, message)}


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
