"""Money on its way to distributors: payout accounts, withdrawals, tax, settlement statements."""
