"""A hand-written loop that is attached to the double, and what must hold of everything it sent."""

from __future__ import annotations

import stagewatch


def attach(service, **options):
    options.setdefault("quiet", True)
    options.setdefault("name", "test")
    return stagewatch.attach(None, address=service.address, **options)


def assert_sound(service, run=None):
    """In order, and of each announced snapshot it is said what became of it."""
    assert_in_order(service, run)
    announced = {record.sequence: record.step for record in service.bodies("taken", run)}
    came = {record.snapshot.taken: record.snapshot.step for record in service.bodies("snapshot", run)}
    withdrawn = [sequence for record in service.bodies("gap", run) for sequence in record.gap.taken]
    assert sorted([*came, *withdrawn]) == sorted(announced)
    assert all(announced[sequence] == step for sequence, step in came.items())


def assert_in_order(service, run=None):
    """Sequences from 1 without a hole, steps that never decrease."""
    assert service.out_of_order == []
    assert sorted(service.records[run or service.only_run()]) == list(range(1, len(service.in_order(run)) + 1))
