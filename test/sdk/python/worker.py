"""A stock Python agent worker as its users run one. Its entry writes down what it was given, and ends when told to.

Connects to a media server with AGENT_CONNECTS only. The variables are those of the Node worker beside it; with
AGENT_STAYS=1 a job runs until it is told to stop, or until the file <AGENT_RECORD>.<room> is there. With AGENT_BREAKS
its entry raises before it connects; with AGENT_WARMS_UP_S it connects so many seconds after it began.
"""

import asyncio
import json
import os
import time

from google.protobuf.json_format import MessageToDict
from livekit.agents import AgentServer, JobContext, JobRequest


def record(**event: object) -> None:
    with open(os.environ["AGENT_RECORD"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"atMs": int(time.time() * 1000), **event}) + "\n")


tasks: list[asyncio.Task[None]] = []
"""Only so that they are not collected."""


async def entry(ctx: JobContext) -> None:
    if "AGENT_BREAKS" in os.environ:
        raise RuntimeError("broken by its test")
    info = ctx._info
    record(event="entry", job=MessageToDict(ctx.job), url=info.url, token=info.token)

    async def on_shutdown() -> None:
        record(event="shutdown", jobId=ctx.job.id)

    ctx.add_shutdown_callback(on_shutdown)
    async def end_when_released() -> None:
        release = f"{os.environ['AGENT_RECORD']}.{ctx.job.room.name}"
        while not os.path.exists(release):
            await asyncio.sleep(0.05)
        ctx.shutdown("released")

    await asyncio.sleep(float(os.environ.get("AGENT_WARMS_UP_S", "0")))
    if "AGENT_CONNECTS" in os.environ:
        await ctx.connect()

    if os.environ.get("AGENT_STAYS") == "1":
        # Beside the entry, not in it: an entry that does not return makes the SDK wait before it shuts down.
        tasks.append(asyncio.create_task(end_when_released()))
    else:
        ctx.shutdown("done")


async def answer(request: JobRequest) -> None:
    """With AGENT_ANSWERS_AFTER it thinks for so many seconds before it takes a job, as one that asks a database does."""
    await asyncio.sleep(float(os.environ.get("AGENT_ANSWERS_AFTER", "0")))
    await request.accept()


async def main() -> None:
    server = AgentServer(
        num_idle_processes=1,
        host="127.0.0.1",
        port=0,
        load_fnc=lambda: 0.1,
        load_threshold=0.9,
    )
    server.rtc_session(entry, agent_name=os.environ["AGENT_NAME"], on_request=answer)
    server.on("worker_registered", lambda worker_id, _: print(f"registered {worker_id}", flush=True))
    await server.run(devmode=True)


if __name__ == "__main__":
    asyncio.run(main())
