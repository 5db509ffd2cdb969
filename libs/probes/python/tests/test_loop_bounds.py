"""A hand-written loop against the double: what is held in memory and on disk, and what is said when that is full."""

from __future__ import annotations

import os
import time

import numpy as np
from attached_loop import assert_sound, attach

from stagewatch import sender as sender_module


def test_credit_window_is_honoured(service, monkeypatch):
    service.credit = 4096
    service.acknowledge = False
    run = attach(service, drain_seconds=30)
    journal = run._pipeline._journal
    run.step(loss=0.0)
    service.wait_for(lambda: service.points())
    for step in range(1, 200):
        run.step(loss=float(step))
        if step % 10 == 0:
            time.sleep(0.05)  # many small records, some more than the window holds
        assert journal.in_flight_bytes <= 4096
    service.wait_for(lambda: journal.pending > 2)
    service.wait_for(lambda: journal.in_flight_bytes > 500)
    journal_full = journal.in_flight_bytes
    run.log({"x" * 190: 1.0, **{f"{i:0190d}": 1.0 for i in range(30)}})  # one record larger than the window
    time.sleep(0.5)
    assert journal.in_flight_bytes == journal_full
    service.acknowledge = True
    monkeypatch.setattr(sender_module, "ACKNOWLEDGE_TIMEOUT_S", 0.3)
    assert run.finish()
    assert_sound(service)
    assert len([p for p in service.points() if p[0] == "loss.train"]) == 200


def test_spool_takes_what_memory_cannot_and_everything_arrives(service, tmp_path, monkeypatch):
    monkeypatch.setattr("stagewatch.journal.RECORD_MEMORY_BYTES", 10_000)
    monkeypatch.setattr("stagewatch.snapshots.MAX_BUFFERS", 3)
    service.stop()
    run = attach(service, spool_folder=str(tmp_path), drain_seconds=30)
    run._pipeline._journal._record_memory_bytes = 10_000
    for step in range(3000):
        run.step(loss=float(step), parameters={"w": np.full(50_000, step, np.float32)})
        if step % 20 == 0:
            time.sleep(0.01)
    service_files = service.wait_for(lambda: [os.path.join(d, f) for d, _, fs in os.walk(tmp_path) for f in fs])
    assert service_files and run.status()["spooled_bytes"] > 0
    service.start()
    assert run.finish()
    assert_sound(service)
    assert [v for n, _, v in service.points() if n == "loss.train"] == [float(s) for s in range(3000)]
    assert len(service.bodies("snapshot")) > 5
    for record in service.bodies("snapshot"):
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.snapshot.step).all()
    service.wait_for(lambda: not any(fs for _, _, fs in os.walk(tmp_path)))  # nothing left behind


def test_when_bounds_are_hit_a_gap_says_how_much(service, tmp_path):
    service.stop()
    run = attach(service, spool_folder=str(tmp_path), spool_mib=0, drain_seconds=30)
    run._pipeline._journal._record_memory_bytes = 3000
    for step in range(4000):
        run.step(loss=float(step), parameters={"w": np.full(10, step, np.float32)})
        if step % 10 == 0:
            time.sleep(0.002)
    service.start()
    service.wait_for(lambda: service.points())
    time.sleep(0.5)
    run.step(loss=-1.0)
    assert not run.finish() and run.status()["queued_records"] == 0  # it says that not everything was delivered
    assert_sound(service)
    gaps = [record.gap for record in service.bodies("gap")]
    lost = sum(gap.points for gap in gaps)
    arrived = len([p for p in service.points() if p[0] == "loss.train"])
    assert lost > 0 and lost + arrived == 4001
    assert {gap.reason for gap in gaps} <= {"spool", "memory"}


def test_queue_bound_is_counted_too(service, monkeypatch):
    monkeypatch.setattr("stagewatch.handover.MOST_QUEUED", 100)
    service.stop()
    run = attach(service, drain_seconds=30)
    for step in range(5000):
        run.step(loss=float(step))
    service.start()
    assert not run.finish() and run.status()["queued_records"] == 0  # it says that not everything was delivered
    assert_sound(service)
    lost = sum(r.gap.points for r in service.bodies("gap"))
    arrived = len([p for p in service.points() if p[0] == "loss.train"])
    assert lost > 0 and lost + arrived == 5000


def test_a_busy_uploader_skips_snapshots_and_says_so(service, monkeypatch):
    service.upload_delay_s = 0.05
    monkeypatch.setattr("stagewatch.snapshots.MAX_BUFFERS", 2)
    run = attach(service, spool_mib=0)
    for step in range(60):
        run.step(loss=1.0, parameters={"w": np.full(20_000, step, np.float32)})
    assert run.finish()
    assert_sound(service)
    skipped = sum(r.gap.snapshots for r in service.bodies("gap"))
    assert skipped >= 1
    for record in service.bodies("snapshot"):
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.snapshot.step).all()
