"""A hand-written loop against the double: what arrives, in which order, and what a fault of the service does."""

from __future__ import annotations

import math
import os
import socket
import threading
import time

import numpy as np
import pytest
from fake_service import FakeService

import stagewatch
from stagewatch import pipeline as pipeline_module
from stagewatch import sender as sender_module
from stagewatch import wire


def attach(service, **options):
    options.setdefault("quiet", True)
    options.setdefault("name", "test")
    return stagewatch.attach(None, address=service.address, **options)


def assert_sound(service, run=None):
    """Sequences from 1 without a hole, steps that never decrease."""
    assert service.out_of_order == []
    assert sorted(service.records[run or service.only_run()]) == list(range(1, len(service.in_order(run)) + 1))


def test_scalars_arrive_once_and_in_order(service):
    run = attach(service, loss="mse", project="p", tags={"a": "b"}, planned_steps=500, batch_size=32,
                 optimizer=stagewatch.OptimizerConstants("sgd", learning_rate=0.1, momentum=0.9, nesterov=True))
    for step in range(500):
        run.step(loss=1.0 / (step + 1), accuracy=step / 500)
    run.log({"loss.val": 3})
    assert run.finish() is True
    assert_sound(service)
    points = service.points()
    assert [p for p in points if p[0] == "loss.train"] == [("loss.train", s, 1.0 / (s + 1)) for s in range(500)]
    assert [p for p in points if p[0] == "accuracy"] == [("accuracy", s, s / 500) for s in range(500)]
    assert ("loss.val", 499, 3.0) in points
    assert [p for p in points if p[0] == "lr"] == [("lr", 0, 0.1)]
    assert service.bodies("end")[-1] is service.in_order()[-1]
    assert service.bodies("end")[0].end.status == "finished"
    request = service.runs[service.only_run()]["request"]
    assert (request.name, request.project, dict(request.tags), request.planned_steps, request.batch_size) == (
        "test", "p", {"a": "b"}, 500, 32)
    assert (request.optimizer.name, request.optimizer.momentum, request.optimizer.nesterov) == ("sgd", 0.9, True)
    assert request.loss.kind == wire.enum_value("LossKind", "LOSS_KIND_MEAN_SQUARED_ERROR")


def test_nan_and_infinities_are_data(service):
    run = attach(service)
    for value in (float("nan"), float("inf"), float("-inf"), np.float32("nan"), 1, np.int64(2), True):
        run.step(loss=value)
    run.finish()
    values = [v for n, _, v in service.points() if n == "loss.train"]
    assert math.isnan(values[0]) and math.isnan(values[3])
    assert values[1:3] == [math.inf, -math.inf] and values[4:] == [1.0, 2.0, 1.0]


def test_snapshots_are_the_parameters_of_their_step(service):
    run = attach(service, loss="mse")
    theta = {"w": np.zeros((3, 2), np.float32), "b": np.zeros(2, np.float64)}
    calls = []
    for step in range(40):
        run.step(loss=1.0, parameters=lambda: calls.append(step) or theta)
        theta["w"] += 1
        theta["b"] += 2
    run.finish()
    assert_sound(service)
    snapshots = service.bodies("snapshot")
    steps = [record.step for record in snapshots]
    assert steps[:11] == list(range(11)) and steps == sorted(set(steps)) and len(steps) < 40
    assert calls == steps  # the function is only asked when a snapshot is due
    for record in snapshots:
        blob = service.blobs[record.snapshot.blob]
        slots = {t.name: t for t in record.snapshot.tensors}
        assert (slots["w"].dtype, list(slots["w"].shape), slots["b"].dtype) == ("float32", [3, 2], "float64")
        for name, dtype in (("w", "<f4"), ("b", "<f8")):
            slot = slots[name]
            values = np.frombuffer(blob[slot.offset : slot.offset + slot.bytes], dtype)
            assert (values == record.step * (1 if name == "w" else 2)).all()
        # The step's own loss came first.
        assert any(("loss.train", record.step, 1.0) == p for p in _points_before(service, record.sequence))


def _points_before(service, sequence):
    found = []
    for record in service.in_order():
        if record.sequence < sequence:
            b = record.scalars
            found += [(b.names[i], s, v) for i, s, v in zip(b.name_index, b.steps, b.values)]
    return found


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
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.step).all()
    assert service.bodies("gap") == []
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1  # said once, then quiet


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
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.step).all()
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
    assert run.finish()
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
    assert run.finish()
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
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.step).all()


def test_control_asks_for_a_snapshot_a_cadence_and_silence(service):
    run = attach(service)
    theta = {"w": np.zeros(2, np.float32)}

    def go(count):
        for _ in range(count):
            run.step(loss=1.0, parameters=theta)
            time.sleep(0.001)

    go(300)
    control = wire.StreamRecordsResponse().control
    control.snapshot_now.reason = "please"
    service.controls.append(control)
    service.wait_for(lambda: (go(20), any(r.snapshot.reason == "asked" for r in service.bodies("snapshot")))[1])
    control = wire.StreamRecordsResponse().control
    control.cadence.from_step, control.cadence.every_steps, control.cadence.factor = 0, 5, 1.0
    service.controls.append(control)
    service.wait_for(lambda: (go(20), _gaps_of(service)[-3:] == [5, 5, 5])[1])
    control = wire.StreamRecordsResponse().control
    control.stop_sending.reason = "enough"
    service.controls.append(control)
    service.wait_for(lambda: (go(20), not run._pipeline.wanted)[1])
    go(10)
    assert run.finish() is False
    assert_sound(service)


def _gaps_of(service):
    steps = [r.step for r in service.bodies("snapshot")]
    return [b - a for a, b in zip(steps, steps[1:])]


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
    assert run.finish()
    assert_sound(service)
    assert [r.gap.reason for r in service.bodies("gap")] == ["refused"]
    values = [v for n, _, v in service.points() if n == "loss.train"]
    lost = service.bodies("gap")[0].gap.points
    assert len(values) + lost == 30 and 13.0 not in values and lost <= 2


def test_resume_takes_up_the_run_and_an_unknown_one_begins_anew(service, caplog):
    first = attach(service)
    first.step(loss=1.0)
    first.finish()
    second = attach(service, resume=first.id, first_step=10)
    second.step(loss=2.0)
    assert second.finish() and second.id == first.id and second.attempt == 2
    assert [p[1] for p in service.points(first.id)] == [10]
    service.refuse = lambda call, m: (
        {"code": "UNKNOWN_RUN", "status": "NOT_FOUND", "message": "?"} if call == "AttachRun" and m.resume_run_id else None)
    third = attach(service, resume="nowhere")
    third.step(loss=3.0)
    assert third.finish() and third.id not in (first.id, "nowhere")
    assert "cannot be resumed" in caplog.text


def test_two_attaches_in_one_process(service):
    one, two = attach(service, name="same"), attach(service, name="same")
    for step in range(50):
        one.step(loss=1.0)
        two.step(loss=2.0)
    assert one.finish() and two.finish() and one.id != two.id
    assert {v for _, _, v in service.points(one.id)} == {1.0} and {v for _, _, v in service.points(two.id)} == {2.0}


def test_context_manager_says_how_it_ended(service):
    with pytest.raises(ZeroDivisionError):
        with attach(service) as run:
            run.step(loss=1.0)
            raise ZeroDivisionError("boom")
    end = service.bodies("end")[0].end
    assert (end.status, end.message) == ("failed", "ZeroDivisionError: boom")
    with pytest.raises(KeyboardInterrupt):
        with attach(service) as second:
            raise KeyboardInterrupt
    assert service.bodies("end", second.id)[0].end.status == "interrupted"


def test_nonsense_never_raises(service, caplog):
    run = attach(service, loss="hinge", optimizer=object(), onnx=b"?", resume=None)
    run.step(loss="not a number")
    run.step(loss=[1, 2, 3])
    run.step(loss=1.0, parameters=5)
    run.log({"x" * 300: 1.0, "a\nb": 1.0, "\ud800": 1.0, "": 1.0})
    run.log({"fine": object()})
    run.log(None)
    run.step(loss=2.0)
    assert run.finish("exploded", "\ud800")
    assert service.bodies("end")[0].end.status == "failed"
    assert run.finish() is True  # twice is once
    run.step(loss=3.0)
    assert [v for n, _, v in service.points() if n == "loss.train"][-1] == 2.0
    assert [r.gap.reason for r in service.bodies("gap")] == ["encode"]
    assert service.bodies("gap")[0].gap.points == 4
    odd = stagewatch.attach(None, address="%%%", tags=7, drain_seconds=0, quiet=True)
    odd.step(loss=1.0)
    assert odd.finish() is False


def test_a_dead_service_never_stalls_a_step(tmp_path):
    """A listening socket that never answers: the worst kind of away."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        run = stagewatch.attach(None, address=f"127.0.0.1:{deaf.getsockname()[1]}", quiet=True, drain_seconds=0.5)
        for step in range(2000):
            run.step(loss=1.0)
        assert run.finish() is False


def test_a_run_that_nobody_holds_ends(service):
    run = attach(service)
    run.step(loss=1.0)
    service.wait_for(lambda: service.points())
    threads = threading.active_count()
    del run
    service.wait_for(lambda: service.bodies("end"))
    assert service.bodies("end")[0].end.message == "the run was released"
    service.wait_for(lambda: threading.active_count() < threads)


def test_heartbeats_while_training_is_silent(service, monkeypatch):
    monkeypatch.setattr(pipeline_module, "HEARTBEAT_S", 0.1)
    run = attach(service)
    run.step(loss=1.0)
    service.wait_for(lambda: len(service.bodies("heartbeat")) >= 2)
    assert run.finish()
    assert_sound(service)


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
