#!/bin/sh
# Installs patchmode from the checkout of this action, with the libraries that it is tested with, by their hashes.
#
# COMMAND  the command that follows: `iac check` needs parsers besides
# Of a runner: GITHUB_ACTION_PATH, GITHUB_PATH, RUNNER_TEMP
set -eu
root=$(cd "$GITHUB_ACTION_PATH/../.." && pwd)
libraries=runtime
if [ "$COMMAND" = "iac check" ]; then libraries=iac; fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "::error title=patchmode::patchmode needs Python 3.11 or later: use actions/setup-python before this step."
  exit 1
}
python3 -m venv "$RUNNER_TEMP/patchmode"
"$RUNNER_TEMP/patchmode/bin/pip" install --quiet --require-hashes -r "$root/requirements/$libraries.txt"
"$RUNNER_TEMP/patchmode/bin/pip" install --quiet --no-deps "$root"
echo "$RUNNER_TEMP/patchmode/bin" >> "$GITHUB_PATH"
