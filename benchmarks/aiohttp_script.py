"""The floor: the same requests from a bare aiohttp loop with a token fetched once."""

import asyncio
import json
import os
import ssl
import sys
import time

import aiohttp


async def main(endpoint: str, requests: list[dict], concurrency: int) -> None:
    trust = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    waiting = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust, limit=concurrency)) as session:
        form = {
            "grant_type": "client_credentials",
            "client_id": os.environ["AZURE_CLIENT_ID"],
            "client_secret": os.environ["AZURE_CLIENT_SECRET"],
            "scope": f"{endpoint}/.default",
        }
        token_url = f"{endpoint}/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token"
        async with session.post(token_url, data=form) as answer:
            authorization = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

        async def send(method: str, url: str, body: dict | None, etag: str | None) -> None:
            headers = authorization | ({"If-Match": etag} if etag else {})
            async with waiting, session.request(method, endpoint + url, json=body, headers=headers) as answer:
                answer.raise_for_status()
                json.loads(await answer.read())

        await send("GET", requests[-1]["url"], None, None)
        started = time.process_time(), time.perf_counter()
        await asyncio.gather(*(send(r["method"], r["url"], r["body"], r["etag"]) for r in requests))
        print(json.dumps({"cpu": time.process_time() - started[0], "wall": time.perf_counter() - started[1]}))


asyncio.run(main(sys.argv[1], json.load(sys.stdin), int(sys.argv[2])))
