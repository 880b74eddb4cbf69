#!/usr/bin/env bash
# A throw-away PostgreSQL for tests: `postgres.sh start FOLDER` starts a cluster in FOLDER, or finds
# the one that is there, and prints where it is; `stop` and `kill` end it. It runs as a user without
# rights, listens on a socket alone, and ends by itself when nobody asked for it for two minutes.
set -euo pipefail

command=${1:?start, stop or kill}
folder=${2:?a folder}

bin=$(dirname "$(command -v initdb || ls -1d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)") || true
if [ -z "${bin:-}" ] || [ ! -x "$bin/initdb" ]; then
    echo 'postgres.sh: PostgreSQL is not installed: run `make test`, or install the package postgresql' >&2
    exit 1
fi

# PostgreSQL refuses to run as root.
as_user() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    local user=nobody
    if id postgres >/dev/null 2>&1; then user=postgres; fi
    (cd / && exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@")
}
running() { as_user "$bin/pg_ctl" -D "$folder/data" status >/dev/null 2>&1; }

mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9

case $command in
start)
    touch "$folder/used"
    if ! running; then
        if [ ! -f "$folder/data/PG_VERSION" ]; then
            rm -rf "$folder/data"
            mkdir -p "$folder/data"
            if [ "$(id -u)" = 0 ]; then
                owner=nobody
                if id postgres >/dev/null 2>&1; then owner=postgres; fi
                chown "$owner" "$folder/data"
            fi
            chmod 0700 "$folder/data"
            as_user "$bin/initdb" -D "$folder/data" -U iron -A trust -E UTF8 --locale=C --no-sync >/dev/null
            mkdir -p "$folder/socket"
            chmod 0777 "$folder/socket"
            # Nothing here outlives the machine: what a crash of it would lose need not be kept.
            printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$folder/socket'" \
                'max_connections = 400' "fsync = ${FSYNC:-off}" "full_page_writes = ${FSYNC:-off}" \
                "synchronous_commit = ${FSYNC:-off}" 'shared_buffers = 128MB' 'log_min_messages = fatal' \
                >>"$folder/data/postgresql.conf"
        fi
        as_user "$bin/pg_ctl" -D "$folder/data" -w -t 60 -l /dev/null start >/dev/null 9>&-
        # Ends it once the file was not touched for two minutes. Under the lock, so that whoever asks
        # for it at that moment finds it running and used, or gone: never about to go.
        (
            exec 9>&- >/dev/null 2>&1 </dev/null
            while sleep 10; do
                exec 9>"$folder/lock" || break
                flock 9
                running || break
                if [ ! -e "$folder/used" ] || [ -n "$(find "$folder/used" -mmin +2)" ]; then
                    as_user "$bin/pg_ctl" -D "$folder/data" -m immediate stop 9>&-
                    # The lock stays: somebody may be waiting for it.
                    rm -rf "$folder/data" "$folder/socket" "$folder/used"
                    break
                fi
                exec 9>&-
            done
        ) &
        disown
    fi
    echo "postgres://iron@localhost/postgres?host=$folder/socket"
    ;;
stop) as_user "$bin/pg_ctl" -D "$folder/data" -w -m fast stop >/dev/null ;;
kill) as_user "$bin/pg_ctl" -D "$folder/data" -w -m immediate stop >/dev/null ;;
*) echo "postgres.sh: $command is not start, stop or kill" >&2; exit 2 ;;
esac
