"""The small parts: cadence, clock, layout, spool, checksums, names of errors."""

from __future__ import annotations

import math
import os
import subprocess
import zlib
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from stagewatch.cadence import Cadence, Wish
from stagewatch.clock import StepClock
from stagewatch.conventions import MSE, BinaryCrossEntropy, CrossEntropy, Huber, Unsupported, loss_fields, read_loss
from stagewatch.errors import read_refusal
from stagewatch.layout import make_layout
from stagewatch.probe_set import make_probe_set
from stagewatch.snapshot_queue import SnapshotQueue, least_missed
from stagewatch.snapshots import ArrayParameters, SnapshotItem
from stagewatch.spool import Spool
from stagewatch.uploads import CrcJoin
from stagewatch.wire import StreamRecordsRequest, Record, UploadBlobRequest, batch_request, chunk_request


def steps_of(cadence, last, first=0):
    taken = []
    for step in range(first, last):
        if cadence.due(step):
            cadence.taken(step)
            taken.append(step)
    return taken


def test_every_step_to_ten_then_a_tenth_more_each_time():
    steps = steps_of(Cadence(), 3000)
    assert steps[:11] == list(range(11))
    ratios = [b / a for a, b in zip(steps, steps[1:]) if a >= 50]
    assert all(1.05 < r <= 1.12 for r in ratios)


def test_cadence_counts_from_the_first_step_and_restarts_after_a_jump():
    assert steps_of(Cadence(500), 515, 500)[:11] == list(range(500, 511))
    cadence = Cadence()
    cadence.learning_rate(0, 0.1)
    steps_of(cadence, 300)
    cadence.learning_rate(300, 0.2)
    assert steps_of(cadence, 312, 300)[:10] == list(range(300, 310))
    smooth = Cadence()
    for step in range(1, 100):
        smooth.learning_rate(step, 0.1 * 1.5 ** step)  # a warm-up is no event
    assert len(steps_of(smooth, 100)) < 45


def test_a_wish_changes_the_cadence_and_asking_is_once():
    cadence = Cadence()
    steps_of(cadence, 100)
    cadence.change(Wish(100, 7, 1.0))
    steps = steps_of(cadence, 200, 100)
    assert set(np.diff(steps)) == {7}
    cadence.ask()
    assert cadence.due(201) == "asked"
    cadence.taken(201)
    assert cadence.due(202) == ""
    cadence.change(Wish.of(SimpleNamespace(from_step=0, every_steps=0, factor=math.nan, until_step=0, for_ms=0)))  # nonsense is every step, not a crash
    assert steps_of(cadence, 210, 202)


def test_a_fixed_cadence_heeds_no_wish_and_no_learning_rate():
    cadence = Cadence(3, every=5)
    assert steps_of(cadence, 20, 3) == [3, 8, 13, 18]
    cadence.ask()
    cadence.change(Wish(20, 1, 1.0))
    cadence.learning_rate(20, 0.1)
    cadence.learning_rate(26, 10.0)
    assert steps_of(cadence, 35, 20) == [23, 28, 33]
    # Step 38 found no buffer; the next one is in its place again.
    assert steps_of(cadence, 50, 40) == [40, 43, 48]


@pytest.mark.parametrize("order", ["auto", "after", "before"])
def test_clock_matches_losses_to_updates(order):
    for when in (("after", "before") if order == "auto" else (order,)):
        clock = StepClock(3, hooked=True, order=order)
        seen = []
        for _ in range(5):
            if when == "before":
                seen.append((clock.report(), clock.update()))
            else:
                update = clock.update()
                seen.append((clock.report(), update))
        assert seen == [(s, s) for s in range(3, 8)]


def test_clock_with_reports_now_and_then():
    clock = StepClock(0, hooked=True)
    reported = []
    for t in range(1, 31):
        clock.update()
        if t % 10 == 0:
            reported.append(clock.report())
    assert reported == [9, 19, 29]


def test_layout_aligns_each_tensor():
    layout = make_layout([("a", "float32", (3,)), ("b", "float64", (2, 2)), ("c", "float32", ())])
    assert [(s.offset, s.bytes) for s in layout.slots] == [(0, 12), (16, 32), (48, 4)] and layout.total_bytes == 52


def test_spool_gives_back_what_it_took_and_its_space(tmp_path):
    spool = Spool(1000, str(tmp_path))
    refs = [spool.put(bytes([i]) * 100) for i in range(10)]
    assert spool.put(b"x") is None and spool.bytes == 1000
    assert [bytes(spool.view(r)) for r in refs] == [bytes([i]) * 100 for i in range(10)]
    view = spool.view(refs[3])
    for ref in refs:
        spool.drop(ref)
        spool.drop(ref)  # twice is once
    assert spool.bytes == 0 and bytes(view) == bytes([3]) * 100
    assert spool.put(b"again") is not None
    spool.close()
    assert os.listdir(tmp_path) == []


def test_spool_on_a_full_disk_says_no(tmp_path):
    """A tmpfs of 64 KiB, where this user may mount one."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True)
    if done.returncode != 0:
        pytest.skip("may not mount a tmpfs")
    try:
        spool = Spool(1 << 30, str(tmp_path))
        kept = [r for r in (spool.put(bytes([i]) * 10_000) for i in range(10)) if r is not None]
        assert 1 <= len(kept) < 10
        for i, ref in enumerate(kept):
            assert bytes(spool.view(ref)) == bytes([i]) * 10_000
        spool.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_spool_where_nothing_can_be_written():
    assert Spool(1000, "/proc/nowhere").put(b"x") is None


@pytest.mark.parametrize("length", [1, 7, 64, 1000, 1 << 16])
def test_crc_of_pieces_is_the_crc_of_the_whole(length):
    random = np.random.default_rng(length)
    first, second = random.bytes(12345), random.bytes(length)
    assert CrcJoin(length).append(zlib.crc32(first), zlib.crc32(second)) == zlib.crc32(first + second)
    assert CrcJoin(length).append(0, zlib.crc32(second)) == zlib.crc32(second)


def test_frames_by_hand_are_what_protobuf_reads():
    data = bytes(range(256)) * 10
    chunk = UploadBlobRequest.FromString(chunk_request(1 << 40, 0xDEADBEEF, memoryview(data))).chunk
    assert (chunk.offset, chunk.crc32, chunk.data) == (1 << 40, 0xDEADBEEF, data)
    records = [Record(sequence=i, step=i).SerializeToString() for i in range(1, 300)]
    batch = StreamRecordsRequest.FromString(batch_request(records)).batch
    assert [r.sequence for r in batch.records] == list(range(1, 300))


def test_probe_sets_are_the_same_bytes_for_the_same_seed():
    x, y = np.random.default_rng(0).standard_normal((100, 3)), np.arange(100) % 4
    one, two = (make_probe_set((x, y), CrossEntropy(), 20, seed=5) for _ in range(2))
    assert one.digest == two.digest and len(one.x) == 20 and one.x.dtype == np.float32 and one.y.dtype == np.int64
    rows = [int(np.flatnonzero((x.astype(np.float32) == row).all(1))[0]) for row in one.x]
    assert rows == sorted(rows) and list(one.y) == [r % 4 for r in rows]
    assert make_probe_set((x, x[:, 0]), MSE(), 100).y.shape == (100, 1)
    for bad in ((x, y[:50]), (x[:0], y[:0]), (x, y.astype(float))):
        with pytest.raises(Unsupported):
            make_probe_set(bad, CrossEntropy())
    with pytest.raises(Unsupported):
        make_probe_set((x, y), MSE())


def test_losses_by_name_and_module():
    class CrossEntropyLoss:
        weight, label_smoothing, reduction, ignore_index = None, 0.1, "mean", 7

    class BCEWithLogitsLoss:
        weight, pos_weight, reduction = None, None, "mean"

    class HuberLoss:
        delta, reduction = 0.5, "mean"

    class SmoothL1Loss:
        beta, reduction = 2, "mean"

    assert read_loss("cross_entropy") == CrossEntropy() and read_loss("MSE") == MSE() and read_loss(None) is None
    assert read_loss("huber") == Huber() and read_loss("binary-cross-entropy") == BinaryCrossEntropy()
    assert read_loss(CrossEntropyLoss()) == CrossEntropy(label_smoothing=0.1, ignore_index=7)
    assert read_loss(BCEWithLogitsLoss()) == BinaryCrossEntropy()
    assert read_loss(HuberLoss()) == Huber(delta=0.5) and read_loss(SmoothL1Loss()) == Huber(delta=2.0, smooth_l1=True)
    CrossEntropyLoss.weight, BCEWithLogitsLoss.pos_weight, HuberLoss.reduction, SmoothL1Loss.beta = [1], [1], "sum", 0
    for bad in ("hinge", CrossEntropyLoss(), BCEWithLogitsLoss(), HuberLoss(), SmoothL1Loss(), 3):
        with pytest.raises(Unsupported):
            read_loss(bad)
    for wrong in (lambda: MSE(reduction="median"), lambda: Huber(delta=0), lambda: CrossEntropy(label_smoothing=2),
                  lambda: CrossEntropy(tokens="median")):
        with pytest.raises(ValueError):
            wrong()


def test_losses_on_the_wire():
    fields = loss_fields(CrossEntropy(label_smoothing=0.1, ignore_index=-100, tokens="sum", classes_second=True))
    assert fields == {"kind": 1, "label_smoothing": 0.1, "ignored_class": -100, "probabilities": False, "classes_second": True, "tokens": 3}
    assert loss_fields(Huber(delta=2.0, smooth_l1=True)) == {"kind": 5, "reduction": 2, "delta": 2.0}
    assert loss_fields(BinaryCrossEntropy(reduction="sum")) == {"kind": 3, "reduction": 1}
    assert loss_fields(None) == {}


class FakeError(grpc.RpcError):
    def __init__(self, status, body=None):
        self._status, self._body = status, body

    def code(self):
        return self._status

    def details(self):
        return "details"

    def trailing_metadata(self):
        return (("other", "x"),) + ((("stagewatch-error", self._body),) if self._body is not None else ())


@pytest.mark.parametrize("status, body, code, lasting", [
    (grpc.StatusCode.UNAVAILABLE, None, "UNAVAILABLE", False),
    (grpc.StatusCode.UNIMPLEMENTED, None, "UNIMPLEMENTED", True),
    (grpc.StatusCode.INTERNAL, "not json", "INTERNAL", False),
    (grpc.StatusCode.INVALID_ARGUMENT, '{"code": "UNKNOWN_OP", "message": "m", "field": "node"}', "UNKNOWN_OP", True),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, '{"code": "STORAGE_FULL", "retryAfterMs": 5000}', "STORAGE_FULL", False),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, '{"code": "BLOB_TOO_LARGE"}', "BLOB_TOO_LARGE", True),
    (grpc.StatusCode.ALREADY_EXISTS, '{"code": "IDENTITY_IN_USE"}', "IDENTITY_IN_USE", False),
    (grpc.StatusCode.INVALID_ARGUMENT, "[]", "INVALID_ARGUMENT", True),
])
def test_refusals(status, body, code, lasting):
    refusal = read_refusal(FakeError(status, body))
    assert (refusal.code, refusal.lasting) == (code, lasting)
    assert refusal.retry_after_s == (5.0 if code == "STORAGE_FULL" else 0.0)


def test_a_snapshot_that_is_withdrawn_while_it_is_uploaded_keeps_its_bytes_until_then():
    source = ArrayParameters({"w": np.zeros(4, np.float32)}, 1 << 20)
    queue = SnapshotQueue(Spool(0), 0)

    def item(step):
        buffer = source.copy({"w": np.full(4, step, np.float32)})
        return SnapshotItem(step, 0.1, "cadence", source.layout, buffer, source.pool, 0)

    queue.append(item(1), 1)
    queue.append(item(2), 2)
    under_way = queue.take()
    data = queue.data(under_way)
    assert [queued.announced for queued in queue.clear()] == [1, 2] and len(queue) == 0
    assert source.pool.in_use == 1
    source.copy({"w": np.full(4, 9, np.float32)})
    assert (np.frombuffer(data, "<f4") == 1).all()
    queue.done(under_way)
    assert source.pool.in_use == 1  # that of the copy


def test_what_is_thinned_stays_spaced_geometrically_and_keeps_the_newest():
    steps = list(range(200))
    while len(steps) > 20:
        steps.pop(least_missed(steps, [False] * len(steps)))
    assert steps[-1] == 199 and steps[0] <= 1
    ratios = [(b + 1) / (a + 1) for a, b in zip(steps, steps[1:])]
    assert max(ratios) < 2.1
    assert least_missed([3], [False]) is None and least_missed([1, 2, 3], [True, True, False]) is None
