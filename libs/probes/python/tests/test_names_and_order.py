"""Against the double: numbers and the end never wait for snapshots, and too many names cost only themselves."""

from __future__ import annotations

import time

import numpy as np
from attached_loop import assert_sound, attach


def test_numbers_and_the_end_do_not_wait_for_snapshots(service):
    service.upload_delay_s = 0.5
    run = attach(service, drain_seconds=4)
    for step in range(300):
        run.step(loss=float(step), parameters={"w": np.full(5000, step, np.float32)})
        time.sleep(0.001)
    began = time.monotonic()
    assert run.finish()
    assert time.monotonic() - began < 4.5
    assert_sound(service)
    assert [v for n, _, v in service.points() if n == "loss.train"] == [float(s) for s in range(300)]
    records = service.in_order()
    end = next(i for i, r in enumerate(records) if r.WhichOneof("body") == "end")
    # What comes after it are snapshots, and the word that the others will not come.
    assert {r.WhichOneof("body") for r in records[end + 1:]} == {"snapshot", "gap"}
    gap = service.bodies("gap")[-1].gap
    assert gap.reason == "end" and len(gap.taken) == gap.snapshots > 10
    for record in service.bodies("snapshot"):
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.snapshot.step).all()


def test_a_slow_upload_does_not_hold_up_a_number(service):
    service.upload_delay_s = 3.0
    run = attach(service, drain_seconds=0.5)
    run.step(loss=1.0, parameters={"w": np.zeros(5, np.float32)})
    service.wait_for(lambda: service.upload_begins)
    sent = time.monotonic()
    run.step(loss=float("nan"))
    service.wait_for(lambda: any(v != v for _, _, v in service.points()), 2.0)
    assert time.monotonic() - sent < 2.0
    run.finish()


def test_names_beyond_the_limit_cost_only_themselves(service, caplog):
    service.metrics_per_run = 200
    run = attach(service)
    run.wait_attached()
    for step in range(50):
        run.step(loss=float(step))
        run.log({f"layer.{i}": 1.0 for i in range(300)})
        run.log({"accuracy.val": 0.5})
        time.sleep(0.01)
    assert run.finish() is False
    assert_sound(service)
    points = service.points()
    assert [v for n, _, v in points if n == "loss.train"] == [float(s) for s in range(50)]
    assert len([v for n, _, v in points if n == "accuracy.val"]) == 50
    names = {n for n, _, _ in points}
    assert 100 < len(names) <= 200 and len([n for n, _, _ in points if n == "layer.0"]) == 50
    gaps = [r.gap for r in service.bodies("gap")]
    left_out = 50 * (302 - len(names))
    assert {g.reason for g in gaps} == {"names"} and len(gaps) == 2
    assert sum(g.points for g in gaps) == left_out == run.status()["lost_points"]
    assert caplog.text.count("different names at most") == 1


def test_a_service_with_fewer_places_than_it_said_still_gets_the_core_names(service):
    known = set()

    def refuse(call, message):
        if call != "Record":
            return None
        for name in message.scalars.names:
            if name not in known and len(known) >= 20:
                return {"code": "TOO_MANY_METRICS", "status": "RESOURCE_EXHAUSTED", "message": "no", "field": "names"}
            known.add(name)
        return None

    service.refuse = refuse
    run = attach(service)
    run.step(loss=0.0)
    service.wait_for(lambda: service.points())
    for step in range(1, 30):
        run.step(loss=float(step))
        run.log({f"other.{step}.{i}": 1.0 for i in range(5)})
        time.sleep(0.02)
    assert run.finish() is False
    assert_sound(service)
    assert [v for n, _, v in service.points() if n == "loss.train"] == [float(s) for s in range(30)]
