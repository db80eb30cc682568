# shellcheck shell=bash
# Small Debian systems of their own in a directory, as root, from the archive that this machine's apt already uses. Needs packages.sh.
# Whatever is mounted or started for one is in namespaces of its own and goes with the command it was for, however that ends.

# suites_of MAJOR: the Debian suites with that PostgreSQL, best first; nothing if there is none.
suites_of() {
    case $1 in
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo forky sid ;;
    esac
}

# archive_of CODENAME: where apt has that suite's index from. Nothing if it has none.
archive_of() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" | head -n 1 | sed 's#/*$##'
}

# make_chroot SUITE DIRECTORY UNPACKED PACKAGE...: such a system without recommended packages and documentation. UNPACKED ('' for
# none) is a package whose files are put there without what it depends on.
make_chroot() {
    local suite=$1 dir=$2 unpacked=$3 codename main security sources
    shift 3
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    main=$(archive_of "$codename")
    if [ -z "$main" ]; then
        apt-get update -q
        main=$(archive_of "$codename")
    fi
    [ -n "$main" ] || { echo 'apt knows no Debian archive here' && return 1; }
    sources=("deb $main $suite main")
    security=$(archive_of "$codename-security")
    # What becomes the next release has no security suite yet.
    case $suite in forky | sid) ;; *) [ -z "$security" ] || sources+=("deb $security $suite-security main") ;; esac
    mkdir -p "$dir"
    # Without the skip, /run is emptied, where PostgreSQL's packages make their socket directory. Debian is not to create a cluster.
    unshare --mount --pid --fork --kill-child mmdebstrap --quiet --variant=minbase --mode=root --skip=cleanup/run \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --essential-hook='mkdir -p "$1/etc/postgresql-common"' \
        --essential-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"' \
        --customize-hook="[ -z '$unpacked' ] || chroot \"\$1\" sh -euc 'cd /tmp && apt-get download -q $unpacked && dpkg-deb -x ./*.deb / && rm ./*.deb'" \
        --include="$(IFS=, && echo "$*")" "$suite" "$dir" "${sources[@]}"
}

# in_chroot DIRECTORY COMMAND...: as root, with a /proc, /dev/shm and /tmp of its own and a clean environment, but for NPHD_*.
in_chroot() {
    local dir=$1 name keep=()
    shift
    for name in ${!NPHD_*}; do keep+=("$name=${!name}"); done
    unshare --mount --pid --fork --kill-child --mount-proc="$dir/proc" sh -euc '
        dir=$1 && shift
        mount -t tmpfs -o mode=1777 tmpfs "$dir/dev/shm"
        mount -t tmpfs -o mode=1777 tmpfs "$dir/tmp"
        exec chroot "$dir" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
            LANG=C.UTF-8 LC_ALL=C.UTF-8 "$@"' sh "$dir" "${keep[@]}" "$@"
}

# begin_work NAME: a directory $work, which is gone when the script ends, however that comes, with whatever interruptible() has running.
begin_work() {
    work=$(mktemp -d "/tmp/nphd-$1.XXXXXX")
    trap end_work EXIT
    trap 'exit 130' INT TERM HUP
}

end_work() {
    trap '' INT TERM HUP
    if [ -n "${WORK_GROUP:-}" ]; then
        # What is inside of namespaces goes with the command that made them.
        kill -KILL -- "-$WORK_GROUP" 2>/dev/null || true
        wait 2>/dev/null || true
    fi
    rm -rf --one-file-system "$work" || { sleep 2 && rm -rf --one-file-system "$work"; }
}

# interruptible COMMAND...: its status. In the background, where a signal is heard at once, and as a group of processes that can be ended.
interruptible() {
    local status=0
    set -m
    "$@" &
    WORK_GROUP=$!
    set +m
    wait "$WORK_GROUP" || status=$?
    WORK_GROUP=
    return "$status"
}
