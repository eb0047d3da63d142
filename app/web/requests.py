"""The request: what may stand in an address, and uploads, which stay in memory.

A file of codes must never lie on a disk; and no text from outside has a NUL in it, because
PostgreSQL takes none.
"""

import io
from collections.abc import Iterable
from typing import IO, Any

from flask import Flask, Request
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import IntegerConverter, Map, UnicodeConverter, ValidationError

MAX_UPLOAD = 128 * 1024 * 1024
# From whoever is no member of staff: enough for every form, and little for a server to hold.
MAX_FORM = 1024 * 1024
# With one document in it, such as an invoice, which may have 5 MB.
MAX_DOCUMENT = MAX_FORM + 5 * 1024 * 1024
# What a database keeps as a whole number.
MOST = 2**63 - 1


def init_app(app: Flask) -> None:
    """Call it before routes are added."""
    app.request_class = ShopRequest
    app.url_map.converters |= {"int": RowId, "string": Name, "default": Name}


class RowId(IntegerConverter):
    """An id in an address; what is too large for one is no address of ours."""

    def __init__(self, map: Map) -> None:  # noqa: A002  werkzeug's name
        super().__init__(map, max=MOST)


class Name(UnicodeConverter):
    """A name in an address."""

    def to_python(self, value: str) -> str:
        if "\0" in value:
            raise ValidationError
        return value


class Texts(ImmutableMultiDict[str, Any]):
    """The fields of a form or a query, and its files."""

    def __init__(self, fields: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__(
            (name, value.replace("\0", "") if isinstance(value, str) else value)
            for name, value in fields
        )


def row_id(text: str) -> int:
    """An id in a form; raises ValueError."""
    number = int(text)
    if not 0 <= number <= MOST:
        raise ValueError("no id")
    return number


class ShopRequest(Request):
    """Flask's request, without its habit of spooling large uploads into temporary files."""

    max_form_parts = 500
    parameter_storage_class = Texts

    def _get_file_stream(self, *_args: object, **_sizes: object) -> IO[bytes]:
        return io.BytesIO()
