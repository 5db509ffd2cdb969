"""Whose a live run is: the job that was killed takes it up at once, and nobody else does."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading

import pytest
from attached_loop import attach

from stagewatch import attachment, run_secrets
from stagewatch.run_secrets import RunSecrets

SECRET = "s" * 43
KILLED = """
import os, time, stagewatch
run = stagewatch.attach(None, address=os.environ["ADDRESS"], quiet=True)
run.step(loss=1.0)
assert run.wait_attached(20)
print(run.id, flush=True)
time.sleep(60)
"""


def killed_job(service):
    """A run whose process is gone without a word."""
    path = os.pathsep.join(p for p in sys.path if p)
    process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "ADDRESS": service.address, "PYTHONPATH": path})
    run = process.stdout.readline().strip()
    service.wait_for(lambda: service.points(run))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return run


def waiting_for_its_run(service, secret_folder, caplog, **options):
    """A job without the secret of the run that it takes up, twenty steps on."""
    killed = killed_job(service)
    (secret_folder / killed).write_text("damaged")
    run = attach(service, resume=killed, **options)
    for step in range(20):
        run.step(loss=float(step))
    service.wait_for(lambda: "cannot be resumed yet" in caplog.text)
    return killed, run


def test_a_job_that_was_killed_takes_its_run_up_at_once(service, secret_folder):
    killed = killed_job(service)
    assert service.bodies("end", killed) == []
    run = attach(service, resume=killed, first_step=7)
    run.step(loss=2.0)
    assert run.finish() and (run.id, run.attempt) == (killed, 2)
    assert [p[1] for p in service.points(killed)] == [7]
    assert run.status()["warnings"] == 0
    file = secret_folder / killed
    assert file.read_text() == service.secrets[killed]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(secret_folder.stat().st_mode) == 0o700
    assert [path.name for path in secret_folder.iterdir()] == [killed]


def test_without_the_secret_it_waits_until_the_run_counts_as_lost(service, secret_folder, caplog):
    killed, run = waiting_for_its_run(service, secret_folder, caplog, first_step=7)
    assert run.id is None and len(service.runs) == 1
    assert "no connection" not in caplog.text and "STAGEWATCH_SECRET_FOLDER" in caplog.text
    service.lost.add(killed)
    assert run.wait_attached(20) and (run.id, run.attempt) == (killed, 2)
    assert run.finish()
    assert [v for _, _, v in service.points(killed)] == [float(step) for step in range(20)]


def test_the_end_of_a_job_waits_for_a_run_that_is_still_taken(service, secret_folder, caplog):
    killed, run = waiting_for_its_run(service, secret_folder, caplog, drain_seconds=60)
    lost = threading.Timer(5.0, lambda: service.lost.add(killed))
    lost.start()
    assert run.finish() is True and (run.id, run.attempt) == (killed, 2)
    lost.join()
    assert len(service.points(killed)) == 20


def test_a_run_that_stays_another_jobs_is_left_alone_and_a_new_one_begins(service, monkeypatch, caplog):
    monkeypatch.setattr(attachment, "TAKEN_GRACE_S", 0.5)
    owner = attach(service)
    assert owner.wait_attached(20)
    monkeypatch.setenv("STAGEWATCH_RUN_SECRET", "x" * 43)
    stranger = attach(service, resume=owner.id)
    stranger.step(loss=3.0)
    assert stranger.wait_attached(20) and stranger.id != owner.id
    assert stranger.finish() and [v for _, _, v in service.points(stranger.id)] == [3.0]
    assert service.runs[owner.id]["attempt"] == 1
    assert "a new run begins" in caplog.text
    owner.finish()


def test_a_secret_from_the_environment_serves_processes_that_share_no_folder(service, monkeypatch, tmp_path):
    monkeypatch.setenv("STAGEWATCH_RUN_SECRET", SECRET)
    killed = killed_job(service)
    monkeypatch.setenv("STAGEWATCH_SECRET_FOLDER", str(tmp_path / "elsewhere"))
    run = attach(service, resume=killed)
    assert run.wait_attached(20) and run.attempt == 2
    assert service.secrets[killed] == SECRET
    run.finish()


def test_a_service_of_before_there_were_secrets(service, secret_folder):
    service.gives_secrets = False
    killed = killed_job(service)
    run = attach(service, resume=killed)
    assert run.wait_attached(20) and run.attempt == 2
    run.finish()
    assert not secret_folder.exists()


def test_a_folder_that_cannot_be_written_is_said_once_and_nothing_else(service, secret_folder, caplog):
    secret_folder.write_text("a file")
    run = attach(service)
    run.step(loss=1.0)
    assert run.finish()
    assert caplog.text.count("could not be kept") == 1


def test_the_folder_has_a_bound_and_the_oldest_go(tmp_path, monkeypatch):
    monkeypatch.setattr(run_secrets, "MOST_FILES", 3)
    kept = RunSecrets(str(tmp_path))
    for run in ("r1", "r2", "r3", "r4", "r5"):
        kept.keep(run, SECRET)
    assert [kept.shown(run) for run in ("r1", "r2", "r3", "r4", "r5")] == ["", "", SECRET, SECRET, SECRET]


@pytest.mark.parametrize("run", ["../x", "a/b", "", "x" * 65, "a\nb", "r1\n"])
def test_only_an_id_becomes_the_name_of_a_file(tmp_path, run):
    kept = RunSecrets(str(tmp_path / "folder"))
    kept.keep(run, SECRET)
    assert not (tmp_path / "folder").exists() and kept.shown(run) == ""
