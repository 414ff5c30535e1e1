"""What customers do on app, web, WeChat, at the branch, the machine and by telephone; and what the bank pushes to them."""

from __future__ import annotations

import numpy as np

from jobs.simulate import catalogue as c
from jobs.simulate.columns import Rows, joined
from jobs.simulate.draws import NEVER, Ints, chance, choice
from jobs.simulate.scene import Scene, fade_progress

EVENT_COLUMNS = ("day", "second", "customer", "channel", "type", "function", "device")
VIEWS_PER_LOGIN = 1.15
CLOSING_SHARE = 0.1  # of what a customer views on the last day before silence
TRANSACT_SHARE = 0.55  # of a customer's own transactions leave a channel event
FUNCTION_OF_TYPE = {c.TRANSFER: 3, c.PURCHASE: 4, c.WEALTH_BUY: 5, c.WEALTH_SELL: 5, c.PLAN_INSTALMENT: 6, c.LOAN_PAYMENT: 7, c.CARD_PAYMENT: 8,
                    c.CASH_DEPOSIT: c.CASH, c.CASH_WITHDRAWAL: c.CASH}  # fmt: skip


def channel_events(scene: Scene, posted: Rows) -> Rows:
    """The month's events of the block, one a row; `customer` is the position in the block."""
    parts = [*_sessions(scene), _transactions(scene, posted), *_service(scene), *_pushes(scene), _complaints(scene)]
    rows = joined(parts, EVENT_COLUMNS)
    inside = (rows["day"] >= scene.month.delivered_from) & (rows["day"] <= scene.month.delivered_to)
    return {name: values[inside] for name, values in rows.items()}


def _event(scene: Scene, who: Ints, day: Ints, *, second: Ints, channel: Ints, kind: int, function: Ints | int = -1) -> Rows:
    online = np.isin(channel, (c.APP, c.WEB, c.WECHAT))
    device = (scene.people.first_customer + who) * 100 + scene.book.device[who, c.DEMAND] * 3 + np.minimum(channel, 2)
    columns = {"day": day, "second": second, "customer": who, "channel": channel, "type": kind, "function": function,
               "device": np.where(online, device, -1)}  # fmt: skip
    return {name: np.broadcast_to(np.asarray(values, dtype=np.int64), (who.size,)) for name, values in columns.items()}


def _sessions(scene: Scene) -> list[Rows]:
    people, rng = scene.people, scene.rng
    # Interest goes before business does: sessions fall twice as fast as transactions.
    who, day = scene.happenings(people.logins * (0.1 + 1.2 * scene.digital) * scene.activity)
    second = scene.seconds(who.size)
    channel = scene.channels(who, remote_only=True)
    login = _event(scene, who, day, second=second, channel=channel, kind=c.LOGIN, function=0)
    look = np.repeat(np.arange(who.size), rng.poisson(VIEWS_PER_LOGIN, who.size))
    function = choice(rng, c.VIEW_SHARE, look.size)
    leaving = chance(rng, CLOSING_SHARE * fade_progress(people, scene.month.last)[who[look]], look.size)
    view = _event(scene, who[look], day[look], second=np.minimum(second[look] + rng.integers(8, 240, look.size), 82_799), channel=channel[look],
                  kind=c.VIEW, function=np.where(leaving, c.CLOSE_ACCOUNT, function))  # fmt: skip
    return [login, view, _new_devices(scene)]


def _new_devices(scene: Scene) -> Rows:
    who, day = scene.happenings(np.full(scene.people.size, 0.012))
    who, first = np.unique(who, return_index=True)
    scene.book.device[who, c.DEMAND] = np.minimum(scene.book.device[who, c.DEMAND] + 1, 30)
    return _event(
        scene, who, day[first], second=scene.seconds(who.size), channel=np.full(who.size, c.APP), kind=c.DEVICE_CHANGE, function=10
    )


def _transactions(scene: Scene, posted: Rows) -> Rows:
    own = np.flatnonzero((posted["by"] == c.CUSTOMER) & (posted["channel"] >= 0))
    own = own[chance(scene.rng, TRANSACT_SHARE, own.size)]
    function = np.full(len(c.TYPES), 3)
    for kind, name in FUNCTION_OF_TYPE.items():
        function[kind] = name
    return _event(scene, posted["customer"][own], posted["day"][own], second=np.maximum(posted["second"][own] - 2, -3600),
                  channel=posted["channel"][own], kind=c.TRANSACT, function=function[posted["type"][own]])  # fmt: skip


def _service(scene: Scene) -> list[Rows]:
    who, day = scene.happenings(0.3 * (1.1 - scene.digital))
    branch = _event(scene, who, day, second=scene.seconds(who.size, office=True), channel=np.full(who.size, c.BRANCH), kind=c.SERVICE,
                    function=np.where(chance(scene.rng, 0.5, who.size), c.QUEUE, 2))  # fmt: skip
    asks, asks_day = scene.happenings(np.full(scene.people.size, 0.06))
    channel = np.where(chance(scene.rng, 0.6, asks.size), c.CALL, c.APP)
    enquiry = _event(scene, asks, asks_day, second=scene.seconds(asks.size, office=True), channel=channel, kind=c.ENQUIRY,
                     function=choice(scene.rng, c.VIEW_SHARE, asks.size))  # fmt: skip
    return [branch, enquiry]


def _pushes(scene: Scene) -> list[Rows]:
    people, rng = scene.people, scene.rng
    present = (people.open_day < scene.month.first) & people.marketing & (people.dormant_since >= NEVER) & (people.archetype != c.PROSPECT)
    present &= (scene.month.first < people.silent_day + 200) & (people.digital_bias > -0.5)
    who = np.repeat(scene.everyone, present * (rng.random(people.size) < 0.6))
    day = scene.days(who.size, weights=np.ones(scene.month.days))
    second = rng.integers(9 * 3600, 19 * 3600, who.size)
    channel = np.where(people.mobile[who] % 3 == 0, c.WECHAT, c.APP)
    sent = _event(scene, who, day, second=second, channel=channel, kind=c.PUSH_SENT)
    opened = np.flatnonzero(chance(rng, 0.3 * scene.activity[who], who.size) & scene.awake(who, day))
    later = np.minimum(second[opened] + rng.integers(30, 9_000, opened.size), 82_799)
    return [sent, _event(scene, who[opened], day[opened], second=later, channel=channel[opened], kind=c.PUSH_OPENED)]


def _complaints(scene: Scene) -> Rows:
    leaving = fade_progress(scene.people, scene.month.last) > 0
    who, day = scene.happenings(np.where(leaving, 0.12, 0.006))
    channel = np.where(chance(scene.rng, 0.7, who.size), c.CALL, c.BRANCH)
    return _event(scene, who, day, second=scene.seconds(who.size, office=True), channel=channel, kind=c.COMPLAINT, function=14)
