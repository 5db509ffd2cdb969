"""`stagewatch sync`: sends what jobs on this machine could not deliver before their end."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from typing import List, Optional

from .attaching import DEFAULT_ADDRESS
from .delivery import deliver
from .quiet import Quiet
from .run_secrets import RunSecrets
from .undelivered import default_folder, discard, list_jobs


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="stagewatch", description="The training side of Stagewatch.")
    commands = parser.add_subparsers(dest="command", required=True)
    sync = commands.add_parser("sync", help="send what jobs on this machine could not deliver before their end",
                               description="Sends what jobs on this machine could not deliver before their end. The next job that "
                                           "attaches does so by itself.")
    sync.add_argument("--address", help="of the service; else the one that each job was attached to")
    sync.add_argument("--folder", default=default_folder(), help="where it is kept (%(default)s)")
    sync.add_argument("--list", action="store_true", help="only say what there is")
    sync.add_argument("--discard", metavar="ID", help="remove what is kept of one job, unsent")
    options = parser.parse_args(arguments)
    jobs = list_jobs(options.folder)
    if options.discard is not None:
        return _discard(jobs, options.discard)
    if not jobs:
        print(f"nothing waits in {options.folder}")
        return 0
    failed = 0
    for job in jobs:
        when = datetime.fromtimestamp(job["made"]).strftime("%Y-%m-%d %H:%M")
        what = f"{job['id']}  {job['name']}, {when}: {job['records']} records, {len(job['snapshots'])} snapshots"
        if options.list:
            print(f"{what}, for {job['address']}")
            continue
        address = options.address or job["address"] or os.environ.get("STAGEWATCH_ADDRESS") or DEFAULT_ADDRESS
        print(f"{what} -> {address} ...", flush=True)
        try:
            sent = deliver(job, address, os.environ.get("STAGEWATCH_TOKEN") or None, Quiet(),
                           RunSecrets(os.environ.get("STAGEWATCH_SECRET_FOLDER") or None))
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"  cannot be read: {error}", file=sys.stderr)
            sent = False
        print("  sent" if sent else "  not all of it could be sent; it is kept")
        failed += 0 if sent else 1
    return 1 if failed else 0


def _discard(jobs: List[dict], wanted: str) -> int:  # type: ignore[type-arg]
    found = [job for job in jobs if job["id"] == wanted]
    if not found:
        print(f"no job {wanted!r} is kept; --list says which are", file=sys.stderr)
        return 2
    discard(found[0])
    print(f"removed {wanted}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
