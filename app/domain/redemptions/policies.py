"""A product's rules of use: changing them makes a new version, and what was sold keeps its own."""

import sqlalchemy as sa

from app.core import audit
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, Refusal
from app.domain.catalog.models import REDEEMABLE, PolicyVersion, ProductKind
from app.domain.catalog.queries import lock_product, policy_of
from app.domain.redemptions.faults import faults
from app.domain.redemptions.validity import Policy


def set_policy(product_id: int, policy: Policy) -> PolicyVersion:
    """Sell under these rules from now on. Raises Refusal for the first fault, Conflict."""
    product = lock_product(product_id)
    if product.kind not in REDEEMABLE:
        raise Conflict(N_("这类商品没有使用规则"))
    for fault in faults(policy):
        raise fault
    if product.kind == ProductKind.MULTI and policy.uses_total is None:
        raise Refusal(N_("次卡要填写总次数"), field="uses_total")
    newest = policy_of(product_id)
    rules = policy.to_json()
    if newest is not None and newest.rules == rules:
        return newest
    version = PolicyVersion(
        product_id=product_id,
        version=newest.version + 1 if newest else 1,
        rules=rules,
        created_by=actor(),
    )
    session.add(version)
    session.flush()
    audit.record("policy.set", "products", product_id, version=version.version)
    return version


def current(product_id: int) -> Policy:
    """The rules under which a product is sold now."""
    version = policy_of(product_id)
    return Policy.from_json(version.rules) if version else Policy()


def versions_of(product_id: int) -> list[PolicyVersion]:
    """Every version there was, the newest first."""
    return list(
        session.scalars(
            sa.select(PolicyVersion)
            .where(PolicyVersion.product_id == product_id)
            .order_by(PolicyVersion.version.desc())
        )
    )
