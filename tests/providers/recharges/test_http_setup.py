"""A setup that could make the shop guess is refused, and says which field is wrong."""

from datetime import timedelta

import pytest

from app.providers.recharges.http import Http
from app.providers.recharges.http_fields import DEFAULTS, FIELDS
from app.providers.recharges.interface import BadConfiguration, Configuration
from tests.providers.recharges.setups import DAYUANREN, KASHANGWL, KEY, made

NO_PEM = "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("setup", [DAYUANREN, KASHANGWL])
def test_the_setups_of_real_suppliers_are_good(setup: dict[str, str]) -> None:
    adapter = made(setup)

    assert not adapter.takes_number_once
    assert adapter.not_found_is_final_after == timedelta(minutes=30)


def test_what_a_merchant_knows_of_her_supplier_counts() -> None:
    adapter = made(DAYUANREN, takes_number_once="yes", not_found_minutes="1")

    assert adapter.takes_number_once
    assert adapter.not_found_is_final_after == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *[({field.name: ""}, field.name) for field in FIELDS if field.is_required],
        *[({field.name: "other"}, field.name) for field in FIELDS if field.choices],
        ({"key": ""}, "key"),
        ({"sign_kind": "rsa-sha256", "sign_key_at": "nowhere"}, "key"),
        ({"sign_kind": "rsa-sha256", "sign_key_at": "nowhere", "key": NO_PEM}, "key"),
        ({"sign_key_at": "nowhere"}, "sign_key_at"),
        ({"sign_key_name": ""}, "sign_key_name"),
        ({"sign_field": ""}, "sign_field"),
        ({"sign_field": "a b"}, "sign_field"),
        ({"sign_header": "X Sign"}, "sign_header"),
        ({"sign_header": "X:\r\nY"}, "sign_header"),
        ({"submit_url": "http:/127.0.0.1"}, "submit_url"),
        ({"submit_url": "https://{merchant}.example/"}, "submit_url"),
        ({"submit_url": "http://a.example\\{sku}/"}, "submit_url"),
        ({"submit_url": "http://a.example:{sku}/"}, "submit_url"),
        ({"query_url": "{base}/{account}"}, "query_url"),
        ({"submit_url": "{base}/{"}, "submit_url"),
        ({"balance_url": "{base}/{number}"}, "balance_url"),
        ({"submit_fields": "to={account}"}, "submit_fields"),
        ({"submit_fields": "no={number}"}, "submit_fields"),
        ({"submit_fields": "no={number}\nno={account}"}, "submit_fields"),
        ({"submit_fields": "no={number}\n{account}"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={account}\nsign=x"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={account.__class__}"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={account!r}"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={account:>9}"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={}{account}"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={account}}"}, "submit_fields"),
        ({"submit_fields": "no:int={number}\nto={account}"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={account}\nx:int=y"}, "submit_fields"),
        ({"submit_fields": "no={number}\nto={account}\nx:float=1"}, "submit_fields"),
        ({"query_fields": "userid={merchant}"}, "query_fields"),
        ({"query_fields": "no={number}\nto={account}"}, "query_fields"),
        ({"ok_codes": ""}, "ok_codes"),
        ({"refused_codes": "0"}, "refused_codes"),
        ({"not_found_codes": "2001"}, "not_found_codes"),
        ({"refused_states": "1"}, "refused_states"),
        ({"not_found_states": "0"}, "not_found_states"),
        ({"state_path": "data..state"}, "state_path"),
        ({"state_path": "data. state"}, "state_path"),
        ({"not_found_minutes": "0"}, "not_found_minutes"),
        ({"not_found_minutes": "1.5"}, "not_found_minutes"),
        ({"not_found_minutes": "99999"}, "not_found_minutes"),
        ({"callback_number": ""}, "callback_number"),
        ({"callback_state": ""}, "callback_state"),
        ({"sign_kind": "none"}, "callback_format"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, str], field: str) -> None:
    with pytest.raises(BadConfiguration) as fault:
        made(DAYUANREN, **change)

    assert fault.value.field == field
    assert KEY not in str(fault.value)
    assert "nonsense" not in str(fault.value)


def test_rsa_callbacks_need_the_other_sides_key(rsa_pem: str) -> None:
    setup = {"sign_kind": "rsa-sha256", "sign_key_at": "nowhere", "key": rsa_pem}
    for callback_key in ("", NO_PEM):
        with pytest.raises(BadConfiguration) as fault:
            made(DAYUANREN, **setup, callback_key=callback_key)
        assert fault.value.field == "callback_key"
    made(DAYUANREN, **setup, callback_format="none")
    with pytest.raises(BadConfiguration) as fault:
        made(DAYUANREN, **setup | {"sign_key_at": "after"}, callback_format="none")
    assert fault.value.field == "sign_key_at"


@pytest.mark.parametrize(
    "base", ["http://supplier.example", "https://10.0.0.8", "https://supplier.example:22"]
)
def test_a_shop_in_production_calls_public_https_only(base: str) -> None:
    values = DEFAULTS | DAYUANREN
    values = {name: text.replace("{base}", base) for name, text in values.items()}

    with pytest.raises(BadConfiguration) as fault:
        Http(Configuration(values))

    assert fault.value.field == "submit_url"


def test_every_default_is_one_of_the_choices() -> None:
    assert len(DEFAULTS) == len(FIELDS)
    for field in FIELDS:
        assert not field.choices or field.default in field.choices
        assert not (field.is_secret and field.default)
