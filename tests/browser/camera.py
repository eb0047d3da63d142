"""A picture in front of Chromium's fake camera, as raw video (YUV4MPEG2): nothing to compress."""

import io
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 640, 480
HEADER = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode()
# Of a picture in greys, both colours are at their middle, a quarter as many as there are pixels.
COLOURLESS = bytes([128]) * (WIDTH * HEIGHT // 2)


def switches(video: Path) -> list[str]:
    """What Chromium is started with to look at that file when a page asks for the camera."""
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    ]


def hold_up(png: bytes, video: Path) -> None:
    """Put the picture into the middle of a grey room; the camera shows it over and over."""
    room = Image.new("L", (WIDTH, HEIGHT), 90)
    picture = Image.open(io.BytesIO(png)).convert("L")
    picture.thumbnail((HEIGHT * 3 // 4, HEIGHT * 3 // 4))
    room.paste(picture, ((WIDTH - picture.width) // 2, (HEIGHT - picture.height) // 2))
    video.write_bytes(HEADER + (b"FRAME\n" + room.tobytes() + COLOURLESS) * 2)
