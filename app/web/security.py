"""Response headers that a browser enforces for us."""

from urllib.parse import urlsplit

from flask import Flask, Response, current_app

from app.settings import Settings


def init_app(app: Flask) -> None:
    policy = content_security_policy(app.config["SETTINGS"])
    app.config["CONTENT_SECURITY_POLICY"] = policy
    app.after_request(add_headers)


def content_security_policy(settings: Settings) -> str:
    """First-party everything; forms may lead to ourselves and to the payment channels."""
    channels = ["https:"] if settings.is_production else []
    if settings.sandbox_url:
        parts = urlsplit(settings.sandbox_url)
        channels.append(f"{parts.scheme}://{parts.netloc}")
    allowed = " ".join(["'self'", *channels])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        f"form-action {allowed}; base-uri 'none'; frame-ancestors 'none'"
    )


def add_headers(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = current_app.config["CONTENT_SECURITY_POLICY"]
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    if current_app.config["SETTINGS"].is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    return response
