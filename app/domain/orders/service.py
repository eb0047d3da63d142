"""What staff and buyers do with an order besides paying it."""

from datetime import date

from app.core import audit, clock, ids
from app.core.crypto import Secret
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import later
from app.core.states import move
from app.domain.orders import queries, settling
from app.domain.orders.models import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    Problem,
    ProblemState,
    Verdict,
)
from app.domain.vault import service as vault

TEXT_LIMIT = 1000
# It stands in an index, which takes no long text.
TRADE_NUMBER_LIMIT = 64


def confirm_paid(payment_id: int, trade_number: str, amount: int, today: date) -> Verdict:
    """Staff saw a transfer on the bank statement: it goes through the same door as a callback.

    `trade_number` is the bank's; one transfer pays one payment. Raises Refusal.
    """
    payment = session.get(Payment, payment_id)
    if payment is None:
        raise NotFound
    trade_number = trade_number.strip()
    if not 4 <= len(trade_number) <= TRADE_NUMBER_LIMIT:
        raise Refusal(
            N_("请填写银行流水号，4 到 %(most)s 位"), field="trade_number", most=TRADE_NUMBER_LIMIT
        )
    if payment.channel != "transfer":
        raise Conflict(N_("这笔付款由渠道确认，请用“向渠道查询”"))
    if queries.payment_of_trade(payment.channel, trade_number) not in (None, payment.id):
        raise Refusal(N_("这个流水号已经用在另一笔付款上"), field="trade_number")
    audit.record(
        "payment.confirm",
        "payments",
        payment.id,
        amount=amount,
        trade_number=trade_number,
        order_state=queries.lock(payment.order_id).state.value,
    )
    receipt = settling.Receipt(
        channel=payment.channel,
        event_id=f"staff:{trade_number}",
        number=payment.number,
        trade_number=trade_number,
        amount=amount,
        currency=payment.currency,
        payer="",
        source="staff",
    )
    verdict = settling.settle(receipt, today)
    if verdict == Verdict.ALREADY:
        raise Conflict(N_("这笔付款已经确认过了"))
    return verdict


def ask_channel(order_id: int) -> None:
    """Staff or a waiting buyer want to know now: ask the channel about each payment."""
    for payment in queries.payments_of(order_id):
        if payment.state in (PaymentState.PENDING, PaymentState.CLOSED):
            later("app.domain.orders.jobs.verify", payment.id)


def deliver_again(order_id: int, today: date) -> None:
    """Staff resend: a paid order that was not delivered is delivered now. Raises Conflict."""
    order = queries.lock(order_id)
    if order.state not in (OrderState.PAID, OrderState.FULFILLING):
        raise Conflict(N_("这个订单没有待发的内容"))
    audit.record("order.deliver", "orders", order.id)
    try:
        settling.deliver(order, today)
    except vault.Shortfall:
        raise Conflict(N_("库存不足，请先补货再发货")) from None


def new_link(order_id: int) -> Secret:
    """A new secret for the order's link; the one before stops working."""
    order = queries.lock(order_id)
    token = ids.token()
    order.token_hash = ids.hash_token(token)
    audit.record("order.link", "orders", order.id)
    session.flush()
    return Secret(token)


def holding_of(order: Order, line: OrderLine) -> vault.Holding:
    """Whose codes a line's codes are."""
    return vault.Holding(line.id, line.product_id, line.quantity, order.contact_index)


def replace_code(order_id: int, code_id: int, line_id: int, reason: str, today: date) -> None:
    """Void a bad code and give the buyer another; raises Refusal, Conflict, NotFound."""
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明更换原因"), field="reason")
    order = queries.lock(order_id)
    for line in queries.lines_of(order.id):
        if line.id == line_id:
            vault.replace(code_id, holding_of(order, line), today, reason=reason.strip())
            return
    raise NotFound


def report_problem(order_id: int, text: str) -> Problem:
    """The buyer says what is wrong; raises Refusal. One open problem an order is added to."""
    text = text.strip()
    if not 2 <= len(text) <= TEXT_LIMIT:
        raise Refusal(N_("请用 2 到 %(most)s 个字说明问题"), field="text", most=TEXT_LIMIT)
    queries.lock(order_id)
    open_one = queries.open_problem(order_id)
    if open_one is not None:
        open_one.text = f"{open_one.text}\n{text}"[: TEXT_LIMIT * 4]
        return open_one
    problem = Problem(order_id=order_id, text=text)
    session.add(problem)
    session.flush()
    return problem


def answer_problem(problem_id: int, answer: str) -> None:
    """Staff answer, and the buyer reads it on her order page."""
    problem = session.get(Problem, problem_id, with_for_update=True)
    if problem is None:
        raise NotFound
    if not 2 <= len(answer.strip()) <= TEXT_LIMIT:
        raise Refusal(N_("请写下答复"), field="answer")
    problem.answer = answer.strip()
    problem.answered_at = clock.now()
    if problem.state == ProblemState.OPEN:
        move(problem, ProblemState.SOLVED)
    audit.record("problem.answer", "orders", problem.order_id)
