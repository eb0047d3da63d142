"""The sandbox payment channel: a process of its own, with its own database and play money.

It behaves as a real channel does: a pay page, signed callbacks that are repeated until they are
answered, and a signed API for queries, closing and refunds. On request it misbehaves as real ones
do (`faults.py`). Its own record says what really happened (`control.py`).
"""
