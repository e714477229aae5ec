#!/bin/sh
# Installs a package over the distribution's babeld with the real dpkg, removes it, purges it, and
# installs it anew, on a copy of this machine that nobody else sees: overlays in a mount namespace
# of its own, and a network namespace without a network. Needs root, and stock babeld installed.
#
# usage: test.sh PACKAGE.deb
set -eu

if [ "${1:-}" != --inside ]; then
    package=$(readlink -f "$1")
    before=$(dpkg-query -W babeld; md5sum /usr/sbin/babeld /etc/babeld.conf)
    timeout 120 unshare --mount --net --propagation private "$0" --inside "$package"
    after=$(dpkg-query -W babeld; md5sum /usr/sbin/babeld /etc/babeld.conf)
    [ "$before" = "$after" ] || { echo "test: this machine was changed" >&2; exit 1; }
    echo "test: all good, and this machine is as it was"
    exit 0
fi
package=$2

fail() {
    echo "test: $*" >&2
    exit 1
}

same() {
    [ "$1" = "$2" ] || fail "$3: '$1' instead of '$2'"
}

mkdir -p /tmp
mount -t tmpfs overlay-parts /mnt
cp "$package" /mnt/babeld.deb
for directory in etc usr var; do
    mkdir -p "/mnt/$directory/upper" "/mnt/$directory/work"
    mount -t overlay overlay \
        -o "lowerdir=/$directory,upperdir=/mnt/$directory/upper,workdir=/mnt/$directory/work" \
        "/$directory"
done
mount -t tmpfs run /run
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

# For dpkg, all of the environment that matters: nobody to ask, and a question is a failure.
dpkg_quietly() {
    DEBIAN_FRONTEND=noninteractive dpkg --refuse-downgrade "$@" </dev/null >/mnt/dpkg.log 2>&1 || {
        cat /mnt/dpkg.log >&2
        fail "dpkg $* failed"
    }
}

ours=$(dpkg-deb -f /mnt/babeld.deb Version)
program=babeld-$(echo "$ours" | sed 's/^.*://; s/-[^-]*$//')

echo "over stock babeld, configured"
same "$(dpkg-query -W -f '${Version}' babeld | cut -c1-4)" 1.12 "the package to begin with"
printf 'interface eth9 rxcost 77\nredistribute local deny\n' >/etc/babeld.conf
sed -i 's/^INTERFACES=.*/INTERFACES="eth8"/' /etc/default/babeld
mkdir -p /var/lib/babeld && echo 4711 >/var/lib/babeld/state
kept="/etc/babeld.conf /etc/default/babeld /etc/init.d/babeld /etc/logrotate.d/babeld
    /var/lib/babeld/state"
before=$(md5sum $kept)
dpkg_quietly -i /mnt/babeld.deb
same "$(dpkg-query -W -f '${Version} ${db:Status-Abbrev}' babeld)" "$ours ii " "the package"
same "$(babeld -V 2>&1)" "$program" "what babeld is"
same "$(md5sum $kept)" "$before" "the configuration"
[ -z "$(find /etc -name 'babeld*.dpkg-*')" ] || fail "dpkg left a second version in /etc"
same "$(babeld --check-config | grep ^interfaces)" "interfaces: 1 (eth9)" "the configuration"
same "$(dpkg -S /usr/bin/babelctl)" "babeld: /usr/bin/babelctl" "who owns babelctl"
same "$(dpkg -V babeld | grep -v ' c ')" "" "dpkg -V"
[ -L /etc/systemd/system/multi-user.target.wants/babeld.service ] || fail "the unit is not enabled"
same "$(man -w babeld)" /usr/share/man/man8/babeld.8.gz "the manual page"

echo "the old init script starts and stops it, with the old configuration"
ip link set lo up
ip link add eth8 type veth peer name eth9
/etc/init.d/babeld start >/dev/null
pid=$(cat /run/babeld.pid)
same "$(readlink "/proc/$pid/exe")" /usr/sbin/babeld "what runs"
/etc/init.d/babeld stop >/dev/null
[ ! -e /run/babeld.pid ] || fail "still running"
same "$(cat /var/lib/babeld/state)" 4712 "the seqno, which goes on"

echo "the same version once more, then removed, then purged"
dpkg_quietly -i /mnt/babeld.deb
dpkg_quietly -r babeld
[ ! -e /usr/sbin/babeld ] || fail "removed, and still there"
[ -e /etc/babeld.conf ] || fail "removing took the configuration"
dpkg_quietly -P babeld
for file in $kept /usr/bin/babelctl /usr/lib/systemd/system/babeld.service; do
    [ ! -e "$file" ] || fail "purged, and $file is still there"
done

echo "where there was no babeld"
dpkg_quietly -i /mnt/babeld.deb
same "$(babeld --check-config | head -n1 | cut -d';' -f1)" "interfaces: none" "the first configuration"
echo 'interface eth9' >/etc/babeld.conf
before=$(md5sum /etc/babeld.conf)
dpkg_quietly -i /mnt/babeld.deb
same "$(md5sum /etc/babeld.conf)" "$before" "the configuration"
dpkg_quietly -P babeld
[ ! -e /etc/babeld.conf ] || fail "purged, and the configuration is still there"
