"""Who a payee is for the tax office: entered by herself, seen masked, open only to report."""

import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from app.core import audit, clock, keys
from app.core.actors import actor
from app.core.crypto import Secret
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.identity_numbers import is_credit_code, is_resident_id, mask_number
from app.domain.catalog import preferences
from app.domain.channels.models import Distributor
from app.domain.payouts import queries
from app.domain.payouts.paper_models import IdentityKind, TaxMode, TaxProfile
from app.domain.payouts.rules import mask_holder

TEXT_LENGTH = 60
REASON_LEAST = 2
MOST_RATE = 4500
# Passports and permits of other places: letters and digits, nothing that can be checked.
OTHER_NUMBER = re.compile(r"[A-Z0-9]{5,20}")
PERSONAL = (TaxMode.INDIVIDUAL_PER_MONTH, TaxMode.INDIVIDUAL_CUMULATIVE, TaxMode.OUTSOURCED)


@dataclass(frozen=True)
class ProfileFields:
    """A tax profile as it was typed. A credit code makes it a company's; `is_resident` is hers to
    say, because a passport does not tell where she lives."""

    identity_kind: IdentityKind
    name: str = field(repr=False)
    identity: str = field(repr=False)
    is_resident: bool = True


def enter(distributor_id: int, typed: ProfileFields) -> TaxProfile:
    """The profile from now on; raises Refusal. The caller has made sure who she is."""
    fields = read(typed)
    queries.lock_distributor(distributor_id)
    return _replace(
        distributor_id, mode=_mode(fields), fields=fields, action="tax_profile.enter", reason=""
    )


def read(typed: ProfileFields) -> ProfileFields:
    """The fields in their one form; raises Refusal for the first that is wrong."""
    fields = ProfileFields(
        typed.identity_kind,
        _clean(typed.name),
        re.sub(r"[\s-]+", "", _clean(typed.identity)).upper(),
        # Whoever has a resident's number lives here for the tax office.
        typed.is_resident or typed.identity_kind == IdentityKind.RESIDENT_ID,
    )
    for fault in faults(fields):
        raise fault
    return fields


def faults(fields: ProfileFields) -> Iterator[Refusal]:
    """All that is wrong, each fault naming its field."""
    if not 2 <= len(fields.name) <= TEXT_LENGTH:
        yield Refusal(N_("请填写证件或执照上的全名"), field="name")
    kind = fields.identity_kind
    if kind == IdentityKind.RESIDENT_ID and not is_resident_id(fields.identity):
        yield Refusal(N_("身份证号不对，请逐位核对"), field="identity")
    elif kind == IdentityKind.CREDIT_CODE and not is_credit_code(fields.identity):
        yield Refusal(N_("统一社会信用代码不对，请逐位核对"), field="identity")
    elif not OTHER_NUMBER.fullmatch(fields.identity):
        yield Refusal(N_("证件号码是 5 到 20 位字母和数字，请核对"), field="identity")


def choose_mode(distributor_id: int, mode: TaxMode, rate_bp: int | None, reason: str) -> TaxProfile:
    """Staff say how she is taxed; `rate_bp` for a non-resident. Raises Refusal, Conflict."""
    if len(reason.strip()) < REASON_LEAST:
        raise Refusal(N_("请写明原因"), field="reason")
    queries.lock_distributor(distributor_id)
    profile = current(distributor_id)
    if profile is None:
        raise Conflict(N_("对方还没有填写税务资料"))
    is_company = profile.identity_kind == IdentityKind.CREDIT_CODE
    if (mode == TaxMode.BUSINESS_INVOICE) != is_company:
        raise Refusal(N_("凭发票结算只适用于公司与个体户，个人不适用"), field="mode")
    is_foreign = mode == TaxMode.NON_RESIDENT
    if is_foreign and (rate_bp is None or not 0 <= rate_bp <= MOST_RATE):
        raise Refusal(N_("请填写 0 到 45 之间的税率"), field="rate")
    return _replace(
        distributor_id,
        mode=mode,
        fields=ProfileFields(
            profile.identity_kind,
            name_of(profile).reveal(),
            identity_of(profile).reveal(),
        ),
        rate_bp=rate_bp if is_foreign else None,
        action="tax_profile.mode",
        reason=reason.strip(),
    )


def current(distributor_id: int) -> TaxProfile | None:
    """The profile she has now."""
    return session.scalar(
        sa.select(TaxProfile).where(
            TaxProfile.distributor_id == distributor_id, TaxProfile.replaced_at.is_(None)
        )
    )


def find(uid: str) -> tuple[Distributor, TaxProfile | None]:
    """A distributor for staff, by her uid, and her profile if she has one; raises NotFound."""
    holder = session.scalar(sa.select(Distributor).where(Distributor.uid == uid))
    if holder is None:
        raise NotFound(N_("没有找到这个分销商"))
    return holder, current(holder.id)


def same_person(profile: TaxProfile) -> Sequence[int]:
    """Distributors, in the order of ids, that were ever entered with this identity."""
    return session.scalars(
        sa.select(TaxProfile.distributor_id)
        .where(TaxProfile.identity_index == profile.identity_index)
        .distinct()
        .order_by(TaxProfile.distributor_id)
    ).all()


def name_of(profile: TaxProfile) -> Secret:
    """Her full name, for a statement or a report; raises Tampered."""
    return keys.open_personal(profile.name_sealed, "tax_profiles", "name", profile.uid)


def identity_of(profile: TaxProfile) -> Secret:
    """Her full number, for a report; raises Tampered."""
    return keys.open_personal(profile.identity_sealed, "tax_profiles", "identity", profile.uid)


def _mode(fields: ProfileFields) -> TaxMode:
    if fields.identity_kind == IdentityKind.CREDIT_CODE:
        return TaxMode.BUSINESS_INVOICE
    if not fields.is_resident:
        return TaxMode.NON_RESIDENT
    is_platform = preferences.get().is_platform
    return TaxMode.INDIVIDUAL_CUMULATIVE if is_platform else TaxMode.INDIVIDUAL_PER_MONTH


def _replace(
    distributor_id: int,
    *,
    mode: TaxMode,
    fields: ProfileFields,
    action: str,
    reason: str,
    rate_bp: int | None = None,
) -> TaxProfile:
    before, now = current(distributor_id), clock.now()
    if before is not None:
        before.replaced_at = now
        # First none is current, then one: at no moment are there two.
        session.flush()
    uid, kind = secrets.token_hex(8), fields.identity_kind
    profile = TaxProfile(
        uid=uid,
        distributor_id=distributor_id,
        mode=mode,
        name_sealed=keys.seal_personal(fields.name, "tax_profiles", "name", uid),
        name_masked=mask_holder(fields.name),
        identity_kind=kind,
        identity_sealed=keys.seal_personal(fields.identity, "tax_profiles", "identity", uid),
        identity_masked=mask_number(fields.identity),
        identity_index=keys.index("tax_identity", f"{kind}:{fields.identity}"),
        rate_bp=rate_bp,
        created_by=actor(),
        created_at=now,
    )
    session.add(profile)
    session.flush()
    audit.record(
        action,
        "tax_profiles",
        profile.id,
        reason=reason,
        mode=[str(before.mode) if before else "", str(mode)],
        rate_bp=rate_bp,
    )
    return profile


def _clean(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text)
    return "".join(one for one in folded if unicodedata.category(one) not in ("Cc", "Cf")).strip()
