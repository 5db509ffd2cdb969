"""What a job could not deliver is kept on disk, and comes in with the next job or by `sync`."""

from __future__ import annotations

import os

import numpy as np
import pytest
from attached_loop import assert_sound, attach

from stagewatch import cli, delivery
from stagewatch.undelivered import list_jobs


@pytest.fixture
def folder(monkeypatch, tmp_path):
    place = tmp_path / "undelivered"
    monkeypatch.setenv("STAGEWATCH_UNDELIVERED_FOLDER", str(place))
    monkeypatch.setattr(delivery, "PATIENCE_S", 2.0)
    return str(place)


def train(run, steps=200):
    for step in range(steps):
        run.step(loss=float(step), parameters={"w": np.full(50, step, np.float32)})


def assert_whole(service, run, steps=200):
    assert_sound(service, run)
    assert [v for n, _, v in service.points(run) if n == "loss.train"] == [float(s) for s in range(steps)]
    assert [r.end.status for r in service.bodies("end", run)] == ["finished"]
    snapshots = service.bodies("snapshot", run)
    assert len(snapshots) > 10
    for record in snapshots:
        assert (np.frombuffer(service.blobs[record.snapshot.blob], "<f4") == record.snapshot.step).all()


def test_a_job_whose_service_was_away_comes_in_with_the_next_one(service, folder, caplog):
    service.stop()
    run = attach(service, name="away", drain_seconds=0.3)
    train(run)
    assert run.finish() is False
    (kept,) = list_jobs(folder)
    assert kept["name"] == "away" and kept["records"] > 0 and kept["folder"] in caplog.text
    assert os.stat(kept["folder"]).st_mode & 0o077 == 0  # nobody else's to read
    service.start()
    second = attach(service, name="next")
    second.step(loss=1.0)
    service.wait_for(lambda: list_jobs(folder) == [])
    assert second.finish()
    (first,) = [run for run, about in service.runs.items() if about["request"].name == "away"]
    assert_whole(service, first)


def test_a_service_that_left_in_the_middle_gets_the_rest_by_sync(service, folder, capsys):
    run = attach(service, drain_seconds=0.3)
    train(run, 100)
    service.wait_for(lambda: len(service.points()) > 50)
    service.stop()
    for step in range(100, 200):
        run.step(loss=float(step), parameters={"w": np.full(50, step, np.float32)})
    assert run.finish() is False
    assert cli.main(["sync", "--list"]) == 0
    assert "test" in capsys.readouterr().out
    assert cli.main(["sync"]) == 1 and list_jobs(folder)  # the service is still away, and nothing is lost
    service.start()
    assert cli.main(["sync"]) == 0
    assert_whole(service, service.only_run())
    assert list_jobs(folder) == []
    assert cli.main(["sync"]) == 0 and "nothing waits" in capsys.readouterr().out


def test_what_is_kept_has_a_bound_and_can_be_discarded(service, folder):
    service.stop()
    for name in ("one", "two", "three"):
        run = attach(service, name=name, drain_seconds=0.1, spool_mib=1)
        for step in range(40):
            run.step(loss=1.0, parameters={"w": np.zeros(5000, np.float32)})
        run.finish()
    names = [job["name"] for job in list_jobs(folder)]
    assert "three" in names and len(names) < 3
    assert cli.main(["sync", "--discard", list_jobs(folder)[-1]["id"]]) == 0
    assert "three" not in [job["name"] for job in list_jobs(folder)]
    assert cli.main(["sync", "--discard", "nobody"]) == 2


def test_a_damaged_folder_stops_nobody(service, folder, capsys):
    service.stop()
    run = attach(service, drain_seconds=0.1)
    train(run)
    run.finish()
    (kept,) = list_jobs(folder)
    with open(os.path.join(kept["folder"], "records.bin"), "r+b") as file:
        file.truncate(100)
    service.start()
    assert cli.main(["sync"]) == 1
    assert "shorter than it was written" in capsys.readouterr().err
    second = attach(service)
    second.step(loss=1.0)
    assert second.finish()
