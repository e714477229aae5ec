#!/bin/sh
# Makes babeld_VERSION_ARCH.deb out of programs that were built before. Needs dpkg-deb, gzip, and
# strip and objdump (binutils, which a Rust toolchain links with).
#
# The package is called babeld, with an epoch: to apt and dpkg it is a newer version of the
# distribution's babeld. So its configuration files, and what was changed in them, stay as they
# are, the daemon runs on until ours takes over, and a later version of the distribution's does not
# come in its place. None of those files is in this package, so dpkg never asks about them.
#
# BUILT: where the programs are (target/release). OUT: where the package goes (target/debian).
# ARCH: for which architecture (this machine's).
set -eu
cd "$(dirname "$0")/../.."
BUILT=${BUILT:-target/release}
OUT=${OUT:-target/debian}
ARCH=${ARCH:-$(dpkg --print-architecture)}
# The upstream version, the same as `babeld -V` says.
UPSTREAM=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
VERSION=1:$UPSTREAM-1
DATE=$(git log -1 --format=%ct 2>/dev/null || date +%s)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$DATE}
export SOURCE_DATE_EPOCH

root=$OUT/root
rm -rf "$root"
mkdir -p "$root/DEBIAN"
make -s install BUILT="$BUILT" PREFIX=/usr DESTDIR="$root"
strip --strip-unneeded "$root/usr/sbin/babeld" "$root/usr/bin/babelctl"
gzip -9n "$root"/usr/share/man/man8/*.8

doc=$root/usr/share/doc/babeld
mkdir -p "$doc"
cat >"$doc/copyright" <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: babeld-rs

Files: *
Copyright: The authors of babeld-rs
License: MIT or Apache-2.0
 On Debian systems the Apache licence is in /usr/share/common-licenses/Apache-2.0.
END
gzip -9n >"$doc/changelog.Debian.gz" <<END
babeld ($VERSION) unstable; urgency=medium

  * Another implementation, in Rust, in place of the C daemon: same command line, configuration,
    control socket and protocol.

 -- babeld-rs <babeld-rs@example.org>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

# A static program needs nothing; else the newest version of the C library that it refers to.
depends=
newest=$(objdump -T "$root/usr/sbin/babeld" "$root/usr/bin/babelctl" 2>/dev/null |
    sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n1)
[ -z "$newest" ] || depends="Depends: libc6 (>= $newest), libgcc-s1
"
cat >"$root/DEBIAN/control" <<END
Package: babeld
Version: $VERSION
Architecture: $ARCH
Maintainer: babeld-rs <babeld-rs@example.org>
Installed-Size: $(du -ks --exclude=DEBIAN "$root" | cut -f1)
${depends}Section: net
Priority: optional
Homepage: $(sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml)
Description: Babel routing daemon that knows prices
 Routes IPv6 and IPv4 in mesh, wired and wireless networks with the Babel
 protocol (RFC 8966), and takes the place of the C daemon of the same name:
 its configuration is used as it is.
 .
 If asked to, it lets routes carry a price per megabyte and takes the cheapest
 way that works. babelctl shows what it does and explains why.
END
for script in postinst prerm postrm; do
    install -m 755 "packaging/debian/scripts/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
chmod 644 "$root/DEBIAN/control" "$root/DEBIAN/md5sums"
find "$root" -type d -exec chmod 755 {} +
find "$doc" -type f -exec chmod 644 {} +

package=$OUT/babeld_$UPSTREAM-1_$ARCH.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
rm -rf "$root"
echo "$package"
