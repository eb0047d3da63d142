"""Demo data: a small shop to click through, with people, distributors, products and codes.

The codes are made up, sealed as soon as they exist, and written nowhere else. The sign-ins are new
for every shop; they stand in `demo.json`, which only its owner can read.
"""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pyotp
import sqlalchemy as sa
from flask import current_app

from app import demo_distributors
from app.core import clock, keys
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.states import move
from app.demo_distributors import DISTRIBUTOR
from app.domain.accounts import passwords, second_factor
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role
from app.domain.catalog import offers, preferences
from app.domain.catalog import service as catalog
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.rules import ProductFields
from app.domain.recharges import providers as recharge_providers
from app.domain.recharges.providers import ProviderFields
from app.domain.redemptions import policies
from app.domain.redemptions.validity import Anchor, Policy
from app.domain.vault import batches, canaries, own_codes, storing
from app.domain.vault.batches import BatchDetails
from app.domain.vault.models import BatchState
from app.domain.vault.rules import Content
from app.settings import Settings

OWNER = "owner@example.com"
BUYER = "13800138000"


@dataclass(frozen=True)
class Line:
    """One demo product and how many codes are on its shelf."""

    category: str
    fields: dict[str, Any]
    codes: int
    unit_cost: int
    # For what is recharged: its number at the simulated provider.
    sku: str = ""
    policy: Policy | None = None


CATEGORIES = ("影音会员", "手机充值", "游戏点卡", "学习办公", "生活礼品")
# Card codes first: who looks at the shop for the first time buys the first thing she sees.
LINES = (
    Line(
        "影音会员",
        {
            "name": "星河视频会员 月卡",
            "price": 1590,
            "compare_at": 2500,
            "summary": "付款后立即得到兑换码，一个月高清无广告",
            "description": "全站高清，手机、平板、电脑、电视通用。\n\n"
            "到账后从当天起算 31 天，可以叠加。",
            "instructions": "1. 打开星河视频 App，进入“我的 → 兑换中心”\n"
            "2. 粘贴兑换码，点“立即兑换”\n3. 会员当场生效",
            "use_url": "https://redeem.example.com/galaxy",
        },
        160,
        1120,
    ),
    Line(
        "影音会员",
        {
            "name": "星河视频会员 年卡",
            "price": 16800,
            "compare_at": 25800,
            "summary": "一年高清无广告，比月卡省三成",
            "description": "到账后从当天起算 366 天。",
            "instructions": "进入“我的 → 兑换中心”，粘贴兑换码即可。",
            "use_url": "https://redeem.example.com/galaxy",
            "max_per_buyer": 3,
        },
        40,
        13200,
    ),
    Line(
        "影音会员",
        {
            "name": "青柠音乐 季卡",
            "price": 3800,
            "compare_at": 4500,
            "summary": "无损音质，三个月",
            "description": "手机、车机、音箱同时在线。",
            "instructions": "在青柠音乐“设置 → 兑换”里输入兑换码。",
            "use_url": "https://redeem.example.com/lime",
        },
        80,
        2900,
    ),
    Line(
        "游戏点卡",
        {
            "name": "云端点卡 100 元",
            "price": 9650,
            "compare_at": 10000,
            "summary": "面值 100 元，全平台游戏通用",
            "description": "可在云端平台的所有游戏里使用，不找零，不过期。",
            "instructions": "登录云端平台，进入“钱包 → 使用点卡”，填写卡号。",
            "use_url": "https://redeem.example.com/cloud",
            "max_per_order": 20,
        },
        200,
        9200,
    ),
    Line(
        "游戏点卡",
        {
            "name": "云端点卡 30 元",
            "price": 2920,
            "compare_at": 3000,
            "summary": "面值 30 元，小额试试水",
            "description": "可在云端平台的所有游戏里使用。",
            "instructions": "登录云端平台，进入“钱包 → 使用点卡”，填写卡号。",
            "use_url": "https://redeem.example.com/cloud",
            "max_per_order": 20,
        },
        6,
        2750,
    ),
    Line(
        "学习办公",
        {
            "name": "墨迹文档 专业版 一年",
            "price": 12900,
            "compare_at": 19800,
            "summary": "激活码，支持三台设备",
            "description": "适用 Windows、macOS 和 iPad,激活后一年内免费升级。",
            "instructions": "打开墨迹文档，点“帮助 → 激活”，粘贴激活码。",
            "use_url": "https://redeem.example.com/ink",
        },
        60,
        8800,
    ),
    Line(
        "学习办公",
        {
            "name": "每日听书 半年卡",
            "price": 8800,
            "summary": "两万本有声书，半年畅听",
            "description": "到账后从兑换当天起算 183 天。",
            "instructions": "在每日听书“我的 → 兑换码”里输入。",
            "use_url": "https://redeem.example.com/book",
        },
        50,
        6100,
    ),
    Line(
        "手机充值",
        {
            "name": "手机话费 50 元",
            "price": 4980,
            "compare_at": 5000,
            "summary": "三网通用，付款后直接到账",
            "description": "移动、联通、电信都可以充。通常一分钟内到账，失败自动退款。",
            "kind": ProductKind.RECHARGE,
            "account_format": AccountFormat.PHONE,
            "max_per_order": 1,
        },
        0,
        4925,
        sku="10000202",
    ),
    Line(
        "影音会员",
        {
            "name": "星河视频会员 直充月卡",
            "price": 1590,
            "compare_at": 2500,
            "summary": "填手机号直接开通，不用兑换",
            "description": "付款后会员直接加到这个手机号的账号上，可以叠加。",
            "kind": ProductKind.RECHARGE,
            "account_format": AccountFormat.PHONE,
            "account_label": "星河视频手机号",
            "max_per_order": 3,
        },
        0,
        1260,
        sku="10000101",
    ),
    Line(
        "影音会员",
        {
            "name": "青柠音乐 年卡兑换码",
            "price": 9800,
            "compare_at": 16800,
            "summary": "自己用或送人，一点就充到账号",
            "description": "收到兑换码后，填手机号就能开通一年。也可以把兑换链接发给朋友。",
            "kind": ProductKind.REDEEM,
            "account_format": AccountFormat.PHONE,
        },
        30,
        8800,
        sku="10000301",
        policy=Policy(anchor=Anchor.SOLD, duration="P1Y"),
    ),
    Line(
        "生活礼品",
        {
            "name": "街角健身 10 次卡",
            "price": 29900,
            "compare_at": 39900,
            "summary": "到店出示二维码，一次扣一次",
            "description": "街角健身三家门店通用。首次到店后三个月内用完。",
            "kind": ProductKind.MULTI,
            "max_per_order": 5,
        },
        30,
        0,
        policy=Policy(anchor=Anchor.FIRST_USED, duration="P3M", uses_total=10, uses_per_day=2),
    ),
    Line(
        "学习办公",
        {
            "name": "纸间自习室 月卡",
            "price": 19900,
            "summary": "首次入座起一个月，每天 7 点到 23 点",
            "description": "任选空位，含热水与无线网络。",
            "kind": ProductKind.PERIOD,
        },
        20,
        0,
        policy=Policy(anchor=Anchor.FIRST_USED, duration="P1M", hours=((time(7), time(23)),)),
    ),
    Line(
        "生活礼品",
        {
            "name": "一杯咖啡 电子券",
            "price": 1900,
            "compare_at": 2800,
            "summary": "全国门店任选中杯，到店出示",
            "description": "有效期 90 天。送人的话，把订单里的券码发给 TA 就好。",
            "instructions": "到店点单时告诉店员用券，出示券码即可。",
            "use_url": "https://redeem.example.com/coffee",
            "max_per_order": 5,
        },
        0,
        1350,
    ),
)


def make(say: Callable[[str], None]) -> bool:
    """Fill an empty shop; False, and nothing changed, when it has people or products already."""
    if session.scalar(sa.select(Person.id).limit(1)) or session.scalar(
        sa.select(Product.id).limit(1)
    ):
        session.rollback()
        return False
    say("people")
    sign_ins = {name: secrets.token_urlsafe(12) for name in (OWNER, BUYER, DISTRIBUTOR)}
    hashes = {name: passwords.hash(Secret(word)) for name, word in sign_ins.items()}
    totp = pyotp.random_base32()
    transaction(lambda: _fill(hashes, Secret(totp), say))
    settings: Settings = current_app.config["SETTINGS"]
    _write(
        settings.data_dir / "demo.json",
        {
            "url": settings.base_url,
            "admin": {"login": OWNER, "password": sign_ins[OWNER], "totp_secret": totp},
            "buyer": {"login": BUYER, "password": sign_ins[BUYER]},
            "distributor": {"login": DISTRIBUTOR, "password": sign_ins[DISTRIBUTOR]},
        },
    )
    return True


def _fill(hashes: dict[str, str], totp: Secret, say: Callable[[str], None]) -> None:
    owner = accounts.create(
        Contact.parse(OWNER), name="店主", role=Role.OWNER, password_hash=hashes[OWNER]
    )
    second_factor.adopt(owner, totp)
    accounts.create(Contact.parse(BUYER), name="小满", password_hash=hashes[BUYER])
    preferences.change(
        {
            "name": "硬架小店",
            "support": "客服微信：yingjia_demo（每天 9:00–21:00）",
            "bank_account": "收款人：硬架小店\n开户行：示例银行上海分行\n账号：6222 0000 0000 0000",
        }
    )
    providers = _add_providers()
    categories = {name: catalog.create_category(name).id for name in CATEGORIES}
    shelf = []
    for position, line in enumerate(LINES):
        say(line.fields["name"])
        product = catalog.create_product(
            ProductFields(**line.fields, category_id=categories[line.category], position=position)
        )
        if line.policy is not None:
            policies.set_policy(product.id, line.policy)
        for priority, provider in enumerate(providers if line.sku else (), 1):
            offers.add_offer(product.id, OfferFields(provider, line.sku, line.unit_cost, priority))
        catalog.put_on_sale(product.id)
        if line.codes:
            _stock(product, line)
        shelf.append(product)
    demo_distributors.add(hashes[DISTRIBUTOR], shelf)


def _add_providers() -> list[int]:
    """The simulated provider, by each of the protocols that it speaks; none without it."""
    settings: Settings = current_app.config["SETTINGS"]
    if not settings.simulator_url:
        return []
    plain = {
        "url": settings.simulator_url,
        "merchant": settings.simulator_merchant,
        "key": settings.simulator_key,
    }
    fulu = {
        "url": f"{settings.simulator_url}/fulu/api/getway",
        "app_key": settings.simulator_merchant,
        "app_secret": settings.simulator_key[:32],
    }
    wanted = (
        ProviderFields("simulator", "模拟供应商", "simulator", plain, low_balance_at=100_000),
        ProviderFields("fulu", "福禄（模拟）", "fulu", fulu, low_balance_at=100_000),
    )
    return [recharge_providers.create(fields).id for fields in wanted]


def _stock(product: Product, line: Line) -> None:
    details = BatchDetails(
        name=f"{clock.now():%Y-%m} 首批",
        supplier="示例供应商",
        # Our own codes cost nothing: what they are good for does, when it is delivered.
        unit_cost=0 if line.sku else line.unit_cost,
        expires_on=(clock.now() + timedelta(days=365)).date(),
    )
    key_id = keys.create(keys.KeyPurpose.BATCH).id
    batch = batches.create(product.id, details, key_id, is_generated=True)
    codes = [
        storing.new_code(Content(code), case_sensitive=True)
        for code in own_codes.generate(line.codes)
    ]
    like = canaries.Likeness(are_own=True, case_sensitive=True)
    planted = storing.seal(batch, canaries.make(batch.uid.hex(), (0, 1), codes, like))
    storing.store(batch.id, storing.seal(batch, codes) + planted)
    canaries.enlist(batch.id, planted)
    move(batch, BatchState.OPEN)


def _write(path: Path, demo: dict[str, object]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(demo, file, ensure_ascii=False, indent=2)
