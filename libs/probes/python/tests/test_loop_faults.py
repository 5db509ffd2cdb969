"""A hand-written loop against the double: what a fault or a refusal of the service does."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
from attached_loop import assert_sound, attach

import stagewatch
from stagewatch import sender as sender_module


def test_service_away_at_attach_and_in_the_middle(service, caplog):
    service.stop()
    run = attach(service, drain_seconds=30)
    theta = {"w": np.zeros(1000, np.float32)}
    for step in range(50):
        run.step(loss=float(step), parameters=theta)
        theta["w"] += 1
    assert run.id is None
    service.start()
    service.wait_for(lambda: service.points() and service.points()[-1][1] >= 49)
    service.stop()
    for step in range(50, 120):
        run.step(loss=float(step), parameters=theta)
        theta["w"] += 1
        time.sleep(0.005)
    service.start()
    assert run.finish() is True
    assert_sound(service)
    assert [p for p in service.points() if p[0] == "loss.train"] == [("loss.train", s, float(s)) for s in range(120)]
    for record in service.bodies("snapshot"):
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.snapshot.step).all()
    assert service.bodies("gap") == []
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1  # said once, then quiet


def test_a_service_that_took_the_run_is_waited_for_though_no_stream_was_opened(service):
    service.refuse = lambda call, message: (
        {"code": "UNAVAILABLE", "status": "UNAVAILABLE", "message": "closing"} if call == "StreamRecords" else None)
    run = attach(service, drain_seconds=60)
    service.wait_for(lambda: run.id)
    for step in range(20):
        run.step(loss=float(step))
    back = threading.Timer(4.0, lambda: setattr(service, "refuse", lambda call, message: None))
    back.start()
    assert run.finish() is True
    back.join()
    assert len([p for p in service.points() if p[0] == "loss.train"]) == 20


def test_stream_killed_after_durable_before_acknowledged(service):
    service.break_stream_after = 3
    run = attach(service)
    for step in range(100):
        run.step(loss=float(step), parameters={"w": np.full(4, step, np.float32)})
        time.sleep(0.002)
    assert run.finish()
    assert_sound(service)
    assert service.duplicates == 0  # the welcome said where to go on
    assert [v for n, _, v in service.points() if n == "loss.train"] == [float(s) for s in range(100)]


def test_acknowledgements_twice_are_one(service):
    service.acknowledge_twice = True
    run = attach(service)
    for step in range(100):
        run.step(loss=float(step))
        time.sleep(0.002)
    assert run.finish()
    assert_sound(service)


def test_upload_killed_in_a_chunk_goes_on_at_the_durable_offset(service):
    service.break_upload_after = 150_000
    run = attach(service)
    theta = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    run.step(loss=1.0, parameters={"w": theta})
    assert run.finish()
    assert_sound(service)
    assert service.upload_begins[0] == 0 and 150_000 <= service.upload_begins[1] < 400_000
    assert service.blobs[service.bodies("snapshot")[0].snapshot.blob] == theta.tobytes()


def test_refused_run_is_said_once_and_training_goes_on(service, caplog):
    service.refuse = lambda call, message: (
        {"code": "FORBIDDEN", "status": "PERMISSION_DENIED", "message": "no token"} if call == "AttachRun" else None)
    run = attach(service, token="x" * 16)
    for step in range(100):
        run.step(loss=1.0)
        time.sleep(0.002)
    assert run.finish() is False
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 1 and "FORBIDDEN" in warnings[0] and "STAGEWATCH_TOKEN" in warnings[0]
    assert service.metadata[0]["authorization"] == "Bearer " + "x" * 16


def test_a_refused_record_becomes_a_gap_and_the_rest_arrives(service):
    def refuse(call, message):
        if call == "Record" and any(v == 13.0 for v in message.scalars.values):
            return {"code": "TOO_MANY_METRICS", "status": "RESOURCE_EXHAUSTED", "message": "no", "field": "names"}
        return None

    service.refuse = refuse
    service.stop()
    run = attach(service, drain_seconds=30)
    for step in range(30):
        run.step(loss=float(step), parameters={"w": np.zeros(1, np.float32)})
        time.sleep(0.001)
    service.start()
    assert not run.finish() and run.status()["queued_records"] == 0
    assert_sound(service)
    assert [r.gap.reason for r in service.bodies("gap")] == ["refused"]
    values = [v for n, _, v in service.points() if n == "loss.train"]
    lost = service.bodies("gap")[0].gap.points
    assert len(values) + lost == 30 and 13.0 not in values and lost <= 2


def test_a_dead_service_never_stalls_a_step(tmp_path):
    """A listening socket that never answers: the worst kind of away."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        run = stagewatch.attach(None, address=f"127.0.0.1:{deaf.getsockname()[1]}", quiet=True, drain_seconds=0.5)
        for step in range(2000):
            run.step(loss=1.0)
        assert run.finish() is False


def test_no_acknowledgement_is_a_dead_connection(service, monkeypatch):
    monkeypatch.setattr(sender_module, "ACKNOWLEDGE_TIMEOUT_S", 0.3)
    service.acknowledge = False
    run = attach(service, drain_seconds=30)
    run.step(loss=1.0)
    service.wait_for(lambda: service.points())
    time.sleep(0.5)
    service.acknowledge = True
    assert run.finish()
    assert_sound(service)
    assert [v for _, _, v in service.points()] == [1.0]
