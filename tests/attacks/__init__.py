"""What attackers of this field do, done to a running shop over HTTP, with honest people beside it.

One file an attack. Each says what was tried, what got through beyond what the shop's settings
allow anybody, what it cost the attacker, and how many of the honest were troubled. An attacker
speaks HTTP alone; the database is opened only to lay the table before and to count after.
"""
