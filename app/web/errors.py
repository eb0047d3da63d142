"""How a refusal or a fault looks to a person: said once, in their language, with what to do."""

import secrets
from functools import partial
from math import ceil

import structlog
from flask import Flask, Response, after_this_request, request
from flask_babel import gettext as _
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from app.core.errors import Refusal
from app.web import limits
from app.web.render import render

log = structlog.get_logger()


def init_app(app: Flask) -> None:
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(CSRFError, stale_form)
    app.register_error_handler(RateLimitExceeded, too_many)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, fault)


def words(refusal: Refusal) -> str:
    """A refusal's sentence in the reader's language; a program reads Retry-After in its place."""
    if refusal.retry_after is not None:
        after_this_request(partial(_retry_after, seconds=refusal.retry_after))
    return _(refusal.message, **refusal.params)


def refused(refusal: Refusal) -> Response:
    """A rule said no and no form was there to show it in: a page of its own."""
    return error_page(refusal.status, words(refusal))


def stale_form(_error: CSRFError) -> Response:
    return error_page(400, _("这个页面放得太久了，请返回上一页刷新后重试"))


def too_many(_error: RateLimitExceeded) -> Response:
    """The fence in front is closed: for how long."""
    seconds = limits.seconds_to_wait()
    if seconds < 100:
        sentence = _("操作太频繁，请 %(seconds)s 秒后再试", seconds=seconds)
    else:
        sentence = _("操作太频繁，请 %(minutes)s 分钟后再试", minutes=ceil(seconds / 60))
    page = _retry_after(error_page(429, sentence), seconds)
    # It is a page, whatever part of one was asked for.
    page.headers["HX-Retarget"] = "body"
    return page


def http_error(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    sentences = {
        400: _("这个请求有误，请返回上一页重试"),
        401: _("请先登录"),
        403: _("你没有权限查看这个页面"),
        404: _("没有找到这个页面"),
        405: _("没有找到这个页面"),
        409: _("情况已经变化，请刷新页面查看"),
        413: _("文件太大，请分成几份上传"),
    }
    response = error_page(error.code, sentences.get(error.code, _("出错了，请稍后再试")))
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers[name] = value
    return response


def fault(error: Exception) -> Response:
    """Something broke: the person gets a reference to quote, the log gets the rest."""
    reference = secrets.token_hex(4)
    log.error(
        "web.fault",
        reference=reference,
        endpoint=request.endpoint,
        kind=type(error).__name__,
        exc_info=error,
    )
    return error_page(500, _("我们这边出了问题，已经记录下来。你的订单和款项都是安全的"), reference)


def error_page(status: int, sentence: str, reference: str = "") -> Response:
    page = render("errors/error.html", code=status, sentence=sentence, reference=reference)
    page.status_code = status
    return page


def _retry_after(response: Response, seconds: int) -> Response:
    response.headers["Retry-After"] = str(seconds)
    return response
