"""Uploaded pictures are drawn again; what is no picture, or a trap, is refused."""

import io
import struct
import zlib

import pytest
import sqlalchemy as sa
from flask import Flask
from PIL import Image

from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.catalog import pictures
from app.domain.catalog.models import Picture

ORIENTATION = 0x0112
GPS_MAKE = 0x010F


def picture(width: int = 40, height: int = 20, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    mode = "RGBA" if kind == "PNG" else "RGB"
    Image.new(mode, (width, height), "teal").save(out, kind, **options)
    return out.getvalue()


def reopened(drawn: pictures.Drawn) -> Image.Image:
    return Image.open(io.BytesIO(drawn.content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_become_webp(kind: str) -> None:
    drawn = pictures.draw(picture(kind=kind))

    assert reopened(drawn).format == "WEBP"
    assert (drawn.width, drawn.height) == (40, 20)


def test_a_large_picture_is_made_smaller_and_keeps_its_shape() -> None:
    drawn = pictures.draw(picture(3000, 1500))

    assert (drawn.width, drawn.height) == (1200, 600)


def test_metadata_is_gone_and_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[GPS_MAKE] = "the maker of my phone"
    uploaded = picture(40, 20, exif=exif)
    assert b"maker of my phone" in uploaded

    drawn = pictures.draw(uploaded)

    assert (drawn.width, drawn.height) == (20, 40)
    assert not reopened(drawn).getexif()
    assert b"maker of my phone" not in drawn.content


def test_transparency_is_kept() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")

    assert reopened(pictures.draw(out.getvalue())).getpixel((5, 5))[3] == 0  # type: ignore[index]


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes that decode to gigabytes, if one lets them."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("_case", "uploaded"),
    [
        ("nothing", b""),
        ("a vector that can hold scripts", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("a page", b"<html><script>x</script></html>"),
        ("another format", picture(kind="GIF")),
        ("half a picture", picture(800, 800)[:600]),
        ("a header and no more", b"\x89PNG\r\n\x1a\n" + b"\0" * 40),
        ("a bomb", png_claiming(60_000, 60_000)),
        ("a smaller bomb", png_claiming(8_000, 8_000)),
        ("ten megabytes of nothing", b"\xff\xd8\xff" + b"\0" * pictures.MAX_BYTES),
    ],
)
def test_all_else_is_refused(_case: str, uploaded: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        pictures.draw(uploaded)

    assert refused.value.field == "picture"


def test_the_same_picture_is_kept_once(app: Flask) -> None:
    drawn = pictures.draw(picture())

    first = transaction(lambda: pictures.keep(drawn))
    second = transaction(lambda: pictures.keep(drawn))

    assert first == second
    assert session.scalar(sa.select(sa.func.count()).select_from(Picture)) == 1
    assert pictures.content_of(drawn.digest) == drawn.content


def test_a_small_one_is_drawn_for_lists(app: Flask) -> None:
    drawn = pictures.draw(picture(1000, 500))
    transaction(lambda: pictures.keep(drawn))

    small = Image.open(io.BytesIO(pictures.small_content_of(drawn.digest)))

    assert small.size == (480, 240)


def test_an_unknown_digest_is_not_found(app: Flask) -> None:
    with pytest.raises(NotFound):
        pictures.content_of("0" * 64)
