"""A controlled export in the console: who sees what, the password once, the file once."""

import re

import pytest
from flask import Flask

from app.core.db import transaction
from app.domain.accounts.models import Role
from app.domain.vault import exporting, own_codes
from tests import factories, locked_zips, people
from tests.web.visitors import Visitor, location, words

pytestmark = [
    pytest.mark.usefixtures("audited"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


def test_two_people_and_half_an_hour_make_one_file(app: Flask, owner: Visitor) -> None:
    texts = own_codes.generate(30)
    product = factories.make_product(codes=0, name="点数卡")
    transaction(lambda: factories.add_batch(product, texts, is_generated=True))
    operator = Visitor(app, people.make(Role.OPERATOR))
    form = "/admin/batches/1/exports/new"
    assert form in operator.get("/admin/batches/1").text
    assert "现在可导出 30 条" in words(operator.get(form))

    refused = operator.post("/admin/batches/1/exports", {"reason": "交给门店", "quantity": "31"})
    assert refused.status_code == 422 and "数量要在 1 到 30 之间" in words(refused)
    assert 'value="交给门店"' in refused.text
    refused = operator.post("/admin/batches/1/exports", {"reason": "交给门店"})
    assert refused.status_code == 422 and "请填写数量" in words(refused)
    url = location(
        operator.post("/admin/batches/1/exports", {"reason": "交给门店", "quantity": "20"})
    )
    assert url == "/admin/exports/1"

    assert (
        "你自己不能批准" in words(operator.get(url)) and "/approval" not in operator.get(url).text
    )
    assert operator.post(f"{url}/approval").status_code == 403
    assert "待批准的导出 1" in words(owner.get("/admin/"))
    assert "交给门店" in words(owner.get(url))
    assert location(owner.post(f"{url}/approval")) == url
    early = operator.post(f"{url}/download")
    assert early.status_code == 409 and "请先取得文件密码" in words(early)
    shown = operator.post(f"{url}/password")
    assert shown.headers["Cache-Control"] == "no-store"
    found = re.search(r'data-testid="export-password">([^<]+)<', shown.text)
    assert found is not None
    assert found.group(1) not in operator.get(url).text
    other = owner.post(f"{url}/password")
    assert other.status_code == 409 and "只有申请人" in words(other)

    answer = operator.post(f"{url}/download")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="codes-1.zip"'
    _name, plain = locked_zips.opened(answer.data, found.group(1))
    lines = plain.decode("utf-8-sig").splitlines()
    again = operator.post(f"{url}/download")
    assert again.status_code == 409 and "已经结束" in words(again)
    page = words(owner.get(url))
    assert "20 条卡密已随文件离开本店" in page and "已下载" in words(owner.get("/admin/exports"))
    assert "导出" in words(owner.get("/admin/reveals"))
    assert words(operator.get("/admin/batches/1")).count("已作废 20") == 1

    (mark,) = set(lines) - set(texts)
    Visitor(app, ip="198.51.100.7").post("/redeem", {"code": mark})
    page = words(owner.get("/admin/alarms/1"))
    assert "所以泄漏的是那份文件" in page and "交给门店" in words(owner.get(url))


def test_a_shop_of_one_hears_what_is_possible(app: Flask, owner: Visitor) -> None:
    factories.make_product(codes=30)
    page = words(owner.get("/admin/batches/1/exports/new"))
    assert "店里现在没有别人能批准" in page and "请先邀请一位店主或财务" in page
    assert "提交导出申请" not in page
    # A form sent all the same waits for somebody who is not there, and can be taken back.
    url = location(owner.post("/admin/batches/1/exports", {"reason": "交给门店", "all": "1"}))
    owner.post(f"{url}/approval")
    assert "自己申请的导出要由另一个人批准" in words(owner.get(url))
    assert location(owner.post(f"{url}/cancellation")) == url
    assert "已撤回" in words(owner.get(url))
    assert transaction(lambda: exporting.find(1)).quantity is None
