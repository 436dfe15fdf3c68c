#!/bin/sh
# Runs a command on a throw-away Linux host: see examples/linux/run.sh.
exec "$(dirname "$0")/../../examples/linux/run.sh" "$@"
