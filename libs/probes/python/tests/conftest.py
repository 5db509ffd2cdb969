from __future__ import annotations

import logging

import pytest

# Before anything imports gRPC: this process forks too.
from stagewatch import sender

from fake_service import FakeService  # isort: skip

# Their assertions are to show the values too.
pytest.register_assert_rewrite("attached_loop", "torch_training")


@pytest.fixture
def service():
    fake = FakeService().start()
    yield fake
    fake.stop()


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Reconnecting without the manners that a real service deserves."""
    monkeypatch.setattr(sender, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(sender, "LONGEST_PAUSE_S", 0.1)


@pytest.fixture(autouse=True)
def secret_folder(monkeypatch, tmp_path_factory):
    """Not the home folder of whoever runs these tests."""
    # Not inside `tmp_path`: tests look at what is left there.
    folder = tmp_path_factory.mktemp("secrets") / "run-secrets"
    monkeypatch.setenv("STAGEWATCH_SECRET_FOLDER", str(folder))
    monkeypatch.setenv("STAGEWATCH_UNDELIVERED_FOLDER", str(folder.parent / "undelivered"))
    return folder


@pytest.fixture(autouse=True)
def loud(caplog):
    caplog.set_level(logging.INFO, logger="stagewatch")
