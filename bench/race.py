"""The last items: 100 buyers at once want 20."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from bench import shop
from bench.buyer import Buyer, Connection
from bench.table import Figure

STOCK, BUYERS = 20, 100


def run(_scale: float) -> list[Figure]:
    with shop.serving(codes=STOCK) as web:
        together = Barrier(BUYERS)

        def try_to_buy(number: int) -> tuple[int, bool]:
            buyer = Buyer(Connection(web.port), number)
            buyer.get("/")
            together.wait()
            status, _, page = buyer.place(web.slug)
            return status, "库存不足".encode() in page or "暂时缺货".encode() in page

        begin = time.perf_counter()
        with ThreadPoolExecutor(BUYERS) as pool:
            answers = list(pool.map(try_to_buy, range(BUYERS)))
        seconds = time.perf_counter() - begin
    sold = sum(status == 303 for status, _ in answers)
    told = sum(status in (409, 422) and polite for status, polite in answers)
    return [
        Figure(
            f"last-item race: stock {STOCK}, {BUYERS} buyers",
            f"{sold} sold, {told} told so, {seconds:.1f} s",
            "20 sold, 80 told so, < 5 s",
        )
    ]
