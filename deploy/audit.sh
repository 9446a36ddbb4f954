#!/bin/sh
# One audit of a scope: what changed since the audit before is printed, and the audit is kept with its time.
#
# Arguments   of `patchmode audit`: scope and filters; the same each time
# AUDITS_DIR  a folder that outlives this process: TIME.json and TIME.html for each audit; latest.json is the newest
#
# Ends with 10 when a machine changed since the audit before, with 0 when none did or there was none before; with
# the code of the command that failed when an audit could not be made, and then latest.json stays. Findings alone are no alarm: a fleet has
# some every night. They are in the reports.
set -eu
: "${AUDITS_DIR:?must name the folder that keeps the audits}"
mkdir -p "$AUDITS_DIR"
latest="$AUDITS_DIR/latest.json"
audit="$AUDITS_DIR/$(date -u +%Y%m%dT%H%M%SZ)"

trap 'rm -f "$audit.new" "$latest.new"' EXIT

code=0
patchmode audit "$@" -q -o json > "$audit.new" || code=$?
if [ "$code" != 0 ] && [ "$code" != 10 ]; then exit "$code"; fi
# The machines are read again, after the audit that is kept: a change between the two is told tonight and tomorrow.
code=0
if [ -e "$latest" ]; then patchmode watch "$@" --once --baseline "$latest" || code=$?; fi
if [ "$code" != 0 ] && [ "$code" != 10 ]; then exit "$code"; fi
mv "$audit.new" "$audit.json"
patchmode report --from "$audit.json" --out "$audit.html" --exit-zero -q
cp "$audit.json" "$latest.new"
mv "$latest.new" "$latest"
exit "$code"
