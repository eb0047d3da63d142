"""What the channel's record has besides what all of them have: trades, refunds, remittances and
payouts."""

from app.sandbox import payouts

# Moments are seconds since 1970; amounts are minor units. A trade without an amount was closed
# before anybody opened it: nobody can pay it any more.
SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS trades (
    number TEXT PRIMARY KEY,
    trade_number TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('unpaid', 'paid', 'closed')),
    amount INTEGER NOT NULL DEFAULT 0,
    currency TEXT NOT NULL DEFAULT '',
    notify_url TEXT NOT NULL DEFAULT '',
    paid INTEGER NOT NULL DEFAULT 0,
    opened_at REAL NOT NULL,
    closed_at REAL,
    paid_at REAL);
CREATE INDEX IF NOT EXISTS trades_paid_at ON trades (paid_at);
CREATE TABLE IF NOT EXISTS refunds (
    number TEXT PRIMARY KEY,
    payment_number TEXT NOT NULL REFERENCES trades,
    amount INTEGER NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'refused')),
    ends_as TEXT NOT NULL CHECK (ends_as IN ('succeeded', 'refused')),
    asks_left INTEGER NOT NULL,
    reason TEXT NOT NULL,
    asked_at REAL NOT NULL,
    settled_at REAL);
CREATE INDEX IF NOT EXISTS refunds_of_payment ON refunds (payment_number);
CREATE INDEX IF NOT EXISTS refunds_settled_at ON refunds (settled_at);
CREATE TABLE IF NOT EXISTS remittances (
    number TEXT PRIMARY KEY,
    amount INTEGER NOT NULL CHECK (amount > 0),
    fee INTEGER NOT NULL CHECK (fee >= 0 AND fee <= amount),
    sent_at REAL NOT NULL);
"""
    + payouts.SCHEMA
)
