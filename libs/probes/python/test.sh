#!/bin/sh
# Builds the wheel, installs it and tests what was installed, with each interpreter:   ./test.sh [PYTHON…]
# Without one it is the Python of the tests (.cache/py, made by `npm run check`), or else the system's.
# Nothing is downloaded: the dependencies are those that each interpreter sees already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$(cd "$here/../../.." && pwd)
if [ $# -eq 0 ]; then
  if [ -x "$root/.cache/py/bin/python" ]; then set -- "$root/.cache/py/bin/python"; else set -- /usr/bin/python3; fi
fi
builder=$(command -v "$1")
case $builder in /*) ;; *) builder=$PWD/$builder ;; esac

# From a copy: a build leaves folders beside the sources.
cp -R "$here/pyproject.toml" "$here/README.md" "$here/src" "$work/"
find "$work" -name __pycache__ -prune -exec rm -rf {} +
(cd "$work" && "$builder" -m pip wheel -q --no-build-isolation --no-deps --no-index -w "$work/dist" .)

for python in "$@"; do
  # A venv beside the interpreter that sees exactly what it sees, whether that is a system's Python or a venv itself.
  "$python" -m venv "$work/venv"
  "$python" -c 'import sys; print("\n".join(p for p in sys.path if p.endswith("-packages")))' \
    > "$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/parent.pth"
  "$work/venv/bin/python" -m pip install -q --no-deps --no-index --disable-pip-version-check "$work"/dist/stagewatch-*.whl
  (cd "$work" && "$work/venv/bin/python" -c 'import stagewatch; assert "venv" in stagewatch.__file__, stagewatch.__file__')
  "$work/venv/bin/python" -m pytest -q -p no:cacheprovider --rootdir "$here/tests" "$here/tests"
  rm -rf "$work/venv"
done
