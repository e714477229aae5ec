#!/bin/sh
# Lets a real systemd run the unit, with all its restrictions: start, signs of life, a daemon that
# hangs, one that crashes, stop, and a configuration without interfaces.
#
# systemd is process 1 of namespaces of its own (mounts, processes, network, control groups), with
# overlays in place of /etc, /usr and /var, so that this machine stays as it is. Needs root, systemd
# and iproute2. It takes about 40 seconds.
#
# usage: test.sh PACKAGE.deb
set -eu

if [ "${1:-}" != --inside ]; then
    package=$(readlink -f "$1")
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
    timeout -k 5 120 unshare --mount --net --pid --fork --cgroup --uts --ipc --kill-child \
        --propagation private "$0" --inside "$package" "$out" >"$out/console" 2>&1 || true
    cat "$out/trial" 2>/dev/null || cat "$out/console"
    if ! grep -qx 'all good' "$out/trial" 2>/dev/null; then
        sed 's/^/  babeld: /' "$out/babeld" 2>/dev/null
        exit 1
    fi
    exit 0
fi

mount -t tmpfs parts /mnt
cp "$2" /mnt/babeld.deb
mkdir /mnt/out
mount --bind "$3" /mnt/out
for directory in etc usr var; do
    mkdir -p "/mnt/$directory/upper" "/mnt/$directory/work"
    mount -t overlay overlay \
        -o "lowerdir=/$directory,upperdir=/mnt/$directory/upper,workdir=/mnt/$directory/work" \
        "/$directory"
done
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t proc proc /proc
# systemd must not set what is not its network's.
for tree in fs kernel vm; do
    mount --bind "/proc/sys/$tree" "/proc/sys/$tree"
    mount -o remount,bind,ro "/proc/sys/$tree"
done
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive dpkg -i /mnt/babeld.deb </dev/null
cat >/etc/babeld.conf <<END
interface va
local-path-readwrite /run/babeld.sock
metrics-port 9111
daemonise true
END
ip link set lo up
ip link add va type veth peer name vb
ip link set va up
ip link set vb up
echo 1 >/proc/sys/net/ipv4/conf/va/rp_filter

# Nothing but these two units.
rm -rf /etc/systemd/system /etc/systemd/system-generators
mkdir -p /etc/systemd/system/babeld.service.d /etc/systemd/system-generators
for generator in /usr/lib/systemd/system-generators/*; do
    ln -s /dev/null "/etc/systemd/system-generators/${generator##*/}"
done
cat >/etc/systemd/system/babeld.service.d/test.conf <<END
[Unit]
DefaultDependencies=no
[Service]
WatchdogSec=4
StandardOutput=append:/mnt/out/babeld
StandardError=append:/mnt/out/babeld
END
cat >/etc/systemd/system/trial.service <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
StandardOutput=append:/mnt/out/trial
StandardError=append:/mnt/out/trial
ExecStart=/bin/sh /mnt/trial.sh
ExecStopPost=/bin/systemctl --force --force poweroff
END
cat >/mnt/trial.sh <<'END'
set -eu

fail() {
    echo "FAILED: $*"
    systemctl show babeld -p ActiveState,SubState,Result,NRestarts,MainPID
    exit 1
}

is() {
    [ "$(systemctl show babeld -p "$1" --value)" = "$2" ] ||
        fail "$1 is $(systemctl show babeld -p "$1" --value) instead of $2"
}

# Until a property has a value, at most 20 seconds.
becomes() {
    tries=100
    until [ "$(systemctl show babeld -p "$1" --value)" = "$2" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$1 never became $2"
        sleep 0.2
    done
}

main() {
    systemctl show babeld -p MainPID --value
}

echo "start"
systemctl start babeld || fail "start"
is ActiveState active
pid=$(main)
[ "$(cat /run/babeld.pid)" = "$pid" ] || fail "the pidfile has another process"
grep -q '^NoNewPrivs:.1$' "/proc/$pid/status" || fail "privileges"
grep -q '^CapEff:.0000000000001400$' "/proc/$pid/status" || fail "capabilities"
babelctl show status || fail "control socket"
tries=50
until babelctl show interfaces | grep -q '^va *up'; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "va does not come up"
    sleep 0.2
done
[ "$(cat /proc/sys/net/ipv4/conf/va/rp_filter)" = 0 ] || fail "rp_filter was not set"
babelctl raw interface vb || fail "an interface at run time"
babelctl raw log-file /var/log/babeld.log || fail "a log file"

echo "signs of life: twice what the watchdog allows"
sleep 8
[ "$(main)" = "$pid" ] || fail "it was restarted"
is NRestarts 0

echo "hang"
kill -STOP "$pid"
becomes NRestarts 1
becomes ActiveState active
[ "$(main)" != "$pid" ] || fail "the same process"
babelctl show status >/dev/null || fail "the control socket after a hang"

echo "crash"
kill -KILL "$(main)"
becomes NRestarts 2
becomes ActiveState active
babelctl show status >/dev/null || fail "the control socket after a crash"

echo "stop"
systemctl stop babeld
is ActiveState inactive
is Result success
[ ! -e /run/babeld.pid ] && [ ! -e /run/babeld.sock ] || fail "files were left"
cat /var/lib/babeld/state || fail "no seqno was saved"

echo "no interfaces: not started, and no failure"
: >/etc/babeld.conf
systemctl start babeld || fail "the start is a failure"
is ActiveState inactive
is MainPID 0

echo "all good"
END
export container=other
exec /lib/systemd/systemd --system --unit=trial.service --show-status=no --log-target=console
