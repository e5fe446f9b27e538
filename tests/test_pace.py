"""Spacing and budgets, on a clock that sleeps no real time."""

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.connector import Rate
from jrr_core.pace import Budget, Spacing
from tests.toy import VirtualTime

_ROUNDING = 1e-6


@given(
    count=st.integers(1, 20),
    per_s=st.floats(0.1, 60),
    idle=st.lists(st.sampled_from([0.0, 0.0, 0.01, 1.0, 30.0]), max_size=20),
)
def test_spacing_never_lets_two_through_closer_than_the_interval(count: int, per_s: float, idle: list[float]) -> None:
    async def main(clock: VirtualTime) -> None:
        spacing, passed = Spacing(Rate(count, per_s), clock), list[float]()

        async def pass_once() -> None:
            await spacing.wait()
            passed.append(clock())

        async with asyncio.TaskGroup() as group:
            for pause in idle:
                await asyncio.sleep(pause)
                group.create_task(pass_once())
        interval = per_s / count
        assert all(later - former >= interval - _ROUNDING for former, later in itertools.pairwise(passed))

    VirtualTime.run(main)


def test_spacing_gives_turns_in_order_of_asking_and_the_first_waits_for_nothing() -> None:
    async def main(clock: VirtualTime) -> None:
        spacing, order = Spacing(Rate(2, 1.0), clock), list[tuple[int, float]]()

        async def pass_once(number: int) -> None:
            await spacing.wait()
            order.append((number, clock()))

        await asyncio.gather(*[pass_once(number) for number in range(3)])
        assert [number for number, _ in order] == [0, 1, 2]
        assert [round(at - 1000.0, 6) for _, at in order] == [0.0, 0.5, 1.0]

    VirtualTime.run(main)


@given(
    limit=st.integers(1, 30),
    per_s=st.floats(0.5, 60),
    wishes=st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.3, 5.0]), st.integers(1, 30)), max_size=25),
)
def test_no_window_ever_holds_more_than_the_budget(limit: int, per_s: float, wishes: list[tuple[float, int]]) -> None:
    async def main(clock: VirtualTime) -> None:
        budget, spent = Budget(Rate(limit, per_s), clock), list[tuple[float, int]]()

        async def spend(weight: int) -> None:
            await budget.spend(weight)
            spent.append((clock(), weight))

        async with asyncio.TaskGroup() as group:
            for pause, weight in wishes:
                await asyncio.sleep(pause)
                group.create_task(spend(min(weight, limit)))
        assert [weight for _, weight in spent] == [min(weight, limit) for _, weight in wishes]
        for start, _ in spent:
            inside = sum(weight for at, weight in spent if start <= at < start + per_s - _ROUNDING)
            assert inside <= limit

    VirtualTime.run(main)


def test_a_weight_above_the_whole_budget_passes_alone() -> None:
    async def main(clock: VirtualTime) -> None:
        budget = Budget(Rate(10, 1.0), clock)
        await budget.spend(1)
        await budget.spend(50)
        assert clock() - 1000.0 >= 1.0
        assert budget.used == 50

    VirtualTime.run(main)


def test_a_closed_budget_lets_nobody_through_until_it_opens() -> None:
    async def main(clock: VirtualTime) -> None:
        budget = Budget(Rate(10, 1.0), clock)
        budget.close_for(30.0)
        budget.close_for(5.0)
        await budget.spend(1)
        assert 30.0 <= clock() - 1000.0 < 30.1

    VirtualTime.run(main)


def test_what_was_spent_is_free_again_after_the_window() -> None:
    async def main(clock: VirtualTime) -> None:
        budget = Budget(Rate(10, 1.0), clock)
        await budget.spend(10)
        assert budget.used == 10
        await asyncio.sleep(1.0)
        assert budget.used == 0

    VirtualTime.run(main)


def test_a_cancelled_wait_leaves_the_budget_usable() -> None:
    async def main(clock: VirtualTime) -> None:
        budget = Budget(Rate(1, 10.0), clock)
        await budget.spend(1)
        waiting = asyncio.ensure_future(budget.spend(1))
        await asyncio.sleep(1.0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await budget.spend(1)
        assert clock() - 1000.0 < 11.0

    VirtualTime.run(main)
