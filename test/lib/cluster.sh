# shellcheck shell=bash
# Throw-away servers on a private socket, with the extension found outside the system's directories. Needs $PG_CONFIG.

PG_MAJOR=$("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
JOBS=$(nproc)
[ "$JOBS" -le 8 ] || JOBS=8

# install_extension DIRECTORY NAME=VALUE...: builds a module in DIRECTORY/build and installs it below DIRECTORY.
# Writes DIRECTORY/server.conf: the settings by which a server finds it there.
install_extension() {
    local at=$1 source=$PWD share lib
    shift
    share=$("$PG_CONFIG" --sharedir) lib=$("$PG_CONFIG" --pkglibdir)
    mkdir -p "$at/build"
    make -s -j "$JOBS" -C "$at/build" -f "$source/Makefile" VPATH="$source" PG_CONFIG="$PG_CONFIG" "$@" all
    make -s -C "$at/build" -f "$source/Makefile" VPATH="$source" PG_CONFIG="$PG_CONFIG" "$@" install DESTDIR="$at/root"
    if [ "$PG_MAJOR" -ge 18 ]; then
        printf "extension_control_path = '%s:\$system'\n" "$at/root$share" >"$at/server.conf"
    elif "$("$PG_CONFIG" --bindir)/postgres" --describe-config | grep '^extension_destdir' >/dev/null; then
        printf "extension_destdir = '%s'\n" "$at/root" >"$at/server.conf"
    else
        # Neither upstream's way (18) nor Debian's patch: only its own directories will do.
        make -s -C "$at/build" -f "$source/Makefile" VPATH="$source" PG_CONFIG="$PG_CONFIG" "$@" install
        : >"$at/server.conf"
        return
    fi
    printf "dynamic_library_path = '%s:\$libdir'\n" "$at/root$lib" >>"$at/server.conf"
}

# start_cluster DIRECTORY CONF_FILE SETTING...: a new cluster with checksums, and the environment to reach it.
start_cluster() {
    local at=$1 conf=$2 bin
    shift 2
    bin=$("$PG_CONFIG" --bindir)
    mkdir -p "$at"
    "$bin/initdb" --pgdata="$at/data" --username=postgres --auth=trust --data-checksums --no-locale --encoding=UTF8 \
        --no-sync >"$at/initdb.log" 2>&1 || { cat "$at/initdb.log" && return 1; }
    {
        printf "listen_addresses = ''\nunix_socket_directories = '%s'\n" "$at"
        printf 'fsync = off\nshared_buffers = 64MB\nmax_prepared_transactions = 8\n'
        printf "log_line_prefix = '%%m [%%p] %%q%%a '\n"
        cat "$conf"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >>"$at/data/postgresql.conf"
    "$bin/pg_ctl" --pgdata="$at/data" --log="$at/server.log" --wait start >"$at/pg_ctl.log" 2>&1 ||
        { cat "$at/pg_ctl.log" "$at/server.log" && return 1; }
    export PGHOST=$at PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

stop_cluster() { "$("$PG_CONFIG" --bindir)/pg_ctl" --pgdata="$1/data" --mode=fast --wait stop >/dev/null; }
