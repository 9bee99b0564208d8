"""Runs on Agently the nine TriggerFlow scenarios that it is expected to fail, to show what it does there.

One line for each: the id, `fails` or `passes`, what is expected, what Agently did; last, what an emit costs.
The exit code is 1 only when a scenario could not be run. README.md tells how to run it.
"""

import asyncio
import inspect
import logging
import os
import runpy
import statistics
import sys
import tempfile
import warnings
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from agently import TriggerFlow

Data = Any  # what Agently hands to a chunk
Outcome = tuple[bool, str]  # whether it did what is expected, and what it did
Scenario = Callable[[], Awaitable[Outcome]]
scenarios: dict[str, tuple[str, Scenario]] = {}


def scenario(id: str, expected: str) -> Callable[[Scenario], Scenario]:
    """Registers a scenario under its id, with what is expected of it."""

    def register(run: Scenario) -> Scenario:
        scenarios[id] = (expected, run)
        return run

    return register


# Only a pause needs a store. 4.1.4 writes every event to one on disk (about 40 ms an emit); later it is record_store.
STORE = "workspace" if "workspace" in inspect.signature(TriggerFlow.create_execution).parameters else "record_store"
NO_STORE: dict[str, Any] = {STORE: False}


def new_flow() -> Any:
    return TriggerFlow()


def new_execution(flow: Any, **options: Any) -> Any:
    return flow.create_execution(auto_close=False, **{**NO_STORE, **options})


async def run(flow: Any, value: Any = None, concurrency: int | None = None) -> Any:
    """Runs a flow from its start to its close, without the poll of auto-close, and gives what it ended with."""
    execution = new_execution(flow, concurrency=concurrency)
    await execution.async_start(value)
    return (await execution.async_close()).get("$final_result")


async def same(data: Data) -> Any:
    return data.input


@scenario("TF-12", "with concurrency=2 no more than 2 handlers active, with 1 no deadlock")
async def limit() -> Outcome:
    active = most = 0

    async def work(data: Data) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.02)
        active -= 1

    async def emit_six(data: Data) -> None:
        await asyncio.gather(*(data.async_emit("Work", n) for n in range(6)))

    each = new_flow()
    each.for_each().to(work).end_for_each()
    batch = new_flow()
    batch.batch(*((f"work {n}", work) for n in range(6)))
    emits = new_flow()
    emits.when("Work").to(work)
    emits.to(emit_six)
    items = list(range(6))
    found: list[str] = []
    kept = True
    for name, flow in {"for_each": each, "batch": batch, "emits": emits}.items():
        try:
            await asyncio.wait_for(run(flow, items, concurrency=1), 10)
            most = 0
            await asyncio.wait_for(run(flow, items, concurrency=2), 10)
            kept = kept and most <= 2
            found.append(f"{name} {most} active at once")
        except TimeoutError:
            kept = False
            found.append(f"{name} hangs")
    return kept, ", ".join(found)


@scenario("TF-16", "an async condition and a truthy one match, and two lambdas on one line are two cases")
async def conditions() -> Outcome:
    async def is_one(data: Data) -> bool:
        return data.input == 1

    async def case_of(*tests: Callable[[Data], Any]) -> Any:
        flow = new_flow()
        branch: Any = flow.match()
        for n, test in enumerate(tests):
            branch = branch.case(test).to((f"case {n + 1}", lambda data, n=n: f"case {n + 1}"))
        branch.case_else().to(("else", lambda data: "else")).end_match().end()
        return await run(flow, 1)

    found = {
        "async": await case_of(is_one),
        "truthy": await case_of(lambda data: data.input),
        "on one line": await case_of(lambda data: data.input == 1, lambda data: data.input == 2),
    }
    return set(found.values()) == {"case 1"}, ", ".join(f"{name}: {case}" for name, case in found.items())


@scenario("TF-24", "after seal() an emit from outside changes nothing, and the chain of an accepted event ends")
async def seal() -> Outcome:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def first(data: Data) -> None:
        started.set()
        await go_on.wait()

    async def second(data: Data) -> None:
        await data.async_set_state("chain", True)

    async def outside(data: Data) -> None:
        await data.async_set_state("outside", True)

    flow = new_flow()
    flow.when("Go").to(first).to(second)
    flow.when("Outside").to(outside)
    execution = new_execution(flow)
    await execution.async_start()
    accepted = await execution.async_emit_nowait("Go")
    await started.wait()
    await execution.async_seal()
    await execution.async_emit("Outside")
    go_on.set()
    await accepted
    refused = execution.get_state("outside") is None
    ended = execution.get_state("chain") is True
    return refused and ended, f"outside {'refused' if refused else 'ran'}, chain {'ended' if ended else 'broken off'}"


async def close_on_slow_chunk() -> tuple[Any, str, float, bool]:
    """Closes within 0.1 s while a chunk sleeps for 5 s: the execution, how it closed, seconds, if the chunk heard."""
    started = asyncio.Event()
    heard = False

    async def slow(data: Data) -> None:
        nonlocal heard
        started.set()
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            heard = True
            raise

    flow = new_flow()
    flow.when("Go").to(slow)
    execution = new_execution(flow)
    await execution.async_start()
    await execution.async_emit_nowait("Go")
    await started.wait()
    begin = perf_counter()
    try:
        await execution.async_close(timeout=0.1)
        how = "returned"
    except Exception as error:
        how = f"raised {type(error).__name__}"
    return execution, how, perf_counter() - begin, heard


@scenario("TF-26", "close(timeout=0.1) on a chunk of 5 s returns in about 0.2 s, the chunk cancelled, status cancelled")
async def close_in_time() -> Outcome:
    execution, how, seconds, heard = await close_on_slow_chunk()
    status = execution.get_status()
    did = f"{how} after {seconds:.2f} s, chunk {'' if heard else 'not '}cancelled, status {status}"
    return how == "returned" and seconds < 0.3 and heard and status == "cancelled", did


@scenario("TF-27", "a run of a trivial flow with idle time-out 0 takes less than 5 ms")
async def quick_run() -> Outcome:
    flow = new_flow()
    flow.to(same)
    times: list[float] = []
    for _ in range(10):
        begin = perf_counter()
        await flow.async_start(1, **NO_STORE)
        times.append((perf_counter() - begin) * 1000)
    return statistics.median(times) < 5, f"median of 10 runs {statistics.median(times):.1f} ms"


@scenario("TF-36", "while A waits, what follows B runs; batch {a: pause, b} resumes to {a: resumed, b: b}")
async def pause_beside() -> Outcome:
    async def pause(data: Data) -> Any:
        return await data.async_pause_for(type="approval", interrupt_id="ask", resume_to="next")

    async def b(data: Data) -> str:
        while not data.execution.is_waiting():
            await asyncio.sleep(0.01)
        return "b"

    async def after_b(data: Data) -> None:
        await data.async_set_state("after b", True)

    beside = new_flow()
    beside.side_branch(pause)
    beside.to(b).to(after_b)
    first = new_execution(beside, **{STORE: os.path.abspath("beside")})
    await first.async_start()
    ran = first.get_state("after b") is True

    both = new_flow()
    both.batch(("a", pause), ("b", b)).end()
    second = new_execution(both, **{STORE: os.path.abspath("both")})
    await second.async_start()
    await second.async_continue_with("ask", "resumed")
    result = (await second.async_close()).get("$final_result")
    did = f"after B {'ran' if ran else 'never ran'}, batch {'never completed' if result is None else result}"
    return ran and result == {"a": "resumed", "b": "b"}, did


FLOW = """
from agently import TriggerFlow

async def step(data):
    return data.input

flow = TriggerFlow(name="saved")
flow.to(step)
"""


@scenario("TF-41", "load refuses another kind, version or graph, not the same code at another line or in a new folder")
async def load_elsewhere() -> Outcome:
    def flow_of(path: str, text: str) -> Any:
        file = Path(path)
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return runpy.run_path(str(file))["flow"]

    def loads(flow: Any, state: dict[str, Any]) -> bool:
        try:
            new_execution(flow).load(state)
            return True
        except ValueError:
            return False

    flow = flow_of("here/flow.py", FLOW)
    execution = new_execution(flow)
    await execution.async_start(1)
    state = execution.save()
    changed = FLOW + 'flow.to(step).to(("again", step))\n'
    expected_and_found = {
        "same file": (True, loads(flow_of("here/flow.py", FLOW), state)),
        "one comment more": (True, loads(flow_of("here/flow.py", "# a comment\n" + FLOW), state)),
        "new folder": (True, loads(flow_of("there/flow.py", FLOW), state)),
        "other kind": (False, loads(flow, {**state, "kind": "other"})),
        "other version": (False, loads(flow, {**state, "schema_version": 99})),
        "other graph": (False, loads(flow_of("here/flow.py", changed), state)),
    }
    did = ", ".join(f"{name}: {'taken' if found else 'refused'}" for name, (_, found) in expected_and_found.items())
    return all(expected == found for expected, found in expected_and_found.values()), did


@scenario("TF-57", "for_each over 2,000 trivial items takes less than 200 ms")
async def many_items() -> Outcome:
    async def seconds(count: int) -> float:
        flow = new_flow()
        flow.for_each().to(same).end_for_each().end()
        begin = perf_counter()
        result = await run(flow, list(range(count)))
        assert result == list(range(count))
        return perf_counter() - begin

    few, many = await seconds(500), await seconds(2000)
    return many < 0.2, f"{many:.1f} s, {many / few:.1f} times that of 500 items"


@scenario("TF-63", "after a close that timed out, a second close does not say that the cancelled chunk completed")
async def close_again() -> Outcome:
    execution, how, _, _ = await close_on_slow_chunk()
    await execution.async_close()
    status = execution.get_status()
    return status != "completed", f"first close {how}, status after the second: {status}"


async def microseconds_an_emit(count: int = 500) -> float:
    """What an emit takes that is awaited: the best of four rounds, as the machine may be busy."""
    flow = new_flow()
    flow.when("E").to(same)
    execution = new_execution(flow)
    await execution.async_start()
    rounds: list[float] = []
    for _ in range(4):
        begin = perf_counter()
        for n in range(count):
            await execution.async_emit("E", n)
        rounds.append((perf_counter() - begin) / count * 1e6)
    await execution.async_close()
    return min(rounds)


async def main() -> int:
    print(f"Agently {version('agently')}, Python {sys.version.split()[0]}")
    broken = 0
    for id, (expected, scenario_of) in scenarios.items():
        try:
            passed, did = await asyncio.wait_for(scenario_of(), 120)
            verdict = "passes" if passed else "fails"
        except Exception as error:
            broken += 1
            verdict, did = "broken", f"{type(error).__name__}: {error}"
        print(f"{id} {verdict:<6} expected: {expected} | Agently: {did}", flush=True)
    print(f"an awaited emit to one handler: {await microseconds_an_emit():.0f} us")
    return 1 if broken else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        code = asyncio.run(main())
    sys.exit(code)
