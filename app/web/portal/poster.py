"""The poster: a product as a picture with its price and a QR code, to be sent on in a chat.

The letters come from our own file, so that it looks the same on a machine without any font. Its
font has the characters of GB 2312 and the common ones of Big5; what it cannot write (an emoji) is
left out.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont, ImageOps

FONT = Path(__file__).parents[2] / "fonts" / "NotoSansSC.ttf"
WIDTH, HEIGHT = 1080, 1440
MARGIN = 72
COVER = (WIDTH - 2 * MARGIN, 585)
QR_SIDE = 264
# The light half of static/css/tokens.css, and the inks of static/css/cover.css.
PAPER, SHEET, INK, INK_2, INK_3, LINE = (
    "#f7f4ee",
    "#fffdf9",
    "#1f1c18",
    "#5a544b",
    "#6c655b",
    "#e3dccf",
)
ACCENTS = {
    "pine": "#0f5b4a",
    "indigo": "#2b4a8b",
    "cinnabar": "#a63a24",
    "plum": "#703a69",
    "ochre": "#7e4f0c",
    "ink": "#2a2622",
}
COVERS = (
    ("#0b4a3c", "#1d755b"),
    ("#1e335f", "#3b5c9e"),
    ("#80291d", "#b0452d"),
    ("#43203e", "#78426f"),
    ("#0c4150", "#1f6d83"),
    ("#5e390e", "#8f5918"),
    ("#26231f", "#575048"),
    ("#2f255c", "#5a4d9d"),
    ("#3c4218", "#606a28"),
    ("#6d1a36", "#a6375b"),
    ("#1b3444", "#3f657e"),
    ("#46291d", "#805441"),
)
MARK = (255, 255, 255, 28)
# A character that no font has: what is drawn in its place stands for "missing".
NOWHERE = "\U0010fffe"


@dataclass(frozen=True)
class Poster:
    """What stands on it, in words. `cover` is 1 to 12; `picture` is the product's own, or empty."""

    shop: str
    name: str
    text: str
    label: str
    price: str
    was: str
    cover: int
    glyph: str
    accent: str
    url: str
    invitation: str
    by: str
    picture: bytes = b""


@lru_cache(maxsize=32)
def draw(poster: Poster) -> bytes:
    """The poster as PNG, 1080 × 1440."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(canvas)
    accent = ACCENTS[poster.accent]
    _rounded(canvas, Image.new("RGB", (WIDTH - 64, HEIGHT - 64), SHEET), (32, 32), 44)
    _write(pen, (MARGIN, 72), poster.shop, 38, INK, bold=True, width=560)
    _write(pen, (WIDTH - MARGIN, 74), poster.by, 34, INK_3, width=340, anchor="ra")
    _rounded(canvas, _cover(poster), (MARGIN, 150), 36)
    bottom = _name(pen, poster)
    _price(pen, poster, accent, bottom)
    _tear(canvas, pen, 1064)
    _foot(canvas, pen, poster, accent)
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()


def _name(pen: ImageDraw.ImageDraw, poster: Poster) -> int:
    """The name in two lines at most; where it ends."""
    y = 756
    for line in _lines(poster.name, 56, COVER[0], 2):
        _write(pen, (MARGIN, y), line, 56, INK, bold=True)
        y += 76
    return y


def _price(pen: ImageDraw.ImageDraw, poster: Poster, accent: str, y: int) -> None:
    if not poster.price:
        _write(pen, (MARGIN, y + 16), poster.text, 40, INK_2, width=COVER[0])
        return
    base = max(y + 104, 992)
    symbol, digits = poster.price[:1], poster.price[1:]
    x = MARGIN + _write(pen, (MARGIN, base), symbol, 48, accent, bold=True, anchor="ls")
    x += 8 + _write(pen, (x + 8, base), digits, 92, accent, bold=True, anchor="ls")
    if poster.was:
        long = _write(pen, (x + 28, base), poster.was, 40, INK_3, anchor="ls")
        pen.line((x + 28, base - 15, x + 28 + long, base - 15), fill=INK_3, width=3)


def _tear(canvas: Image.Image, pen: ImageDraw.ImageDraw, y: int) -> None:
    """The perforated edge of a pass."""
    for x in range(MARGIN + 6, WIDTH - MARGIN, 22):
        pen.line((x, y, x + 11, y), fill=LINE, width=4)
    hole = Image.new("RGB", (48, 48), PAPER)
    for x in (32 - 24, WIDTH - 32 - 24):
        _rounded(canvas, hole, (x, y - 24), 24)


def _foot(canvas: Image.Image, pen: ImageDraw.ImageDraw, poster: Poster, accent: str) -> None:
    top = 1104
    code = _qr(poster.url)
    _rounded(canvas, code, (WIDTH - MARGIN - QR_SIDE, top), 24)
    _write(pen, (MARGIN, top + 52), poster.invitation, 48, accent, bold=True, width=600)
    if poster.price:
        _write(pen, (MARGIN, top + 130), poster.text, 36, INK_2, width=600)
    address = poster.url.split("//", 1)[-1]
    _write(pen, (MARGIN, top + (196 if poster.price else 130)), address, 28, INK_3, width=600)


def _qr(url: str) -> Image.Image:
    """The code on white, its modules whole pixels, the quiet zone of the standard around it."""
    matrix = segno.make_qr(url, error="m").matrix
    modules = len(matrix) + 8
    picture = Image.new("L", (modules, modules), 255)
    for y, row in enumerate(matrix):
        for x, is_dark in enumerate(row):
            if is_dark:
                picture.putpixel((x + 4, y + 4), 0)
    scale = QR_SIDE // modules
    sharp = picture.resize((modules * scale, modules * scale), Image.Resampling.NEAREST)
    framed = Image.new("RGB", (QR_SIDE, QR_SIDE), "#ffffff")
    framed.paste(sharp, ((QR_SIDE - sharp.width) // 2, (QR_SIDE - sharp.height) // 2))
    return framed


def _cover(poster: Poster) -> Image.Image:
    if poster.picture:
        with Image.open(io.BytesIO(poster.picture), formats=("WEBP",)) as picture:
            return ImageOps.fit(picture.convert("RGB"), COVER, Image.Resampling.LANCZOS)
    made = _gradient(*COVERS[poster.cover - 1])
    engraving = Image.new("RGBA", (COVER[0] * 2, COVER[1] * 2), (0, 0, 0, 0))
    (_rings, _stripes, _discs, _dots)[(poster.cover - 1) % 4](ImageDraw.Draw(engraving))
    small = engraving.resize(COVER, Image.Resampling.LANCZOS)
    made.paste(small, (0, 0), small)
    pen = ImageDraw.Draw(made)
    _write(pen, (64, 52), poster.label, 44, "#ffffff", bold=True, width=640)
    if _drawable(poster.glyph):
        _write(pen, (COVER[0] - 66, COVER[1] - 64), poster.glyph, 250, "#ffffff", True, anchor="rd")
    at = (64, COVER[1] - 64 - 93)
    beneath = made.crop((*at, at[0] + 124, at[1] + 93))
    chip = Image.blend(beneath, Image.new("RGB", (124, 93), "#ffffff"), 0.32)
    _rounded(made, chip, at, 16)
    return made


def _gradient(dark: str, light: str, size: tuple[int, int] = COVER) -> Image.Image:
    """From light at the top left to dark at the bottom right."""
    ramp = Image.linear_gradient("L")
    slope = Image.blend(ramp, ramp.rotate(90), 0.5).resize(size, Image.Resampling.BICUBIC)
    return ImageOps.colorize(slope, light, dark)


def _rings(pen: ImageDraw.ImageDraw) -> None:
    x, y = COVER[0] * 2 * 82 // 100, COVER[1] * 2 * 110 // 100
    for radius in range(130, 2200, 142):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=MARK, width=12)


def _stripes(pen: ImageDraw.ImageDraw) -> None:
    for x in range(700, 3200, 240):
        pen.line((x, -40, x - 620, COVER[1] * 2 + 40), fill=MARK, width=76)


def _discs(pen: ImageDraw.ImageDraw) -> None:
    wide, high = COVER[0] * 2, COVER[1] * 2
    for x, y, radius in (
        (wide, 0, 860),
        (0, high * 115 // 100, 970),
        (1160, high * 130 // 100, 900),
    ):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=MARK, width=10)


def _dots(pen: ImageDraw.ImageDraw) -> None:
    for x in range(60, COVER[0] * 2, 122):
        for y in range(60, COVER[1] * 2, 122):
            strength = 44 * x // (COVER[0] * 2)
            pen.ellipse((x - 24, y - 24, x + 24, y + 24), fill=(255, 255, 255, strength))


def _rounded(canvas: Image.Image, picture: Image.Image, at: tuple[int, int], radius: int) -> None:
    """Put a picture down with round corners; the mask is drawn larger, so that they are smooth."""
    mask = Image.new("L", (picture.width * 3, picture.height * 3), 0)
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * 3, fill=255)
    canvas.paste(picture, at, mask.reduce(3))


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: str,
    bold: bool = False,
    *,
    width: int = 0,
    anchor: str = "la",
) -> int:
    """Write one line, cut to `width`; how wide it is. The one weight there is, is thickened."""
    line = _lines(text, size, width, 1)[0] if width else _drawable(text)
    stroke = min(max(size // 36, 1), 3) if bold else 0
    pen.text(at, line, colour, _font(size), anchor, stroke_width=stroke)
    return int(_font(size).getlength(line)) + 2 * stroke


def _lines(text: str, size: int, width: int, most: int) -> list[str]:
    """The text in lines of at most `width`; what does not fit ends in an ellipsis.

    Chinese breaks anywhere, a Latin word as a whole when there is room for it.
    """
    rest = _drawable(text)
    lines: list[str] = []
    while rest and len(lines) < most:
        count = _fitting(rest, size, width)
        if count < len(rest):
            is_last = len(lines) == most - 1
            if is_last:
                count = _fitting(rest, size, width - _font(size).getlength("…"))
                lines.append(rest[:count].rstrip() + "…")
                break
            count = _break_at(rest, count)
        lines.append(rest[:count].rstrip())
        rest = rest[count:].lstrip()
    return lines or [""]


def _fitting(text: str, size: int, width: float) -> int:
    """How many characters fit, one at the least."""
    count = 1
    while count < len(text) and _font(size).getlength(text[: count + 1]) <= width:
        count += 1
    return count


def _break_at(text: str, count: int) -> int:
    """Where to break a line that holds `count` characters: not within a Latin word."""
    start = count
    while start > 0 and text[start - 1].isascii() and text[start - 1].isalnum():
        start -= 1
    within = count < len(text) and text[count].isascii() and text[count].isalnum()
    return start if within and start > 0 else count


def _drawable(text: str) -> str:
    """The text without what the font has no letter for."""
    return " ".join("".join(one for one in text if one == " " or _has(one)).split())


@lru_cache(maxsize=4096)
def _has(letter: str) -> bool:
    missing = _font(32).getmask(NOWHERE)
    drawn = _font(32).getmask(letter)
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
