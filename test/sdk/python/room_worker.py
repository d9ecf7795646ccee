"""A stock Python agent worker whose agents come into real rooms. What an agent does is in its job's metadata, as JSON:

{"does": "stays"}, or one of the entries below, with "warm_up_ms" before the entry begins and "after_ms" before it leaves. test/livekit/stock-agents.ts starts
it; test/sdk/node/room-agent.mjs is its twin.
"""

import asyncio
import json
import os
import time

from google.protobuf.json_format import MessageToDict
from livekit.agents import AgentServer, JobContext


def record(**event: object) -> None:
    with open(os.environ["AGENT_RECORD"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"atMs": int(time.time() * 1000), **event}) + "\n")


def asked(ctx: JobContext) -> dict:
    return json.loads(ctx.job.metadata or '{"does": "stays"}')


async def join(ctx: JobContext) -> None:
    await ctx.connect()
    record(event="joined", jobId=ctx.job.id, room=ctx.job.room.name)


async def stay(ctx: JobContext) -> None:
    await join(ctx)


async def leave(ctx: JobContext) -> None:
    await join(ctx)
    await asyncio.sleep(asked(ctx).get("after_ms", 0) / 1000)
    ctx.shutdown("left")


async def raise_before(ctx: JobContext) -> None:
    raise RuntimeError("this entry raises before it connects")


async def raise_after(ctx: JobContext) -> None:
    await join(ctx)
    raise RuntimeError("this entry raises after it connected")


async def die_before(ctx: JobContext) -> None:
    os._exit(1)


async def die_after(ctx: JobContext) -> None:
    await join(ctx)
    os._exit(1)


async def end_unjoined(ctx: JobContext) -> None:
    ctx.shutdown("never joined")


async def hang(ctx: JobContext) -> None:
    await asyncio.Event().wait()


ENTRIES = {
    "stays": stay,
    "leaves": leave,
    "raises_before": raise_before,
    "raises_after": raise_after,
    "dies_before": die_before,
    "dies_after": die_after,
    "ends_unjoined": end_unjoined,
    "hangs": hang,
}


async def entry(ctx: JobContext) -> None:
    record(event="entry", job=MessageToDict(ctx.job), url=ctx._info.url, token=ctx._info.token)

    async def on_shutdown() -> None:
        record(event="shutdown", jobId=ctx.job.id)

    ctx.add_shutdown_callback(on_shutdown)
    await asyncio.sleep(asked(ctx).get("warm_up_ms", 0) / 1000)
    await ENTRIES[asked(ctx)["does"]](ctx)


async def main() -> None:
    server = AgentServer(
        num_idle_processes=1,
        host="127.0.0.1",
        port=0,
        load_fnc=lambda: 0.1,
        load_threshold=0.9,
    )
    server.rtc_session(entry, agent_name=os.environ["AGENT_NAME"])
    server.on("worker_registered", lambda worker_id, _: print(f"registered {worker_id}", flush=True))
    await server.run(devmode=True)


if __name__ == "__main__":
    asyncio.run(main())
