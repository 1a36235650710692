#!/bin/sh
# Install what building, testing and running jmesh needs on Debian 12 or 13, then run the words given.
#
#   sudo sh packaging/setup.sh [COMMAND [ARG...]]
#
# A second run installs nothing. Yggdrasil must be 0.5.10 or newer; where the release itself has an
# older one its backports suite is enabled, from the mirror that the machine already uses.
set -eu

YGGDRASIL_MIN=0.5.10
PACKAGES="build-essential pkg-config git ca-certificates
	libyaml-dev libcyaml-dev libcurl4-openssl-dev libcjson-dev libsodium-dev libmicrohttpd-dev
	libgnutls28-dev libhiredis-dev
	libcriterion-dev musl-tools
	clang libclang-rt-dev clang-format-19 cppcheck mandoc python3 python3-jsonschema python3-yaml
	bmake dash ruby openssh-client openssh-server netcat-openbsd opendoas busybox-static
	systemd libseccomp2 nginx chromium redis-server python3-aiohttp
	nftables conntrack unbound iproute2 iputils-ping bind9-dnsutils util-linux procps openssl curl jq"

say() { printf '%s\n' "setup: $*" >&2; }
die() { say "$*"; exit 1; }

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() {
	for package in $PACKAGES; do
		installed "$package" || printf '%s ' "$package"
	done
}

yggdrasil_current() {
	installed yggdrasil &&
	    dpkg --compare-versions "$(dpkg-query -W -f '${Version}' yggdrasil)" ge "$YGGDRASIL_MIN"
}

yggdrasil_candidate() {
	apt-cache madison yggdrasil 2>/dev/null | awk -F'|' '{ gsub(/ /, "", $2); print $2 }' |
	while read -r version; do
		if dpkg --compare-versions "$version" ge "$YGGDRASIL_MIN"; then
			printf '%s\n' "$version"
			break
		fi
	done
}

# The backports suite, on the mirror that serves the release itself: a deb822 stanza with another
# Suites line, or a one-line entry with another suite.
enable_backports() {
	codename=$1
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -f "$file" ] || continue
		target=/etc/apt/sources.list.d/jmesh-backports.sources
		awk -v suite="$codename" '
			function flush() {
				if (found && !done) {
					for (i = 1; i <= n; i++)
						print line[i]
					done = 1
				}
				n = 0
				found = 0
			}
			/^[ \t]*$/ { flush(); next }
			/^#/ { next }
			tolower($1) == "suites:" {
				for (i = 2; i <= NF; i++)
					if ($i == suite)
						found = 1
				line[++n] = "Suites: " suite "-backports"
				next
			}
			{ line[++n] = $0 }
			END { flush() }
		' "$file" >"$target.new"
		if [ -s "$target.new" ]; then
			mv "$target.new" "$target"
			return 0
		fi
		rm -f "$target.new"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$file" ] || continue
		target=/etc/apt/sources.list.d/jmesh-backports.list
		awk -v suite="$codename" '
			$1 == "deb" && !done {
				for (i = 2; i <= NF; i++)
					if ($i == suite) {
						$i = suite "-backports"
						print
						done = 1
						next
					}
			}
		' "$file" >"$target.new"
		if [ -s "$target.new" ]; then
			mv "$target.new" "$target"
			return 0
		fi
		rm -f "$target.new"
	done
	return 1
}

install_packages() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2
}

held=
# Daemons come up by jmesh or by the lab, never because their package was installed.
hold_services() {
	policy=/usr/sbin/policy-rc.d
	[ -e "$policy" ] && return 0
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
	held=yes
}

set_up() {
	want=$(missing)
	yggdrasil=
	yggdrasil_current || yggdrasil=yes
	[ -n "$want$yggdrasil" ] || return 0

	[ "$(id -u)" = 0 ] || die "must be root to install: $want${yggdrasil:+yggdrasil} (use sudo)"
	command -v apt-get >/dev/null || die "this is no Debian: install by hand: $want"
	say "installing $want${yggdrasil:+yggdrasil}"
	hold_services
	apt-get update >&2
	# shellcheck disable=SC2086
	[ -z "$want" ] || install_packages $want
	if [ -n "$yggdrasil" ]; then
		version=$(yggdrasil_candidate)
		if [ -z "$version" ]; then
			codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
			enable_backports "$codename" ||
			    die "no apt source for Debian $codename to take its backports suite from"
			apt-get update >&2
			version=$(yggdrasil_candidate)
		fi
		[ -n "$version" ] || die "no Yggdrasil of version $YGGDRASIL_MIN or newer is on offer"
		install_packages "yggdrasil=$version"
	fi
	[ -z "$held" ] || rm -f /usr/sbin/policy-rc.d
	trap - EXIT INT TERM
	[ -z "$(missing)" ] || die "still missing: $(missing)"
	yggdrasil_current || die "Yggdrasil is still older than $YGGDRASIL_MIN"
}

set_up
[ $# -eq 0 ] || exec "$@"
