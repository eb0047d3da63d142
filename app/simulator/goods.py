"""What the provider sells: a short list, as a shop's demo needs it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """`cost` and `face_value` in minor units. Fulu's product ids are whole numbers, so ours are."""

    sku: str
    name: str
    cost: int
    face_value: int
    is_available: bool = True


GOODS = {
    item.sku: item
    for item in (
        Item("10000101", "影视会员月卡", 1260, 2500),
        Item("10000102", "影视会员年卡", 13800, 25800),
        Item("10000201", "话费充值 30 元", 2955, 3000),
        Item("10000202", "话费充值 50 元", 4925, 5000),
        Item("10000203", "话费充值 100 元", 9850, 10000),
        Item("10000301", "音乐会员年卡", 8800, 16800),
        Item("10000401", "游戏点券 100 点", 930, 1000),
        Item("10000402", "游戏点券 500 点", 4650, 5000),
        Item("10000501", "网盘会员季卡", 4500, 6600, is_available=False),
    )
}
