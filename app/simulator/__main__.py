"""`python -m app.simulator --port P --data FILE`; merchant and key come from the environment.

So does, if there is one, the address that Fulu's callbacks go to: SIMULATOR_NOTIFY_URL.
"""

from app.outside.process import command
from app.simulator.server import process

if __name__ == "__main__":
    command(__doc__, ("SIMULATOR_MERCHANT", "SIMULATOR_KEY"), process)
