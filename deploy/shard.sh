#!/bin/sh
# One shard of one operation: applies its part of a scope, or takes up what an earlier attempt of it left.
#
# Arguments        of `patchmode apply` alone: scope, settings, waves, and for a first roll-out --max-changes 100%:
#                  with --yes, more than 500 machines and more than half of the shard are refused without it
# PATCHMODE_SHARD  which part: 2/8
# SHARDS_DIR       a folder that outlives this process and that every shard sees; a new one for each operation
# CARRYING         options of both apply and resume, if any: --max-failures 5%
#
# Ends as `patchmode apply` or `patchmode runs resume` does. SIGTERM stops it cleanly: the next attempt goes on.
set -eu
: "${PATCHMODE_SHARD:?must name the part, for example 2/8}"
: "${SHARDS_DIR:?must name the folder of this operation}"
export PATCHMODE_STATE_DIR="$SHARDS_DIR/shard-${PATCHMODE_SHARD%/*}"
report="$PATCHMODE_STATE_DIR/report.json"
mkdir -p "$SHARDS_DIR"
(umask 077 && mkdir -p "$PATCHMODE_STATE_DIR") # journals are nobody else's

runs=$(patchmode runs list -q -o json --query 'length(runs)')
# shellcheck disable=SC2086 # CARRYING holds several words
if [ "$runs" = 0 ]; then
    patchmode apply "$@" ${CARRYING:-} --yes --no-progress -o json > "$report.new" &
else
    patchmode runs resume latest ${CARRYING:-} --no-progress -o json > "$report.new" &
fi
child=$!
trap 'kill -TERM "$child" 2> /dev/null || true' TERM INT
while :; do
    code=0
    wait "$child" || code=$?
    # A signal ends the wait, and not the child: it still follows what is under way.
    kill -0 "$child" 2> /dev/null || break
done
# What ended before it could print leaves the report of an earlier attempt as it is.
if [ -s "$report.new" ]; then mv "$report.new" "$report"; fi
exit "$code"
