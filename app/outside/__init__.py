"""What the processes that play a part of the outside world have in common.

The sandbox payment channel and the recharge simulator are no part of the shop: each is a process of
its own with its own database, calls the merchant back until it is answered, misbehaves on request
(`faults.py`), and keeps the record of what really happened (`record.py`).
"""
