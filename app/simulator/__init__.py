"""The recharge provider simulator: a process of its own, with its own database and no real money.

It speaks a plain protocol (`plain.py`) and that of Fulu (`fulu.py`), and behaves as real providers
do: a goods list, a deposit that goes down, orders that take a while, callbacks that are repeated
until they are answered, a day's statement. It misbehaves as the account's last four digits say, or
as asked on its control page (`faults.py`). What it executed stands in its own record, which would
take the same thing twice: that is the judge of "nothing is executed twice" (`record.py`).

It shares no line with the shop's adapters. Two sides that sign with the same code would agree on
the same mistake.
"""
