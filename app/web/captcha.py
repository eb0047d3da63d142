"""The captcha in a form: what the page shows, what the form brings back, whose browser it is."""

from dataclasses import dataclass

from flask import after_this_request, request

from app.domain.risk import proofs
from app.domain.risk.models import Checkpoint
from app.domain.risk.proofs import Proof
from app.domain.risk.visits import Visit
from app.web import client, devices

CHALLENGE_LENGTH = 200


@dataclass(frozen=True)
class Captcha:
    """What a form shows: its script does the work, or she waits so many seconds."""

    challenge: str
    number: str
    seconds: int
    bits: int


def browser() -> str:
    """The name of the browser that asks, which it keeps from now on."""
    device = devices.known()
    after_this_request(lambda response: devices.put(response, device))
    return device.name


def brought() -> Proof | None:
    """What the form brought, if it was asked for a captcha."""
    text = request.form.get("captcha", "")[:CHALLENGE_LENGTH]
    return Proof(text, request.form.get("captcha_number", "")[:20]) if text else None


def visit() -> Visit:
    """Where whoever asks acts from, and the captcha that she brought."""
    address = client.address()
    return Visit(address, client.network(address), browser(), brought())


def ask(purpose: Checkpoint, whom: str) -> Captcha:
    """A captcha for the form: the one that it has already, while that one can still be used."""
    proof = brought()
    if proof is not None and proofs.is_fresh(proof.challenge, purpose, whom):
        is_solved = proofs.is_solved(proof.challenge, proof.number)
        text, number = proof.challenge, proof.number if is_solved else ""
    else:
        text, number = proofs.challenge(purpose, whom), ""
    return Captcha(text, number, proofs.seconds_to_wait(text, purpose, whom), proofs.BITS)
