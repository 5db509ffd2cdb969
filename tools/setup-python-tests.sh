#!/usr/bin/env bash
# Makes the Python environment of the tests: .cache/py, which sees Debian's packages as well.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.cache/py
if [ ! -x "$folder/bin/python" ]; then
  /usr/bin/python3 -m venv --system-site-packages "$folder"
fi
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check 'clickhouse-connect==1.12.*'
"$folder/bin/python" -c 'import clickhouse_connect; print("clickhouse-connect", clickhouse_connect.__version__)'
