# shellcheck shell=bash
# What the machine must have. Things are looked for by themselves (a header, a command, a Perl module), so that a
# PostgreSQL from anywhere will do; what is missing is named, and installed, by its Debian package.

# The pg_config of a PostgreSQL that can run a server and build an extension: $PG_CONFIG if set, else the newest of
# Debian's, else the one in PATH. Prints nothing when there is none.
find_pg_config() {
    local candidate
    if [ -n "${PG_CONFIG:-}" ]; then
        if pg_is_complete "$PG_CONFIG"; then printf '%s\n' "$PG_CONFIG"; fi
        return 0
    fi
    for candidate in $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -rV) pg_config; do
        if pg_is_complete "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
}

pg_is_complete() {
    local bin include pgxs
    bin=$("$1" --bindir 2>/dev/null) && include=$("$1" --includedir-server 2>/dev/null) &&
        pgxs=$("$1" --pgxs 2>/dev/null) || return 1
    [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && [ -f "$include/postgres.h" ] && [ -f "$pgxs" ]
}

# The packages that bring a complete PostgreSQL: headers for the newest server that is there, or a server with them.
postgresql_packages() {
    local server
    case ${PG_CONFIG:-} in
    /usr/lib/postgresql/*) server=${PG_CONFIG#/usr/lib/postgresql/} && server=${server%%/*} ;;
    *) server=$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -rV | head -n 1 | cut -d/ -f5) ;;
    esac
    if [ -n "$server" ]; then
        printf 'postgresql-%s\npostgresql-server-dev-%s\n' "$server" "$server"
    else
        printf 'postgresql\npostgresql-server-dev-all\n'
    fi
}

has_header() { printf '#include <%s>\n' "$1" | "${CXX:-g++}" -E -x c++ - >/dev/null 2>&1; }

has_libfuzzer() {
    printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n' |
        clang++ -fsanitize=fuzzer,address,undefined -x c++ -o /dev/null - >/dev/null 2>&1
}

# missing_packages THING...: the packages that bring those of the named things that are not there.
missing_packages() {
    local thing
    for thing in "$@"; do
        case $thing in
        postgresql) [ -n "$(find_pg_config)" ] || postgresql_packages ;;
        compiler) command -v "${CXX:-g++}" >/dev/null || echo g++ ;;
        make | cmake | git | mmdebstrap) command -v "$thing" >/dev/null || echo "$thing" ;;
        gtest) has_header gtest/gtest.h || echo libgtest-dev ;;
        benchmark) has_header benchmark/benchmark.h || echo libbenchmark-dev ;;
        libpq) [ -f "$("${PG_CONFIG:-pg_config}" --includedir 2>/dev/null)/libpq-fe.h" ] || echo libpq-dev ;;
        faiss) has_header faiss/IndexBinaryHNSW.h || echo libfaiss-dev ;;
        hnswlib) has_header hnswlib/hnswlib.h || echo libhnswlib-dev ;;
        gnuplot) command -v gnuplot >/dev/null || echo gnuplot-nox ;;
        zlib) has_header zlib.h || echo zlib1g-dev ;;
        prove) command -v prove >/dev/null || echo perl ;;
        # Debian's interpreter: it finds Debian's modules.
        psycopg) /usr/bin/python3 -c 'import psycopg' 2>/dev/null || echo python3-psycopg ;;
        numpy) /usr/bin/python3 -c 'import numpy' 2>/dev/null || echo python3-numpy ;;
        node) command -v node >/dev/null || echo nodejs ;;
        npm) command -v npm >/dev/null || echo npm ;;
        ipc-run) perl -MIPC::Run -e 1 2>/dev/null || echo libipc-run-perl ;;
        clang) command -v clang++ >/dev/null || echo clang ;;
        libfuzzer) has_libfuzzer || echo "libclang-rt-$(clang++ -dumpversion | cut -d. -f1)-dev" ;;
        *) echo "missing_packages: unknown thing $thing" >&2 && return 1 ;;
        esac
    done
}

# need THING...: as root installs what is missing; anyone else is told what to install, and the script ends.
need() {
    local missing
    missing=$(missing_packages "$@" | sort -u | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        printf 'missing here: %s\ninstall it as root with\n' "$missing"
        printf '    apt-get install -y --no-install-recommends %s\nor run this script as root, which does it.\n' "$missing"
        exit 1
    fi
    printf 'installing: %s\n' "$missing"
    # shellcheck disable=SC2086 # a list of names
    install_packages $missing
    missing=$(missing_packages "$@" | sort -u | tr '\n' ' ')
    if [ -n "$missing" ]; then
        printf 'still missing after the installation: %s\n' "$missing"
        exit 1
    fi
}

# want THING...: as root installs what is missing, if it can. For stages that go without it, and say so.
want() {
    local missing
    missing=$(missing_packages "$@" | sort -u | tr '\n' ' ')
    missing=${missing% }
    if [ -z "$missing" ] || [ "$(id -u)" -ne 0 ]; then return 0; fi
    printf 'installing: %s\n' "$missing"
    # shellcheck disable=SC2086 # a list of names
    (install_packages $missing) || true
}

# fetch_node_packages DIRECTORY: what its package.json asks for, into its node_modules; with the settings of whoever runs this,
# and nothing left in their cache. Fails with npm's own words.
fetch_node_packages() {
    local cache log status=0
    command -v npm >/dev/null || return 0
    cache=$(mktemp -d) log=$(mktemp)
    (cd "$1" && timeout 120 npm install --no-audit --no-fund --no-package-lock --ignore-scripts --no-update-notifier \
        --fetch-retries=1 --cache "$cache") >"$log" 2>&1 </dev/null || status=$?
    [ "$status" -eq 0 ] || head -n 5 "$log"
    rm -rf "$cache" "$log"
    return "$status"
}

# install_packages NAME...: asks nothing, and has Debian create no database cluster of its own meanwhile.
install_packages() {
    local log no_cluster=/etc/postgresql-common/createcluster.d/nphd-tests.conf status=0
    log=$(mktemp)
    if [ ! -d /usr/lib/postgresql ]; then
        mkdir -p "${no_cluster%/*}"
        echo 'create_main_cluster = false' >"$no_cluster"
    fi
    export DEBIAN_FRONTEND=noninteractive
    # One dead third-party source must not stop us: whether the packages are to be had is seen at the next step.
    apt-get update -q >"$log" 2>&1 </dev/null || true
    apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >>"$log" 2>&1 </dev/null || status=$?
    rm -f "$no_cluster"
    if [ "$status" -ne 0 ]; then
        tail -n 30 "$log"
        echo "the installation of $* failed"
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
