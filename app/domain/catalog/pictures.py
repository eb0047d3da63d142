"""Pictures: what a merchant uploads is decoded and drawn again, and only that is ever served."""

import hashlib
import io
import struct
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa
from PIL import Image, ImageOps, UnidentifiedImageError

from app.core import db
from app.core.db import session
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog.models import Picture

MAX_BYTES = 10 * 1024 * 1024
# 40 megapixels: the best phone cameras; decoded it is 160 MB, and no header can ask for more.
MAX_PIXELS = 40_000_000
SIDE = 1200
SMALL_SIDE = 480
FORMATS = ("JPEG", "PNG", "WEBP")
CONTENT_TYPE = "image/webp"

BROKEN = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
)


@dataclass(frozen=True)
class Drawn:
    """A picture as we draw it: WebP, at most 1200 px a side, without a word of metadata."""

    content: bytes
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def draw(content: bytes) -> Drawn:
    """Decode an uploaded JPEG, PNG or WebP and draw it anew; raises Refusal for all else.

    Slow (it decodes): call it outside of a transaction.
    """
    if len(content) > MAX_BYTES:
        raise Refusal(N_("图片不能超过 10 MB"), field="picture")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Refusal(N_("图片尺寸太大，请缩小后再上传"), field="picture")
            upright = ImageOps.exif_transpose(picture)
            return _draw(upright, SIDE)
    except BROKEN as error:
        raise Refusal(N_("无法读取这张图片，请换成 JPG、PNG 或 WebP"), field="picture") from error


def keep(drawn: Drawn) -> int:
    """Store the picture once, however often it is uploaded, and return its id."""
    made = db.insert_once(
        Picture,
        "digest",
        digest=drawn.digest,
        content_type=CONTENT_TYPE,
        width=drawn.width,
        height=drawn.height,
        content=drawn.content,
    )
    if made is not None:
        return made
    return session.scalars(sa.select(Picture.id).where(Picture.digest == drawn.digest)).one()


def content_of(digest: str) -> bytes:
    """The picture named by its content's digest; raises NotFound."""
    content = session.scalar(sa.select(Picture.content).where(Picture.digest == digest))
    if content is None:
        raise NotFound(N_("没有找到这张图片"))
    return content


@lru_cache(maxsize=256)
def small_content_of(digest: str) -> bytes:
    """The same picture at most 480 px a side, for lists; drawn once a process and kept."""
    with Image.open(io.BytesIO(content_of(digest)), formats=FORMATS) as picture:
        return _draw(picture, SMALL_SIDE).content


def _draw(picture: Image.Image, side: int) -> Drawn:
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    canvas = picture.convert("RGBA" if has_alpha else "RGB")
    canvas.thumbnail((side, side), Image.Resampling.LANCZOS)
    canvas.info.clear()
    out = io.BytesIO()
    canvas.save(out, "WEBP", quality=82, method=4)
    return Drawn(out.getvalue(), canvas.width, canvas.height)
