# Builds and installs what an operator needs: programs, manual pages, the systemd unit.
#
#   make                       release build
#   make small                 the smallest programs: static, for small routers
#   make small FEATURES=metrics   without TLS: no `babels://` and `ndt7://` speed tests
#   make install               into PREFIX (/usr/local), below DESTDIR if that is set
#   make uninstall             removes what install put there, and nothing else
#   make deb                   a Debian package, which replaces the distribution's babeld
#
# Configuration in /etc is never touched.

PREFIX ?= /usr/local
DESTDIR ?=
PROFILE ?= release
CARGO ?= cargo
# What `make small` builds for; with its std installed, TARGET=x86_64-unknown-linux-musl is smaller.
TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')

# Of babeld-bin, for `make small`: tls, metrics.
FEATURES ?= metrics,tls

SBINDIR = $(PREFIX)/sbin
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
UNITDIR = $(PREFIX)/lib/systemd/system
# Where the programs to install were built.
BUILT ?= target/$(PROFILE)

.PHONY: all build small install uninstall deb

all: build

build:
	$(CARGO) build --profile $(PROFILE) -p babeld-bin --bins

small:
	RUSTFLAGS="-C target-feature=+crt-static" \
	    $(CARGO) build --profile small --target $(TARGET) -p babeld-bin --bins \
	    --no-default-features --features "$(FEATURES)"
	@ls -l target/$(TARGET)/small/babeld target/$(TARGET)/small/babelctl

# Builds nothing, so that root need not have Rust: run `make` before.
install:
	@test -x $(BUILT)/babeld && test -x $(BUILT)/babelctl || \
	    { echo "$(BUILT) holds no babeld and babelctl: run make first" >&2; exit 1; }
	install -d "$(DESTDIR)$(SBINDIR)" "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(MANDIR)/man8" \
	    "$(DESTDIR)$(UNITDIR)"
	install -m 755 $(BUILT)/babeld "$(DESTDIR)$(SBINDIR)/babeld"
	install -m 755 $(BUILT)/babelctl "$(DESTDIR)$(BINDIR)/babelctl"
	install -m 644 doc/man/babeld.8 doc/man/babelctl.8 "$(DESTDIR)$(MANDIR)/man8"
	sed 's,@SBINDIR@,$(SBINDIR),' packaging/systemd/babeld.service \
	    > "$(DESTDIR)$(UNITDIR)/babeld.service"
	chmod 644 "$(DESTDIR)$(UNITDIR)/babeld.service"

uninstall:
	rm -f "$(DESTDIR)$(SBINDIR)/babeld" "$(DESTDIR)$(BINDIR)/babelctl" \
	    "$(DESTDIR)$(MANDIR)/man8/babeld.8" "$(DESTDIR)$(MANDIR)/man8/babelctl.8" \
	    "$(DESTDIR)$(UNITDIR)/babeld.service"

deb:
	BUILT=$(BUILT) packaging/debian/build.sh
