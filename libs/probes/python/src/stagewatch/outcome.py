"""How a run ends when its job does not say it: by the last error that left the training loop, unless steps came after it."""

from __future__ import annotations

import dis
import os
import sys
import threading
import weakref
from types import CodeType, FrameType
from typing import Any, Dict, List, Optional, Set, Tuple

Status = Tuple[str, str]

#: These leave functions without anything being wrong.
_NO_ERRORS = (StopIteration, StopAsyncIteration, GeneratorExit)
_HERE = os.path.dirname(os.path.abspath(__file__))


def status_of(error: BaseException) -> Status:
    """Status and message of a job that this error ended."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "KeyboardInterrupt"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "finished", ""
    text = str(error)
    return "failed", f"{type(error).__name__}: {text}" if text else type(error).__name__


class Outcome:
    """One a run. The training thread writes; whoever ends the run reads."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self._error: Optional[Status] = None
        self._error_at: Tuple[int, int] = (-1, -1)
        self.thread = threading.get_ident()
        #: The functions that the training loop is in, as ids of their frames.
        self.frames: Set[int] = set()
        _outcomes.add(self)

    def saw(self, error: BaseException) -> None:
        if not isinstance(error, _NO_ERRORS):
            self._error, self._error_at = status_of(error), self.place

    @property
    def now(self) -> Status:
        """What is to be said if the run ends now, without a word of its job."""
        if self._error is not None and self._error_at == self.place:
            return self._error
        return "finished", ""

    @property
    def place(self) -> Tuple[int, int]:
        """How far training has come."""
        return int(self.clock.updates), int(self.clock.reported)

    def look(self) -> None:
        """Called inside the training loop: an error that leaves one of the functions that are under way now is its error."""
        frame: Optional[FrameType] = sys._getframe(1)
        while frame is not None:
            if not frame.f_code.co_filename.startswith(_HERE):
                self.frames.add(id(frame))
                _monitor.add(frame.f_code)
            frame = frame.f_back
        self.thread = threading.get_ident()


_outcomes: "weakref.WeakSet[Outcome]" = weakref.WeakSet()


class _Monitor:
    """Hears of errors that leave functions: from Python 3.12 on the interpreter tells, at no cost while nothing is raised."""

    def __init__(self) -> None:
        self._codes: Set[CodeType] = set()
        self._tool: Optional[int] = None
        self._tried = False

    def add(self, code: CodeType) -> None:
        if code in self._codes:
            return
        self._start()
        self._codes.add(code)
        if self._tool is not None:
            monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
            monitoring.set_local_events(self._tool, code, monitoring.events.PY_RETURN)

    def _start(self) -> None:
        if self._tried:
            return
        self._tried = True
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None:
            return
        for tool in (3, 4):
            if monitoring.get_tool(tool) is None:
                monitoring.use_tool_id(tool, "stagewatch")
                monitoring.register_callback(tool, monitoring.events.PY_UNWIND, self._unwound)
                monitoring.register_callback(tool, monitoring.events.PY_RETURN, self._returned)
                monitoring.set_events(tool, monitoring.events.PY_UNWIND)
                self._tool = tool
                return

    def _unwound(self, code: CodeType, _offset: int, error: BaseException) -> None:
        if code not in self._codes:
            return
        frame = id(sys._getframe(1))
        for outcome in list(_outcomes):
            if frame in outcome.frames:
                outcome.frames.discard(frame)
                outcome.saw(error)

    def _returned(self, _code: CodeType, _offset: int, _value: Any) -> None:
        frame = id(sys._getframe(1))
        for outcome in list(_outcomes):
            outcome.frames.discard(frame)


_monitor = _Monitor()


def watch_uncaught() -> None:
    """Errors that nobody catches, in the main thread and in others, whatever the version of Python."""
    before, before_in_threads = sys.excepthook, threading.excepthook

    def hook(kind: Any, error: Any, trace: Any) -> None:
        _seen(error)
        before(kind, error, trace)

    def hook_in_threads(arguments: Any) -> None:
        _seen(arguments.exc_value)
        before_in_threads(arguments)

    sys.excepthook = hook
    threading.excepthook = hook_in_threads


def _seen(error: Optional[BaseException]) -> None:
    for outcome in list(_outcomes):
        if error is not None and outcome.thread == threading.get_ident():
            outcome.saw(error)


def released_by_error() -> bool:
    """Called while something is being released: whether that is because the last word of a caught error is said.

    Before Python 3.12 nobody tells of errors that are caught, but the catching function shows it by the instruction that it is
    at: the end of an `except`.
    """
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename.startswith(_HERE) or frame.f_code.co_filename == weakref.__file__):
        frame = frame.f_back
    return frame is not None and _ends_except(frame)


def _ends_except(frame: FrameType) -> bool:
    before: List[str] = []
    for instruction in _instructions(frame.f_code):
        if instruction.offset > frame.f_lasti:
            break
        before.append(instruction.opname)
    # `except E as e` ends with `e = None`, behind the end of the block.
    names = [name for name in before[-4:] if name != "POP_BLOCK"]
    if not names:
        return False
    stores = names[-1] in ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
    return names[-1] == "POP_EXCEPT" or (stores and names[-3:-1] == ["POP_EXCEPT", "LOAD_CONST"])


_disassembled: Dict[CodeType, List[dis.Instruction]] = {}


def _instructions(code: CodeType) -> List[dis.Instruction]:
    if code not in _disassembled:
        _disassembled[code] = list(dis.get_instructions(code))
    return _disassembled[code]
