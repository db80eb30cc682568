# shellcheck shell=bash
# A throw-away copy of the sources, owned by an ordinary user, in which everything is built and run. Whatever way the
# script ends, no server, process or file of it stays behind.

# in_sandbox SCRIPT ARGUMENT...: runs SCRIPT (a path inside the project) in a fresh copy and ends with its status. As root
# the copy belongs to `postgres`, since initdb refuses to run as root. The script finds the copy as its working directory,
# free space beside it in $NPHD_SANDBOX, and a clean environment. A function prepare_sources, if there is one, is given the
# copy before that: for what only the user who started this can fetch.
in_sandbox() {
    local user=() box status=0
    # A socket's path may have 107 bytes, so the sandbox is not put somewhere deep.
    if [ "$(id -u)" -eq 0 ]; then
        box=$(mktemp -d /tmp/nphd.XXXXXX)
        user=(setpriv --reuid="$(sandbox_user)" --regid="$(id -g "$(sandbox_user)")" --init-groups)
    else
        box=$(mktemp -d "${TMPDIR:-/tmp}/nphd.XXXXXX")
    fi
    # shellcheck disable=SC2064 # the box of now
    trap "leave_sandbox '$box'" EXIT
    trap 'exit 130' INT TERM HUP
    mkdir "$box/src" "$box/home" "$box/tmp"
    copy_sources "$box/src"
    if declare -F prepare_sources >/dev/null; then prepare_sources "$box/src"; fi
    [ "$(id -u)" -ne 0 ] || chown -R "$(sandbox_user):" "$box"

    local keep=(PATH="$PATH" HOME="$box/home" TMPDIR="$box/tmp" LANG=C.UTF-8 LC_ALL=C.UTF-8 NPHD_SANDBOX="$box")
    local name
    for name in PG_CONFIG CXX TERM ${!NPHD_*}; do
        [ -z "${!name:-}" ] || [ "$name" = NPHD_SANDBOX ] || keep+=("$name=${!name}")
    done
    # A session of its own, so that the whole family can be told to end; in the background, so that a signal is heard at once.
    cd "$box/src" || exit
    setsid "${user[@]}" env -i "${keep[@]}" bash "$@" </dev/null &
    SANDBOX_GROUP=$!
    wait "$SANDBOX_GROUP" || status=$?
    exit "$status"
}

# collect_from_sandbox DIRECTORY SCRIPT ARGUMENT...: in_sandbox, after which this script goes on where SCRIPT succeeded; the files
# that it left in $NPHD_RESULTS are then in DIRECTORY, which must exist.
collect_from_sandbox() {
    local target
    target=$(realpath -e -- "$1")
    export NPHD_RESULTS
    NPHD_RESULTS=$(mktemp -d "${TMPDIR:-/tmp}/nphd-results.XXXXXX")
    trap 'rm -rf "$NPHD_RESULTS"' EXIT
    [ "$(id -u)" -ne 0 ] || chown "$(sandbox_user):" "$NPHD_RESULTS"
    (in_sandbox "${@:2}")
    cp "$NPHD_RESULTS"/* "$target/"
}

sandbox_user() { if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi; }

leave_sandbox() {
    local box=$1 pid_file postmaster
    trap '' INT TERM HUP
    cd /
    if [ -n "${SANDBOX_GROUP:-}" ]; then kill -TERM -- "-$SANDBOX_GROUP" 2>/dev/null || true; fi
    # A postmaster leads a session of its own. SIGQUIT is its immediate shutdown.
    find "$box" -name postmaster.pid 2>/dev/null | while read -r pid_file; do
        postmaster=$(head -n 1 "$pid_file" 2>/dev/null) || continue
        kill -QUIT "$postmaster" 2>/dev/null || continue
        for _ in $(seq 50); do
            kill -0 "$postmaster" 2>/dev/null || break
            sleep 0.1
        done
    done
    if [ -n "${SANDBOX_GROUP:-}" ]; then kill -KILL -- "-$SANDBOX_GROUP" 2>/dev/null || true; fi
    rm -rf "$box"
}

# copy_sources DIRECTORY: what git knows or would add, as it is in the working tree; without git everything but products.
copy_sources() {
    local root list
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    list=$(mktemp)
    # The tree may belong to another user than the one who runs this.
    if git -C "$root" -c safe.directory='*' ls-files -z --cached --others --exclude-standard >"$list" 2>/dev/null; then
        (cd "$root" && xargs -0 -r sh -c 'for f; do [ ! -f "$f" ] || printf "%s\0" "$f"; done' sh <"$list") |
            tar -C "$root" --null -T - -cf - | tar -C "$1" --no-same-owner -xf -
    else
        tar -C "$root" --exclude=./.git --exclude='./build*' --exclude='*.o' --exclude='*.so' --exclude=./tmp_check -cf - . |
            tar -C "$1" --no-same-owner -xf -
    fi
    rm -f "$list"
}
