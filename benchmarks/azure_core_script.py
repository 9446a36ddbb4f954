"""The yardstick: PATCH and list through azure-core's asynchronous pipeline with authentication and retry only."""

import asyncio
import json
import sys
import time

from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncRetryPolicy
from azure.core.rest import HttpRequest
from azure.identity.aio import EnvironmentCredential


async def main(endpoint: str, requests: list[dict], concurrency: int) -> None:
    credential = EnvironmentCredential(disable_instance_discovery=True)
    authenticate = AsyncBearerTokenCredentialPolicy(credential, f"{endpoint}/.default")
    waiting = asyncio.Semaphore(concurrency)
    async with AsyncPipelineClient(endpoint, policies=[AsyncRetryPolicy(), authenticate]) as client:

        async def send(method: str, url: str, body: dict | None, etag: str | None) -> None:
            async with waiting:
                headers = {"If-Match": etag} if etag else {}
                answer = await client.send_request(HttpRequest(method, endpoint + url, json=body, headers=headers))
                answer.raise_for_status()
                answer.json()

        await send("GET", requests[-1]["url"], None, None)
        started = time.process_time(), time.perf_counter()
        await asyncio.gather(*(send(r["method"], r["url"], r["body"], r["etag"]) for r in requests))
        print(json.dumps({"cpu": time.process_time() - started[0], "wall": time.perf_counter() - started[1]}))
    await credential.close()


asyncio.run(main(sys.argv[1], json.load(sys.stdin), int(sys.argv[2])))
