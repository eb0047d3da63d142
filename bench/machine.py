"""What this machine can do when nothing of ours stands in the way."""

import subprocess
from functools import cache

from bench import shop

# One sale, as bare as it can be: take a row of stock, write an order, two entries, two balances.
SCHEMA = """
CREATE TABLE stock (id serial PRIMARY KEY, state int NOT NULL DEFAULT 0);
CREATE TABLE sales (id serial PRIMARY KEY, stock_id int NOT NULL, at timestamptz DEFAULT now());
CREATE TABLE entries (id serial PRIMARY KEY, sale_id int NOT NULL, amount int NOT NULL);
CREATE TABLE balances (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO stock (state) SELECT 0 FROM generate_series(1, 200000);
INSERT INTO balances VALUES (1, 0), (2, 0);
CREATE INDEX ON stock (id) WHERE state = 0;
"""
SALE = """
BEGIN;
UPDATE stock SET state = 1 WHERE id = (
    SELECT id FROM stock WHERE state = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id AS s \\gset
INSERT INTO sales (stock_id) VALUES (:s) RETURNING id AS n \\gset
INSERT INTO entries (sale_id, amount) VALUES (:n, 100), (:n, -100);
UPDATE balances SET balance = balance + 100 WHERE id = 1;
UPDATE balances SET balance = balance - 100 WHERE id = 2;
COMMIT;
"""


@cache
def sales_per_second(clients: int, seconds: int = 5) -> float:
    """Sale transactions a second of pgbench with prepared statements."""
    server = shop.postgres()
    with shop.database() as url:
        name = shop.name_of(url)
        with server.connect(name) as connection:
            connection.execute(SCHEMA)
        command = [str(server.programs / "pgbench"), "-n", "-M", "prepared", "-f", "-"]
        command += ["-c", str(clients), "-j", "2", "-T", str(seconds)]
        command += ["-h", str(server.directory), "-U", "postgres", name]
        done = subprocess.run(command, input=SALE, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])
