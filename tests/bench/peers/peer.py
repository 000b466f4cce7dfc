"""What a user would write in Python instead of kick-monitor: websockets and a pool of ten asyncpg
connections. It survives nothing and checks nothing."""

import asyncio
import json
import sys

import asyncpg
import websockets

STATUS = {"App\\Events\\StreamerIsLive": "Online", "App\\Events\\StopStreamBroadcast": "Offline"}
UPDATE = "UPDATE streamers SET status = $2 WHERE id = $1 AND status IS DISTINCT FROM $2"


async def main(url, database):
    settings = {"synchronous_commit": "off"}
    pool = await asyncpg.create_pool(database, min_size=10, max_size=10, server_settings=settings)
    ids = {f"channel.{channel}": id for id, channel in await pool.fetch("SELECT id, channel FROM streamers")}
    running = set()

    def begin(work):
        task = asyncio.create_task(work)
        running.add(task)
        task.add_done_callback(running.discard)

    async with websockets.connect(f"{url}/app/key?protocol=7", ping_interval=None) as socket:

        async def subscribe():
            for channel in ids:
                await socket.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}}))

        begin(subscribe())
        async for text in socket:
            frame = json.loads(text)
            status = STATUS.get(frame["event"])
            if status:
                json.loads(frame["data"])
                begin(pool.execute(UPDATE, ids[frame["channel"]], status))


if sys.argv[1] != "--check":
    asyncio.run(main(*sys.argv[1:]))
