"""A hand-written loop against the double: what arrives, and in which order."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest
from attached_loop import assert_in_order, assert_sound, attach

import stagewatch
from stagewatch import pipeline as pipeline_module
from stagewatch import wire


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
    steps = [record.snapshot.step for record in snapshots]
    assert steps[:11] == list(range(11)) and steps == sorted(set(steps)) and len(steps) < 40
    assert calls == steps  # the function is only asked when a snapshot is due
    for record in snapshots:
        blob = service.blobs[record.snapshot.blob]
        slots = {t.name: t for t in record.snapshot.tensors}
        assert (slots["w"].dtype, list(slots["w"].shape), slots["b"].dtype) == ("float32", [3, 2], "float64")
        for name, dtype in (("w", "<f4"), ("b", "<f8")):
            slot = slots[name]
            values = np.frombuffer(blob[slot.offset : slot.offset + slot.bytes], dtype)
            assert (values == record.snapshot.step * (1 if name == "w" else 2)).all()
        # The step's own loss came first.
        assert any(("loss.train", record.snapshot.step, 1.0) == p for p in _points_before(service, record.snapshot.taken))


def _points_before(service, sequence):
    found = []
    for record in service.in_order():
        if record.sequence < sequence:
            b = record.scalars
            found += [(b.names[i], s, v) for i, s, v in zip(b.name_index, b.steps, b.values)]
    return found


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
    assert_in_order(service)  # nothing more was wanted, nor said


def _gaps_of(service):
    steps = [r.step for r in service.bodies("snapshot")]
    return [b - a for a, b in zip(steps, steps[1:])]


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
    assert run.finish("exploded", "\ud800") is False  # four of its numbers have no place
    assert service.bodies("end")[0].end.status == "failed"
    assert run.finish() is False and len(service.bodies("end")) == 1  # twice is once
    run.step(loss=3.0)
    assert [v for n, _, v in service.points() if n == "loss.train"][-1] == 2.0
    assert [r.gap.reason for r in service.bodies("gap")] == ["encode"]
    assert service.bodies("gap")[0].gap.points == 4
    odd = stagewatch.attach(None, address="%%%", tags=7, drain_seconds=0, quiet=True)
    odd.step(loss=1.0)
    assert odd.finish() is False


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
