#!/bin/sh
# Writes the wire contract as data: `src/stagewatch/_descriptors.binpb`. With --check it only compares.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out="$here/src/stagewatch/_descriptors.binpb"
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
(cd "$here/../../.." && npx --no-install buf build proto --exclude-source-info -o "$fresh#format=binpb")
if [ "${1:-}" = --check ]; then
  cmp "$fresh" "$out" || { echo "_descriptors.binpb is not what proto/ says: run $0" >&2; exit 1; }
else
  cp "$fresh" "$out"
  chmod 644 "$out"
fi
