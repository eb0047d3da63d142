"""What the provider's record has besides what all of them have: orders, and what was executed."""

# Moments are seconds since 1970; amounts are minor units. An order's number is taken once. What was
# executed is only ever added to, and no rule keeps a number from being there twice: if one were
# executed twice, it would show.
SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY,
    protocol TEXT NOT NULL CHECK (protocol IN ('plain', 'fulu')),
    reference TEXT NOT NULL UNIQUE,
    sku TEXT NOT NULL,
    account TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    cost INTEGER NOT NULL CHECK (cost >= 0),
    notify_url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('processing', 'delivered', 'failed')),
    serial TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    taken_at REAL NOT NULL,
    ends_at REAL,
    ended_at REAL);
CREATE INDEX IF NOT EXISTS orders_due ON orders (ends_at) WHERE ends_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_taken_at ON orders (taken_at);
CREATE TABLE IF NOT EXISTS executions (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL,
    reference TEXT NOT NULL,
    sku TEXT NOT NULL,
    account TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS executions_of_number ON executions (number);
CREATE TRIGGER IF NOT EXISTS executions_stay BEFORE DELETE ON executions
    BEGIN SELECT raise(ABORT, 'what was executed was executed'); END;
CREATE TRIGGER IF NOT EXISTS executions_are_final BEFORE UPDATE ON executions
    BEGIN SELECT raise(ABORT, 'what was executed was executed'); END;
CREATE TABLE IF NOT EXISTS deposit (id INTEGER PRIMARY KEY CHECK (id = 1), amount INTEGER NOT NULL);
INSERT OR IGNORE INTO deposit (id, amount) VALUES (1, 10000000);
CREATE TABLE IF NOT EXISTS drawn (account TEXT PRIMARY KEY, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS conditions (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    wanted TEXT NOT NULL);
"""
