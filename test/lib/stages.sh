# shellcheck shell=bash
# The stages of test/run. Each runs in a shell of its own with its output in a log, leaves what it counted in
# $RESULT ("passed failed" a line) and a remark in $REMARK, and shows more than one line only when something is wrong.

run_stage() {
    local stage=$1 log=$NPHD_SANDBOX/$1.log status=0 begin ok=0 bad=0 p f verdict=ok
    RESULT=$NPHD_SANDBOX/$stage.result REMARK=$NPHD_SANDBOX/$stage.remark
    : >"$RESULT" && : >"$REMARK"
    begin=$(date +%s%N)
    # Not in a condition: there, bash would ignore `set -e` inside.
    set +e
    (set -euo pipefail && trap stop_servers EXIT && "stage_$stage") >"$log" 2>&1
    status=$?
    set -e
    while read -r p f; do ok=$((ok + p)) bad=$((bad + f)); done <"$RESULT"
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    [ "$bad" -eq 0 ] || verdict=FAILED
    passed=$((passed + ok)) failed=$((failed + bad))
    printf '%-10s %-7s %6.1f s  %s\n' "$stage" "$verdict" "$((($(date +%s%N) - begin) / 100000000))e-1" \
        "$(describe "$ok" "$bad")$(cat "$REMARK")"
    if [ "$verdict" = FAILED ]; then
        echo "---- the end of the log of stage $stage"
        tail -n 60 "$log"
        show_details "$stage"
        echo "----"
    fi
}

describe() {
    if [ "$1" -gt 0 ] || [ "$2" -gt 0 ]; then printf '%s passed' "$1"; fi
    if [ "$2" -gt 0 ]; then printf ', %s failed' "$2"; fi
}

count() { printf '%s %s\n' "$1" "$2" >>"$RESULT"; }
remark() { printf '%s' "$*" >>"$REMARK"; }

files_like() { compgen -G "$1" | wc -l || true; }

stop_servers() {
    local data
    for data in "$NPHD_SANDBOX"/*/data; do
        [ ! -f "$data/postmaster.pid" ] || "$("$PG_CONFIG" --bindir)/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true
    done
}

show_details() {
    local file
    for file in "$NPHD_SANDBOX"/"$1"*/regression.diffs "$NPHD_SANDBOX"/"$1"*/output_iso/regression.diffs; do
        [ ! -s "$file" ] || { echo "---- ${file#"$NPHD_SANDBOX"/}" && head -n 300 "$file"; }
    done
    for file in "$NPHD_SANDBOX"/"$1"*/server.log; do
        [ ! -f "$file" ] || grep -nE 'PANIC|TRAP|terminated by signal' "$file" | head -n 20 || true
    done
    if [ -d "$NPHD_SANDBOX/$1/tmp_check/log" ]; then
        for file in $(grep -lE '^\[[0-9:.]+\].* not ok |^#   Failed|died:|Bailout' "$NPHD_SANDBOX/$1"/tmp_check/log/regress_log_* 2>/dev/null); do
            echo "---- ${file##*/}" && tail -n 60 "$file"
        done
    fi
}

# The plain build, shared by the stages that need a server.
plain_build() { [ -f "$NPHD_SANDBOX/plain/server.conf" ] || install_extension "$NPHD_SANDBOX/plain" WERROR=1; }

# What SQL calls has a pg_finfo_ beside it (CREATE EXTENSION looks for each); background workers are started by name.
exports_what_it_must() {
    local symbols strange
    symbols=$(nm -D --defined-only "$1" | awk '{print $3}' | sort)
    strange=$(comm -23 <(grep -vE '^(pg_finfo_.*|Pg_magic_func|_PG_init|nphd_.*_main)$' <<<"$symbols") \
        <(sed -n 's/^pg_finfo_//p' <<<"$symbols" | sort))
    [ -z "$strange" ] || { echo "$1: exported without need: $strange" && return 1; }
    grep -qx Pg_magic_func <<<"$symbols" || { echo "$1: Pg_magic_func is not exported" && return 1; }
}

stage_build() {
    local module=$NPHD_SANDBOX/plain/build/nphd.so other=$NPHD_SANDBOX/cmake/nphd.so foreign
    foreign=$(grep -rnE '#[[:space:]]*include[[:space:]]*[<"](postgres|pg_config|c\.h|fmgr|src/|access/|catalog/|storage/|utils/)' engine || true)
    [ -z "$foreign" ] || { echo "the engine must not know PostgreSQL: $foreign" && return 1; }
    plain_build
    exports_what_it_must "$module"
    cmake_build "$NPHD_SANDBOX/cmake" -DCMAKE_BUILD_TYPE=Release -DNPHD_MODULE=ON -DPG_CONFIG="$PG_CONFIG" -DNPHD_TESTS=OFF -DNPHD_BENCHES=OFF
    exports_what_it_must "$other"
    diff <(nm -D --defined-only "$module" | awk '{print $3}' | sort) <(nm -D --defined-only "$other" | awk '{print $3}' | sort)
    dist_has_what_is_committed "$NPHD_SANDBOX/dist"
    count 3 0
    remark " (make, CMake, dist): nphd.so with $(nm -D --defined-only "$module" | grep -c ' pg_finfo_') functions, no warning"
}

# dist_has_what_is_committed DIRECTORY: the archives of `make dist`, from a repository of these sources that is made there.
dist_has_what_is_committed() {
    local at=$1 version
    version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" nphd.control)
    mkdir -p "$at/tree"
    tar -cf - . | tar -C "$at/tree" -xf -
    git -C "$at/tree" init -q
    git -C "$at/tree" add -A
    git -C "$at/tree" -c user.name=test -c user.email=test -c commit.gpgsign=false commit -q -m test
    touch "$at/tree/left-behind.cpp"
    make -C "$at" -f "$at/tree/Makefile" dist
    git -C "$at/tree" ls-files | sed "s#^#nphd-$version/#" | sort >"$at/committed"
    diff "$at/committed" <(tar -tzf "$at/nphd-$version.tar.gz" | grep -v '/$' | sort)
    # shellcheck disable=SC2016 # of Perl
    diff "$at/committed" <(perl -MIO::Uncompress::Unzip -e '
        my $zip = IO::Uncompress::Unzip->new($ARGV[0]) or die;
        do { print $zip->getHeaderInfo->{Name}, "\n" } while $zip->nextStream > 0' "$at/nphd-$version.zip" | grep -v '/$' | sort)
}

# cmake_build DIRECTORY OPTION...: warnings are errors; without the module unless an option says otherwise.
cmake_build() {
    local at=$1 && shift
    cmake -S . -B "$at" -DNPHD_WERROR=ON -DNPHD_MODULE=OFF "$@"
    cmake --build "$at" -j "$JOBS"
}

# run_cases DIRECTORY: the unit tests in as many processes as there are jobs. A case that began and did not end has failed.
run_cases() {
    local shard shards=$JOBS pids=() status=0 begun ok skipped
    for shard in $(seq 0 $((shards - 1))); do
        GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard timeout -k 10 1200 "$1/engine_tests" --gtest_color=no \
            >"$1/shard$shard.log" 2>&1 &
        pids+=($!)
    done
    for shard in "${pids[@]}"; do wait "$shard" || status=$?; done
    begun=$(cat "$1"/shard*.log | grep -c '\[ RUN      \]') || true
    ok=$(cat "$1"/shard*.log | grep -cE '\[       OK \]') || true
    skipped=$(cat "$1"/shard*.log | grep -cE '\[  SKIPPED \] .*\([0-9]+ ms\)') || true
    [ "$skipped" -eq 0 ] || remark ", $skipped skipped"
    if [ "$status" -eq 0 ] && [ "$begun" -gt 0 ]; then
        count "$ok" $((begun - ok - skipped))
        return 0
    fi
    for shard in "$1"/shard*.log; do
        if ! tail -n 1 "$shard" | grep -q '\[  PASSED  \]'; then
            grep -B 25 -A 3 '\[  FAILED  \].*ms)' "$shard" || tail -n 60 "$shard"
        fi
    done
    if [ $((begun - ok - skipped)) -gt 0 ]; then count "$ok" $((begun - ok - skipped)); else count "$ok" 1; fi
    return 1
}

stage_unit() {
    cmake_build "$NPHD_SANDBOX/unit" -DCMAKE_BUILD_TYPE=Release
    run_cases "$NPHD_SANDBOX/unit"
}

stage_sanitize() {
    cmake_build "$NPHD_SANDBOX/sanitize" -DNPHD_SANITIZE=address,undefined -DNPHD_BENCHES=OFF
    run_cases "$NPHD_SANDBOX/sanitize"
}

# fuzz_target PROGRAM SECONDS: an input that it dies of is printed, for `PROGRAM FILE` to try again.
fuzz_target() {
    local program=$1 input status=0
    timeout -k 10 $(($2 + 600)) "$program" -max_total_time="$2" -max_len=512 -timeout=60 -seed="${NPHD_TEST_SEED:-0}" \
        -artifact_prefix="$program-" >"$program.log" 2>&1 || status=$?
    if [ "$status" -eq 0 ] && grep -qE '^Done [1-9][0-9]* runs' "$program.log"; then return 0; fi
    tail -n 40 "$program.log"
    for input in "$program"-*; do
        [ ! -f "$input" ] || printf '%s in hexadecimal: %s\n' "${input##*/}" "$(od -An -v -tx1 "$input" | tr -d ' \n')"
    done
    return 1
}

stage_fuzz() {
    local at=$NPHD_SANDBOX/fuzz seconds=${NPHD_FUZZ_SECONDS:-10} program pids=() pid bad=0
    . test/lib/packages.sh
    if ! has_libfuzzer; then
        remark 'not tested: clang with libFuzzer is not here'
        return 0
    fi
    cmake_build "$at" -DCMAKE_CXX_COMPILER=clang++ -DNPHD_SANITIZE=fuzzer-no-link,address,undefined -DNPHD_FUZZ=ON \
        -DNPHD_TESTS=OFF -DNPHD_BENCHES=OFF
    for program in "$at"/*_fuzz; do
        fuzz_target "$program" "$seconds" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
    count $((${#pids[@]} - bad)) "$bad"
    remark " (targets), $(cat "$at"/*_fuzz.log | awk '/^Done [0-9]+ runs/ { runs += $2 } END { print runs + 0 }') inputs in $seconds s each"
    [ "$bad" -eq 0 ]
}

# The kernels of a foreign instruction set, against the same loops over single bits that the native ones are held to.
stage_neon() {
    local at=$NPHD_SANDBOX/neon gtest=/usr/src/googletest/googletest emulator
    local engine=(-O3 -DNDEBUG -fno-strict-aliasing -Wshadow -Wconversion)
    [ "$(uname -m)" != aarch64 ] || { remark 'native here: stage unit has tested it' && return 0; }
    emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
    if ! command -v aarch64-linux-gnu-g++ >/dev/null || [ -z "$emulator" ] || [ ! -d "$gtest" ]; then
        remark 'not tested: g++-aarch64-linux-gnu, qemu-user or googletest is not here'
        return 0
    fi
    mkdir -p "$at"
    {
        printf '%s\0' "$gtest/src/gtest-all.cc" "-I$gtest -w" "$gtest/src/gtest_main.cc" '-w'
        printf '%s\0' test/engine/distance_test.cpp '-Wno-stringop-overread'
        for source in engine/distance/*.cpp; do printf '%s\0' "$source" "${engine[*]}"; done
    } | xargs -0 -n 2 -P "$JOBS" sh -c 'aarch64-linux-gnu-g++ -std=c++20 -O1 -Wall -Wextra -Werror -I. -I'"$gtest/include"' $2 \
        -c -o "$0/$(basename "$1").o" "$1"' "$at"
    # Static, so that the emulator needs no libraries of that machine.
    aarch64-linux-gnu-g++ -static -o "$at/distance_tests" "$at"/*.o -pthread
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$emulator" "$at/distance_tests" >"$at/engine_tests"
    chmod +x "$at/engine_tests"
    run_cases "$at"
    grep -qh 'OK .*/neon' "$at"/shard*.log || { echo 'no case ran the NEON kernels' && return 1; }
    remark ' (under emulation)'
}

# installcheck DIRECTORY NAME=VALUE...: PGXS's own target, which builds nothing, with what it writes in DIRECTORY.
installcheck() {
    local at=$1 status=0 && shift
    timeout -k 10 "${INSTALLCHECK_SECONDS:-900}" make -s --no-print-directory -C "$at" -f "$PWD/Makefile" VPATH="$PWD" PG_CONFIG="$PG_CONFIG" "$@" \
        installcheck >"$at/run.log" 2>&1 || status=1
    cat "$at/run.log"
    return "$status"
}

# count_tests LOG EXPECTED: pg_regress says "test NAME ... ok" up to 15 and "ok 1 - NAME" from 16 on.
count_tests() {
    local ok
    ok=$(grep -cE '^(test .* \.\.\. ok|ok [0-9]+)' "$1") || true
    count "$ok" $(($2 - ok))
}

stage_regress() {
    local mode at status=0 files
    files=$(files_like 'sql/*.sql')
    plain_build
    for mode in mapped buffered; do
        at=$NPHD_SANDBOX/regress-$mode
        start_cluster "$at" "$NPHD_SANDBOX/plain/server.conf" "nphd.shard_access = '$mode'"
        installcheck "$at" ISOLATION= TAP_TESTS= || status=1
        count_tests "$at/run.log" "$files"
        stop_cluster "$at"
    done
    remark " ($files files, shards mapped and buffered)"
    return "$status"
}

stage_isolation() {
    local at=$NPHD_SANDBOX/isolation status=0 specs
    specs=$(files_like 'test/isolation/specs/*.spec')
    [ "$specs" -gt 0 ] || { remark 'no specs' && return 1; }
    plain_build
    start_cluster "$at" "$NPHD_SANDBOX/plain/server.conf"
    # A step that never ends is given up after a minute, not after five.
    PGISOLATIONTIMEOUT=60 installcheck "$at" REGRESS= TAP_TESTS= || status=1
    count_tests "$at/run.log" "$specs"
    stop_cluster "$at"
    return "$status"
}

# run_tap DIRECTORY FILES SERVER_CONF: counts a file as one test, unless it says itself that it has no business here.
run_tap() {
    local at=$1 files=$2 status=0 n ok skipped
    n=$(files_like "$files")
    [ "$n" -gt 0 ] || { remark 'no tests' && return 1; }
    mkdir -p "$at"
    TEMP_CONFIG=$3 installcheck "$at" REGRESS= ISOLATION= TAP_TESTS=1 "PROVE_TESTS=$files" PROVE_FLAGS="-j $JOBS --timer" || status=1
    ok=$(grep -cE '\.pl \.+ ok' "$at/run.log") || true
    skipped=$(grep -cE '\.pl \.+ skipped: ' "$at/run.log") || true
    count "$ok" $((n - ok - skipped))
    remark " (files)$([ "$skipped" -eq 0 ] || printf ', %s skipped' "$skipped")"
    return "$status"
}

stage_tap() {
    plain_build
    run_tap "$NPHD_SANDBOX/tap" "${NPHD_TAP_FILES:-test/t/*.pl}" "$NPHD_SANDBOX/plain/server.conf"
}

stage_soak() {
    plain_build
    INSTALLCHECK_SECONDS=$((2 * ${NPHD_SOAK_SECONDS:-30} + 600)) \
        run_tap "$NPHD_SANDBOX/soak" 'test/nightly/*.pl' "$NPHD_SANDBOX/plain/server.conf"
    remark "$(grep -h '^# soak: ' "$NPHD_SANDBOX/soak/run.log" | sed 's/^# soak:/,/')"
}

# The module with fault points, and beside it two controls: scans do not notice that their pages were used again; pages bear the number of
# the next format.
faults_build() {
    local plain=$NPHD_SANDBOX/plain
    # The engine has no fault points: what there is of it will do.
    if [ -d "$plain/build" ]; then mkdir -p "$NPHD_SANDBOX/faulty" && cp -a "$plain/build" "$NPHD_SANDBOX/faulty/build"; fi
    install_extension "$NPHD_SANDBOX/faulty" WERROR=1 FAULTS=1
    control_build control NPHD_NO_REUSE_CHECK src/am/scan_run.cpp
    # shellcheck disable=SC2046 # a list of files
    control_build next NPHD_NEXT_FORMAT $(grep -lE 'kShardFormat|readable_format' engine/*/*.cpp src/*/*.cpp)
}

# control_build NAME CONTROL SOURCE...: the module with fault points but for these sources, which are compiled for the control.
control_build() {
    local at=$NPHD_SANDBOX/$1 control=$2 source
    shift 2
    mkdir -p "$at"
    cp -a "$NPHD_SANDBOX/faulty/build" "$at/build"
    for source in "$@"; do rm "$at/build/build/${source%.cpp}.o"; done
    # PGXS has make look past objects that are missing where what is made of them is there.
    rm "$at/build/build/libnphd_engine.a" "$at/build/nphd.so"
    install_extension "$at" WERROR=1 FAULTS=1 CONTROL="$control"
}

stage_faults() {
    faults_build
    NPHD_CONTROL_CONFIG=$NPHD_SANDBOX/control/server.conf NPHD_NEXT_CONFIG=$NPHD_SANDBOX/next/server.conf \
        run_tap "$NPHD_SANDBOX/faults" "${NPHD_FAULT_TESTS:-test/faults/*.pl}" "$NPHD_SANDBOX/faulty/server.conf"
}

stage_demo() {
    local out=$NPHD_SANDBOX/demo.out headings
    demo/run 20000 | tee "$out"
    headings=$(sed -nE 's/^([0-9])\. [A-Z].*/\1/p' "$out" | tr -d '\n')
    [ "$headings" = 1234567 ] || { echo "the headings are $headings" && return 1; }
    # The last column of the last table is the recall of the exact search: for two lengths of query on two tables.
    awk -F '|' '/^ *[0-9]+ bits on / { lines++; exact += $NF ~ /^ *1\.000 *$/ } END { exit !(lines == 4 && exact == 4) }' "$out" ||
        { echo 'the exact recall is not 1.000' && return 1; }
    count 7 0
    remark ' (chapters), exact recall 1.000'
}

stage_clients() {
    local at=$NPHD_SANDBOX/clients status=0
    plain_build
    start_cluster "$at" "$NPHD_SANDBOX/plain/server.conf"
    python_client || status=1
    node_client || status=1
    stop_cluster "$at"
    return "$status"
}

python_client() {
    local log=$NPHD_SANDBOX/python.log status=0 all ok
    /usr/bin/python3 -c 'import psycopg, numpy' 2>/dev/null ||
        { remark ', Python not tested: python3-psycopg or python3-numpy is not here' && return 0; }
    (cd clients/python && /usr/bin/python3 -W error -m unittest -v) >"$log" 2>&1 || status=1
    cat "$log"
    all=$(sed -nE 's/^Ran ([0-9]+) tests? in .*/\1/p' "$log")
    ok=$(grep -cE ' \.\.\. ok$' "$log") || true
    count "$ok" $((${all:-1} - ok))
    remark ", psycopg $(/usr/bin/python3 -c 'import psycopg; print(psycopg.__version__)')"
    return "$status"
}

node_client() {
    local log=$NPHD_SANDBOX/node.log status=0 all ok
    command -v node >/dev/null || { remark ', Node.js not tested: node is not here' && return 0; }
    [ -d clients/node/node_modules/pg ] || { remark ', Node.js not tested: npm or its registry is not here' && return 0; }
    (cd clients/node && node --test --test-reporter=tap test/*.test.js) >"$log" 2>&1 || status=1
    cat "$log"
    all=$(sed -nE 's/^# tests ([0-9]+)$/\1/p' "$log")
    ok=$(sed -nE 's/^# pass ([0-9]+)$/\1/p' "$log")
    count "${ok:-0}" $((${all:-1} - ${ok:-0}))
    remark ", pg $(cd clients/node && node -p 'require("pg/package.json").version')"
    return "$status"
}

stage_format() {
    local tool
    tool=$(command -v clang-format-14 || command -v clang-format || true)
    # Other versions lay out some lines in another way.
    if [ -z "$tool" ] || ! "$tool" --version | grep -q 'version 14'; then
        remark 'clang-format 14 is not here'
        return 0
    fi
    find engine src test bench demo -name '*.?pp' -print0 | xargs -0 "$tool" --dry-run --Werror
    remark 'all as .clang-format says'
}
