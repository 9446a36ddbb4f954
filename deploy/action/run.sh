#!/bin/sh
# One command that only reads, its findings as SARIF, and an end that never passes an error for a clean result.
#
# COMMAND    audit, or iac check
# SELECTORS  its arguments; quotes as xargs reads them, and no shell reads them
# SARIF      the file to write
# FAIL_ON    findings: 10 fails too; errors: 10 is a warning
# Of a runner: GITHUB_OUTPUT, GITHUB_STEP_SUMMARY
#
# Ends with the command's own code; with 0 for findings where FAIL_ON is errors.
set -eu
refuse() {
  echo "::error title=patchmode::$1"
  exit 2
}
case "$FAIL_ON" in findings | errors) ;; *) refuse "fail-on is findings or errors." ;; esac
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
rm -f "$SARIF"
case "$COMMAND" in
  audit) set -- audit -o json ;;
  "iac check") set -- iac check -o sarif ;;
  *) refuse "command is audit or iac check: the others write, or have no SARIF." ;;
esac
# The code is kept in a file because xargs has codes of its own.
# shellcheck disable=SC2016  # the inner shell expands them
inner='kept=$1; shift; code=0; patchmode "$@" > "$kept/result" || code=$?; echo "$code" > "$kept/code"'
printf '%s\n' "$SELECTORS" | xargs -x sh -c "$inner" sh "$kept" "$@" || refuse "selectors has a quote without its end."
code=$(cat "$kept/code")
echo "code=$code" >> "$GITHUB_OUTPUT"
case "$code" in
  0 | 10) ;;
  *)
    echo "::error title=patchmode could not run (exit code $code)::No result, and no SARIF: this is not a clean $COMMAND. The lines above have the reason."
    exit "$code"
    ;;
esac
if [ "$COMMAND" = audit ]; then
  patchmode report --from "$kept/result" --out "$SARIF" --exit-zero --quiet
  patchmode report --from "$kept/result" -o markdown --exit-zero >> "$GITHUB_STEP_SUMMARY"
else
  cp "$kept/result" "$SARIF"
  # Once more for the log; the code that counts is known.
  printf '%s\n' "$SELECTORS" | xargs -x patchmode iac check || true
fi
echo "sarif=$SARIF" >> "$GITHUB_OUTPUT"
if [ "$code" = 0 ]; then exit 0; fi
if [ "$FAIL_ON" = errors ]; then
  echo "::warning title=patchmode has findings (exit code 10)::The $COMMAND has findings, or something could not be read: see $SARIF."
  exit 0
fi
echo "::error title=patchmode has findings (exit code 10)::The $COMMAND has findings, or something could not be read: see $SARIF."
exit 10
