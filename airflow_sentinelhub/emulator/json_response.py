"""JSON on its way out. It takes whatever a test made the service say."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class JsonAnswer(JSONResponse):
    """UTF-8; with escapes only where UTF-8 cannot say it, such as half a surrogate pair."""

    def render(self, content: Any) -> bytes:
        """Write the body. A number that is not finite is written as Python does: only a test can have sent it."""
        written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        try:
            return written.encode()
        except UnicodeEncodeError:
            return json.dumps(content, separators=(",", ":")).encode()
