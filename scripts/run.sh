#!/bin/sh
# make run: flowtopd on this machine's kernel, and a viewer on it. The daemon ends with this viewer, and puts back
# what it changed. Where a daemon is running already, the viewer joins that one.
# Arguments go to the viewer.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
    echo "run: flowtopd needs root, using sudo"
    exec sudo -- "$0" "$@"
fi

bin=$PWD/.venv/bin
runtime=${FLOWTOP_RUNTIME_DIR:-/run/flowtop}
socket=$runtime/flowtop.sock
log=$(mktemp "${TMPDIR:-/tmp}/flowtopd.log.XXXXXX")
daemon=
started=no

accepts() {
    "$bin/python" -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$socket" 2>/dev/null
}

# shellcheck disable=SC2317 # called by the trap
finish() {
    trap - EXIT
    if [ -n "$daemon" ]; then
        if kill -TERM "$daemon" 2>/dev/null; then
            wait "$daemon" || true
        elif [ "$started" = yes ]; then
            echo "run: flowtopd ended before its viewer:" >&2
            cat "$log" >&2
        fi
    fi
    rm -f "$log"
}

failed() {
    echo "run: flowtopd did not start:" >&2
    cat "$log" >&2
    exit 1
}

if accepts; then
    echo "run: joining the flowtopd that is running in $runtime"
else
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # a session of its own: Ctrl-C in this terminal is for the viewer
    setsid "$bin/flowtopd" --runtime-dir "$runtime" --activate >"$log" 2>&1 </dev/null &
    daemon=$!
    tries=0
    until accepts; do
        kill -0 "$daemon" 2>/dev/null || failed
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || failed
        sleep 0.1
    done
    started=yes
    echo "run: flowtopd is running (pid $daemon), until this viewer is closed"
fi
echo "run: join it from another terminal:  sudo $bin/flowtop --socket $socket"
status=0
"$bin/flowtop" --socket "$socket" "$@" || status=$?
exit "$status"
