"""The shop's own styles, scripts and icons, for a page of another house."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from flask import Response, abort

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "static"
TYPES = {"style.css": "text/css", "script.js": "text/javascript", "sprite.svg": "image/svg+xml"}


class Assets:
    """The named files joined into one of each kind, under a version that changes with them."""

    def __init__(self, styles: Sequence[str], scripts: Sequence[str]) -> None:
        self._files = {
            "style.css": b"\n".join((STATIC / f"css/{name}.css").read_bytes() for name in styles),
            "script.js": b"\n".join((STATIC / f"js/{name}.js").read_bytes() for name in scripts),
            "sprite.svg": (STATIC / "img/sprite.svg").read_bytes(),
        }
        self.version = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:12]

    def answer(self, version: str, name: str) -> Response:
        if name not in self._files:
            abort(404)
        response = Response(self._files[name], content_type=f"{TYPES[name]}; charset=utf-8")
        kept = "public, max-age=31536000, immutable" if version == self.version else "no-store"
        response.headers["Cache-Control"] = kept
        return response
