"""Asks a server over loopback from a process of its own, on keep-alive connections.

    python -P http_load_worker.py SPEC.json

SPEC: url, method, connections, inputs (.npz with `bodies` bytes[n_queries]), outputs (.npz to write) and one of
  mode `closed`: clients, warmup, samples: each client asks, waits for the answer and asks again;
  mode `open`: per_s, seconds, arrivals, seed, give_up_s: requests leave when open_loop_load.intended_times says.

Written: `intended_ns`, `sent_ns`, `done_ns` int64[n], `status` int16[n]; in mode `closed` also `ids`, what each query was answered,
flat with `ids.offsets`, asked before anything is timed; and `meta`.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import aiohttp
import numpy as np

sys.path.append(str(Path(__file__).parent))
from open_loop_load import Sent, drive, intended_times, punctual_loop


async def closed_loop(send, clients, samples):
    """`samples` requests by `clients`, each waiting for its answer; intended and sent are the same."""
    sent, done, status = (np.zeros(samples, dtype) for dtype in (np.int64, np.int64, np.int16))
    numbers, start = iter(range(samples)), time.perf_counter_ns()

    async def client():
        for i in numbers:
            sent[i] = time.perf_counter_ns() - start
            try:
                status[i] = await send(i)
            except OSError:
                status[i] = 0
            done[i] = time.perf_counter_ns() - start

    await asyncio.gather(*(client() for _ in range(clients)))
    return Sent(sent, sent, done, status)


async def measure(spec, bodies):
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=spec["connections"], keepalive_timeout=60)
    limit = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(
        connector=connector, timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), headers=headers
    ) as session:

        async def request(i):
            body = bodies[i % len(bodies)] if bodies else None
            async with session.request(spec["method"], spec["url"], data=body) as response:
                return response.status, await response.read()

        async def send(i):
            return (await request(i))[0]

        # Opens every connection before anything is timed.
        started = time.perf_counter_ns()
        await request(0)
        meta = {"first_call_ns": time.perf_counter_ns() - started}
        await asyncio.gather(*(request(i) for i in range(spec["connections"])))
        if spec["mode"] == "closed":
            answers = [json.loads((await request(i))[1]).get("ids", []) for i in range(len(bodies))]
            await closed_loop(send, spec["clients"], spec["warmup"])
            return await closed_loop(send, spec["clients"], spec["samples"]), answers, meta
        times = intended_times(spec["per_s"], spec["seconds"], arrivals=spec["arrivals"], seed=spec["seed"])
        return await drive(times, send, give_up_ns=round(spec["give_up_s"] * 1e9)), [], meta


def main(path):
    spec = json.loads(Path(path).read_text())
    with np.load(spec["inputs"]) as archive:
        bodies = archive["bodies"].tolist() if "bodies" in archive.files else []
    with asyncio.Runner(loop_factory=punctual_loop) as runner:
        sent, answers, meta = runner.run(measure(spec, bodies))
    arrays = {name: getattr(sent, name) for name in ("intended_ns", "sent_ns", "done_ns", "status")}
    ids = np.array([item.encode() for answer in answers for item in answer], "S")
    offsets = np.cumsum([0, *[len(answer) for answer in answers]])
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)), ids=ids, **arrays, **{"ids.offsets": offsets})


if __name__ == "__main__":
    main(sys.argv[1])
