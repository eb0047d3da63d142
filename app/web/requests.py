"""The request: uploads stay in memory, because a file of codes must never lie on a disk."""

import io
from typing import IO

from flask import Request

MAX_UPLOAD = 128 * 1024 * 1024


class ShopRequest(Request):
    """Flask's request, without its habit of spooling large uploads into temporary files."""

    max_form_parts = 500

    def _get_file_stream(self, *_args: object, **_sizes: object) -> IO[bytes]:
        return io.BytesIO()
