"""Style sheets, scripts and images: named by their content, so browsers keep them for good.

Style sheets and scripts are lists of files in `static/bundles.toml`, joined when the app starts:
one request and no build step, while every component keeps a file of its own.
"""

import gzip
import hashlib
import mimetypes
import tomllib
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, request

from app.web.access import public

routes = Blueprint("assets", __name__)

TEXTS = ("text/", "image/svg", "application/javascript")
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    content_type: str
    body: bytes
    gzipped: bytes | None
    digest: str
    path: str


_assets: dict[str, Asset] = {}


def init_app(app: Flask) -> None:
    static = Path(app.static_folder or "")
    _assets.clear()
    for path in sorted(static.rglob("*")):
        if path.is_file() and path.suffix not in (".css", ".js", ".toml", ".txt"):
            name = path.relative_to(static).as_posix()
            _assets[name] = _asset(name, path.read_bytes())
    for name, files in tomllib.loads((static / "bundles.toml").read_text()).items():
        _assets[name] = _asset(name, b"\n".join((static / file).read_bytes() for file in files))
    app.register_blueprint(routes)
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """The address of an asset, such as `css/shop.css`; it changes with the content."""
    return request.script_root + _assets[name].path


@routes.get("/assets/<digest>/<path:name>")
@public
def show(digest: str, name: str) -> Response:
    found = _assets.get(name)
    if found is None:
        abort(404)
    zipped = found.gzipped if request.accept_encodings.quality("gzip") else None
    response = Response(zipped or found.body)
    response.headers["Content-Type"] = found.content_type
    response.headers["Vary"] = "Accept-Encoding"
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    # During a deployment an old page may ask for a digest that is gone: serve, but do not keep.
    response.headers["Cache-Control"] = FOREVER if digest == found.digest else "no-store"
    return response


def _asset(name: str, body: bytes) -> Asset:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    is_text = kind.startswith(TEXTS)
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(
        content_type=f"{kind}; charset=utf-8" if is_text else kind,
        body=body,
        gzipped=gzip.compress(body, 9, mtime=0) if is_text else None,
        digest=digest,
        # Kept, not built: a page names forty icons.
        path=f"/assets/{digest}/{name}",
    )
