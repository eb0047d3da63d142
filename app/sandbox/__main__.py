"""`python -m app.sandbox --port P --data FILE`; its merchant and key come from the environment."""

from app.outside.process import command
from app.sandbox.server import process

if __name__ == "__main__":
    command(__doc__, ("SANDBOX_MERCHANT", "SANDBOX_KEY"), process)
