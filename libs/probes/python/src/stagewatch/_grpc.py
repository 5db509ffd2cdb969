"""gRPC without what it does at a fork, where nobody else in the process has imported it yet.

Its handlers write to the terminal, and can break what is forked: workers of a DataLoader, or any program that is started. A
forked child never speaks through this package, so there is nothing that they would be needed for.
"""

from __future__ import annotations

import os

_SWITCH = "GRPC_ENABLE_FORK_SUPPORT"

if _SWITCH in os.environ:
    import grpc
else:
    os.environ[_SWITCH] = "0"
    try:
        import grpc

        # What it reads at its first use.
        grpc.insecure_channel("127.0.0.1:1").close()
    finally:
        # For this process alone, and not for those that it starts.
        del os.environ[_SWITCH]

__all__ = ["grpc"]
