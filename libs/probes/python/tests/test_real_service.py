"""The probe against the whole service: what arrives, what is measured, and what `kill -9` of the service costs (nothing).

Needs `dist/apps/cli/main.js` (npm run build) or STAGEWATCH_MAIN, and node; says so when it is left out.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

import stagewatch

REPOSITORY = Path(os.environ.get("STAGEWATCH_REPOSITORY", Path(__file__).resolve().parents[4]))
MAIN = Path(os.environ.get("STAGEWATCH_MAIN", REPOSITORY / "dist/apps/cli/main.js"))
EXAMPLE_STEPS = int(os.environ.get("STAGEWATCH_EXAMPLE_STEPS", "300"))

pytestmark = [
    pytest.mark.skipif(not MAIN.exists(), reason=f"left out: the service is not built ({MAIN})"),
    pytest.mark.skipif(shutil.which("node") is None, reason="left out: no node"),
]


class Service:
    """`stagewatch up` on free ports that stay the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = _free_ports(3)
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.ports[0]}"

    def start(self):
        grpc, http, clickhouse = map(str, self.ports)
        log = open(self.folder / "service.log", "ab")
        self.process = subprocess.Popen(
            ["node", str(MAIN), "up", "--data", str(self.folder / "data"), "--port-grpc", grpc, "--port-http", http,
             "--port-clickhouse", clickhouse, "--log-level", "warn"], stdout=log, stderr=log)
        self.wait(lambda: self.sql("SELECT 1 AS one")[0]["one"] == 1, 60)
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def sql(self, query):
        data = f"{query} SETTINGS output_format_json_quote_64bit_integers=0, output_format_json_quote_denormals=1 FORMAT JSON"
        url = f"http://127.0.0.1:{self.ports[2]}/?" + urllib.parse.urlencode({"query": data})
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]

    def wait(self, condition, seconds=60.0):
        until = time.monotonic() + seconds
        last = None
        while time.monotonic() < until:
            try:
                last = condition()
                if last:
                    return last
            except Exception as error:
                last = error
            time.sleep(0.2)
        tail = (self.folder / "service.log").read_text(errors="replace")[-3000:]
        raise AssertionError(f"waited in vain: {last}\n{tail}")


def _free_ports(count):
    import socket

    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture
def real(tmp_path):
    service = Service(tmp_path).start()
    yield service
    service.stop()


def test_sharpness_of_the_service_is_pytorchs_own(real):
    """λ1 at every measured step of the digits example, against float64 double backward of the very same parameters."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples/pytorch_digits.py"), "--check", "--steps", str(EXAMPLE_STEPS)],
        env={**os.environ, "STAGEWATCH_ADDRESS": real.address, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    head, *lines = [json.loads(line) for line in done.stdout.splitlines()]
    truth = {line["step"]: line["sharpness"] for line in lines}
    assert "all of it delivered" in done.stderr and len(truth) >= 30
    where = f"WHERE run = '{head['run']}'"
    # The last snapshot is measured when everything before it has been.
    real.wait(lambda: real.sql(f"SELECT step FROM readings {where} AND name = 'sharpness' AND step = {EXAMPLE_STEPS}"), 200)
    measured = {int(r["step"]): float(r["value"]) for r in real.sql(f"SELECT step, value FROM readings {where} AND name = 'sharpness'")}
    assert set(measured) == set(truth) | {EXAMPLE_STEPS}
    worst = max(truth, key=lambda step: abs(measured[step] / truth[step] - 1))
    print(f"{len(truth)} steps, worst relative difference {abs(measured[worst] / truth[worst] - 1):.2e} at step {worst}")
    assert abs(measured[worst] / truth[worst] - 1) <= 1e-3
    thresholds = real.sql(f"SELECT DISTINCT value FROM readings {where} AND name = 'sharpness.threshold'")
    assert [float(row["value"]) for row in thresholds] == [pytest.approx(2 / lines[0]["lr"])]


def test_killed_again_and_again_everything_is_there_once(real):
    run = stagewatch.attach(None, name="killed", address=real.address, quiet=True, drain_seconds=60)
    assert run.wait_attached(20)
    sent = {}
    for round_ in range(3):
        for step in range(400):
            value = float("nan") if step % 50 == 0 else float(round_ * 1000 + step)
            sent[len(sent)] = value
            run.step(loss=value)
            time.sleep(0.001)
        real.kill()
        for step in range(200):
            sent[len(sent)] = -1.0
            run.step(loss=-1.0)
        real.start()
    assert run.finish(), run.status()

    def rows():
        return real.sql(f"SELECT step, value FROM scalars WHERE run = '{run.id}' AND name = 'loss.train' ORDER BY step")

    real.wait(lambda: len(rows()) >= len(sent))
    got = [(int(row["step"]), float(row["value"])) for row in rows()]
    assert len(got) == len(sent)
    for step, value in got:
        assert value == sent[step] or (math.isnan(value) and math.isnan(sent[step]))
