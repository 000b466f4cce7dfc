"""What a user would write in Python who has no push: one loop that asks Kick about everybody, and rests."""

import asyncio
import json
import sys
import urllib.parse
import urllib.request

import asyncpg

UPDATE = "UPDATE streamers SET status = $2 WHERE id = $1 AND status IS DISTINCT FROM $2"


def token(url, client, secret):
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()) as answer:
        return json.load(answer)["access_token"]


def live(url, bearer, users):
    query = urllib.parse.urlencode([("user_id", user) for user in users])
    request = urllib.request.Request(f"{url}/users/livestreams?{query}", headers={"Authorization": f"Bearer {bearer}"})
    with urllib.request.urlopen(request) as answer:
        return {entry["broadcaster_user"]["id"] for entry in json.load(answer)["data"]}


async def main(oauth, api, client, secret, database, rest):
    bearer = token(oauth, client, secret)
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("SELECT id, kick_user FROM streamers")
    while True:
        for begin in range(0, len(rows), 100):
            batch = rows[begin : begin + 100]
            online = live(api, bearer, [row["kick_user"] for row in batch])
            for row in batch:
                await connection.execute(UPDATE, row["id"], "Online" if row["kick_user"] in online else "Offline")
        print("compared", file=sys.stderr, flush=True)
        await asyncio.sleep(float(rest))


if sys.argv[1] != "--check":
    asyncio.run(main(*sys.argv[1:]))
