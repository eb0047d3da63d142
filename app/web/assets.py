"""Style sheets and scripts: one request each, named by their content, kept by browsers for good.

A bundle is a list of files in `static/bundles.toml`, joined when the app starts: no build step,
and a component keeps a file of its own.
"""

import gzip
import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, request, url_for

from app.web.access import public

routes = Blueprint("assets", __name__)

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Bundle:
    content_type: str
    body: bytes
    gzipped: bytes
    digest: str


_bundles: dict[str, Bundle] = {}


def init_app(app: Flask) -> None:
    static = Path(app.static_folder or "")
    listed = tomllib.loads((static / "bundles.toml").read_text())
    _bundles.clear()
    for name, files in listed.items():
        _bundles[name] = _bundle(name, [static / file for file in files])
    app.register_blueprint(routes)
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """The address of a bundle, such as `css/shop.css`; it changes with the content."""
    return url_for("assets.show", digest=_bundles[name].digest, name=name)


@routes.get("/assets/<digest>/<path:name>")
@public
def show(digest: str, name: str) -> Response:
    bundle = _bundles.get(name)
    if bundle is None:
        abort(404)
    zipped = "gzip" in request.accept_encodings
    response = Response(bundle.gzipped if zipped else bundle.body)
    response.headers["Content-Type"] = bundle.content_type
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    # During a deployment an old page may ask for a digest that is gone: serve, but do not keep.
    response.headers["Cache-Control"] = FOREVER if digest == bundle.digest else "no-store"
    return response


def _bundle(name: str, files: list[Path]) -> Bundle:
    body = b"\n".join(file.read_bytes() for file in files)
    return Bundle(
        content_type=TYPES[Path(name).suffix],
        body=body,
        gzipped=gzip.compress(body, 9, mtime=0),
        digest=hashlib.sha256(body).hexdigest()[:12],
    )
