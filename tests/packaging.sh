#!/bin/sh
# What is installed, the relay's unit, FreeBSD's port, its rc scripts and Homebrew's formula, as far as that can be checked
# without FreeBSD and macOS:
#
#   MAKE=… VERSION=… LIBS=… sh tests/packaging.sh VARIANT
#
# The program of that variant is built already. Stand-ins for what the systems bring are in tests/packaging.
set -u
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL

[ $# -eq 1 ] || { echo 'usage: sh tests/packaging.sh VARIANT' >&2; exit 2; }
export VARIANT="$1"
ROOT=$PWD
PORT=packaging/freebsd
TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT
trap 'exit 1' INT TERM

say() {
	printf 'packaging: %s\n' "$*" >&2
	echo >>"$TMP/said"
}

# On a BSD make(1) is BSD's, and GNU's is called gmake.
mkdir "$TMP/bin"
ln -s "$(command -v bmake)" "$TMP/bin/make"
ln -s "$(command -v "${MAKE:-make}")" "$TMP/bin/gmake"
PATH=$TMP/bin:$PATH

files_in() {
	(cd "$1" && find . ! -type d | sed 's/^\.\///' | sort)
}

# same WHAT A B: two lists are the same, or each line that only one has is said.
same() {
	diff "$2" "$3" | sed -n 's/^< /- /p; s/^> /+ /p' >"$TMP/diff"
	while read -r line; do
		say "$1: $line"
	done <"$TMP/diff"
}

# --- make ----------------------------------------------------------------------------------------------

check_bsd_make() {
	for goal in '' check unit; do
		# shellcheck disable=SC2086
		if make -m "$ROOT/tests/packaging/mk" $goal >"$TMP/out" 2>&1; then
			say "BSD make $goal succeeds"
		fi
		[ "$(grep -c 'use gmake' "$TMP/out")" = 1 ] && ! grep -q 'operator\|Fatal' "$TMP/out" ||
		    say "BSD make $goal says: $(cat "$TMP/out")"
	done
	! grep -nE '^	(.*[^A-Za-z(_.-])?make ([A-Z]+=|[a-z-]+( |$))' Makefile | grep -vE '@?(echo|printf)' ||
	    say 'Makefile calls make by its name; gmake needs $(MAKE)'
}

check_install() {
	gmake install DESTDIR="$TMP/root" PREFIX=/opt/mesh MANDIR=/opt/man EXAMPLESDIR= BASHDIR=/opt/bash \
		>"$TMP/out" 2>&1 || say "gmake install: $(tail -n 3 "$TMP/out")"
	files_in "$TMP/root" | sed 's|/[^/]*$||' | sort -u >"$TMP/folders"
	printf '%s\n' opt/bash opt/man/man1 opt/man/man5 opt/mesh/bin \
		opt/mesh/lib/systemd/system opt/mesh/share/jmesh >"$TMP/want"
	same 'folders of make install' "$TMP/want" "$TMP/folders"
	[ "$(stat -c %a "$TMP/root/opt/mesh/bin/jmesh")" = 755 ] || say 'the program is not of mode 755'
	find "$TMP/root" ! -type d ! -name jmesh ! -perm 644 | while read -r file; do
		say "make install: $file is not of mode 644"
	done
}

# The libraries come from pkg-config alone, which knows /usr/local; elsewhere others need more or less.
check_flags() {
	for library in dl rt m bsd anl nsl resolv; do
		! grep -nE -e "-l$library( |\$)" Makefile || say "Makefile links -l$library, which not every system has"
	done
	! grep -nE -e '-[IL] ?/' Makefile || say 'Makefile names a folder of one system'
}

# --- The port ------------------------------------------------------------------------------------------

port() {
	make -m "$ROOT/tests/packaging/mk" -C "$ROOT/$PORT" WRKSRC="$ROOT" STAGEDIR="$TMP/stage" GMAKE=gmake "$@"
}

# The order of the Porter's Handbook, chapter 15; a line is a block. A name that is not here is unknown.
cat >"$TMP/order" <<'ORDER'
PORTNAME DISTVERSION CATEGORIES MASTER_SITES
MAINTAINER COMMENT WWW
LICENSE LICENSE_FILE
BUILD_DEPENDS LIB_DEPENDS RUN_DEPENDS
USES USE_RC_SUBR
MAKE_ARGS
OPTIONS_DEFINE
EXAMPLES_MAKE_ARGS_OFF
ORDER

check_port_order() {
	awk -v order="$TMP/order" '
		BEGIN {
			while ((getline line < order) > 0) {
				block++
				n = split(line, names, " ")
				for (i = 1; i <= n; i++) {
					place[names[i]] = ++places
					home[names[i]] = block
				}
			}
		}
		/^#/ { next }
		/^$/ { if (blank && seen) print "two blank lines at line " NR; blank = 1; next }
		/^[A-Z_]+[?+:]?=/ {
			name = $0
			sub(/[?+:]?=.*/, "", name)
			if (!(name in place))
				print name " is not known here"
			else if (place[name] < last)
				print name " stands too late"
			else if (seen && home[name] != in_block && !blank)
				print name " begins a block without a blank line"
			else if (seen && home[name] == in_block && blank)
				print "a blank line before " name " divides its block"
			if ($0 !~ /^[A-Z_]+[?+:]?=\t+[^ \t]/)
				print name ": no tab before its value"
			if (name in place) {
				last = place[name]
				in_block = home[name]
			}
			seen = 1
		}
		/[ \t]$/ { print "white space at the end of line " NR }
		{ blank = 0; end = $0 }
		END { if (end != ".include <bsd.port.mk>") print "bsd.port.mk is not included at the end" }
	' "$PORT/Makefile" >"$TMP/out"
	while read -r line; do
		say "$PORT/Makefile: $line"
	done <"$TMP/out"
}

check_port_values() {
	port -n stage >"$TMP/out" 2>&1 || { say "$PORT/Makefile: $(cat "$TMP/out")"; return; }
	# A name that nothing sets would be empty.
	grep -o '\${[A-Z_]*}' "$PORT/Makefile" | tr -d '${}' | sort -u | while read -r name; do
		[ -n "$(port -V "$name")" ] || say "$PORT/Makefile uses $name, which is empty"
	done
	[ "$(port -V DISTVERSION)" = "$VERSION" ] ||
	    say "$PORT/Makefile is of $(port -V DISTVERSION), Makefile of $VERSION"
	comment=$(port -V COMMENT)
	case $comment in
	[!A-Z]* | 'A '* | 'An '* | 'The '* | *.) say "COMMENT has not the form that portlint wants" ;;
	esac
	[ ${#comment} -le 70 ] || say 'COMMENT has more than 70 characters'
	# lib NAME.pc of Makefile's LIBS, as the file that the linker finds.
	for library in $LIBS; do
		echo "$library" | sed 's/^lib//; s/-[0-9.]*$//; s/.*/lib&.so/'
	done | sort >"$TMP/want"
	port -V LIB_DEPENDS | tr ' ' '\n' | sed '/^$/d; s/:.*//' >"$TMP/has"
	sort -c "$TMP/has" 2>/dev/null || say 'LIB_DEPENDS is not sorted'
	same 'LIB_DEPENDS against LIBS of Makefile' "$TMP/want" "$TMP/has"
	awk 'length > 80 { print FILENAME ": line " FNR " has more than 80 characters" }' "$PORT/pkg-descr" >"$TMP/out"
	[ ! -s "$TMP/out" ] || say "$(cat "$TMP/out")"
}

# check_plist WORD...: what the port stages is what its list says.
check_plist() {
	rm -rf "$TMP/stage"
	port "$@" stage >"$TMP/out" 2>&1 || { say "the port does not install: $(tail -n 5 "$TMP/out")"; return; }
	files_in "$TMP/stage/usr/local" >"$TMP/has"
	files_in "$TMP/stage" | grep -v '^usr/local/' | while read -r file; do
		say "the port installs $file, outside PREFIX"
	done
	port "$@" plist | grep -v '^@comment ' >"$TMP/plist"
	! grep '%%' "$TMP/plist" || say "$PORT/pkg-plist: a %%NAME%% is not known here"
	grep -v '^@' "$TMP/plist" | sort >"$TMP/want"
	same "$PORT/pkg-plist against what is installed${*:+ ($*)}" "$TMP/want" "$TMP/has"
	sed -n 's/^@dir //p' "$TMP/plist" | while read -r folder; do
		[ -d "$TMP/stage/usr/local/$folder" ] || say "$PORT/pkg-plist has the folder $folder, which is not made"
	done
	find "$TMP/stage/usr/local" -type d -empty | sed "s|^$TMP/stage/usr/local/||" | while read -r folder; do
		grep -qx "@dir $folder" "$TMP/plist" || say "$PORT/pkg-plist lacks the empty folder $folder"
	done
}

# --- The rc script -------------------------------------------------------------------------------------

# service WORD: runs the script as it is installed under $TMP/here, with a jmesh that ends with $ENDS.
service() {
	RC_CONF=$TMP/rc.conf RC_LOG=$TMP/log RC_ENDS=$ENDS dash "$TMP/jmesh.rc" "$1" >"$TMP/out" 2>&1
}

# expect WORD RC CALL: the service's command WORD ends with RC, and jmesh was called as CALL, or not at all.
expect() {
	rm -f "$TMP/log"
	rc=0
	service "$1" || rc=$?
	[ "$rc" = "$2" ] || say "service jmesh $1 (jmesh ends with $ENDS) ends with $rc, not $2: $(cat "$TMP/out")"
	called=$(cat "$TMP/log" 2>/dev/null)
	[ "$called" = "$3" ] || say "service jmesh $1 called '$called', not '$3'"
}

# installed NAME: the rc script of that name, to run here as $TMP/NAME.rc.
installed() {
	script=$TMP/stage$TMP/here/etc/rc.d/$1
	[ "$(grep -c '^\. /etc/rc\.subr$' "$script")" = 1 ] || say "the rc script $1 does not read /etc/rc.subr"
	! grep '%%' "$script" || say "the rc script $1 has a %%NAME%% that is not known here"
	dash -n "$script" || say "the rc script $1 is no script for sh"
	sed "s|^\. /etc/rc\.subr\$|. $ROOT/tests/packaging/rc.subr|; s|/usr/sbin/daemon|$TMP/bin/daemon|
		s|/var/run/|$TMP/|" "$script" >"$TMP/$1.rc"
}

prepare_rc() {
	rm -rf "$TMP/stage"
	port PREFIX="$TMP/here" LOCALBASE="$TMP/base" STAGEDIR="$TMP/stage" rc || return 1
	installed jmesh
	installed jmesh_relay
	mkdir -p "$TMP/here/bin" "$TMP/here/etc/jmesh"
	cat >"$TMP/here/bin/jmesh" <<-'SH'
	#!/bin/sh
	printf '%s\n' "$*" >>"$RC_LOG"
	case :$PATH: in *:*/base/bin:*) exit "$RC_ENDS" ;; esac
	exit 99
	SH
	chmod 755 "$TMP/here/bin/jmesh"
}

check_rc() {
	prepare_rc || { say 'the rc script cannot be made'; return; }
	file=$TMP/here/etc/jmesh/mesh.yaml
	: >"$TMP/rc.conf"
	ENDS=0
	expect start 0 ''
	grep -q "Cannot 'start' jmesh" "$TMP/out" || say "a service that is off says: $(cat "$TMP/out")"
	expect onestart 1 ''
	grep -q 'mesh.yaml is not readable' "$TMP/out" || say "without a mesh file: $(cat "$TMP/out")"
	: >"$file"
	expect onestart 0 "apply --no-pair $file"
	echo 'jmesh_enable="YES"' >"$TMP/rc.conf"
	expect start 0 "apply --no-pair $file"
	expect restart 0 "apply --no-pair $file"
	expect stop 0 ''
	expect status 0 "diff $file"
	expect diff 0 "diff $file"
	expect teardown 1 ''
	ENDS=3 && expect start 0 "apply --no-pair $file"
	ENDS=2 && expect status 1 "diff $file"
	ENDS=1 && expect start 1 "apply --no-pair $file"
	grep -q "WARNING: the mesh is not as $file says" "$TMP/out" || say "a failed start says: $(cat "$TMP/out")"
	expect status 1 "diff $file"
	ENDS=130 && expect start 1 "apply --no-pair $file"
	: >"$TMP/here/own.yaml"
	printf 'jmesh_enable=YES\njmesh_flags="--wait 0"\njmesh_file="%s"\n' "$TMP/here/own.yaml" >"$TMP/rc.conf"
	ENDS=3 && expect start 0 "apply --wait 0 $TMP/here/own.yaml"
	echo 'jmesh_flags=""' >>"$TMP/rc.conf"
	ENDS=0 && expect start 0 "apply $TMP/here/own.yaml"
}

# --- The relay as a service ----------------------------------------------------------------------------

# rc_relay RC WORD: the service's command WORD ends with RC.
rc_relay() {
	rc=0
	RC_CONF=$TMP/rc.conf RC_LOG=$TMP/log RC_SYSLOG=$TMP/syslog timeout 30 dash "$TMP/jmesh_relay.rc" "$2" \
		>"$TMP/out" 2>&1 </dev/null || rc=$?
	[ "$rc" = "$1" ] || say "service jmesh_relay $2 ends with $rc, not $1: $(cat "$TMP/out")"
}

# logged TEXT: the relay says so, within 10 seconds.
logged() {
	for _ in $(seq 100); do
		! grep -q "$1" "$TMP/syslog" || return 0
		sleep 0.1
	done
	say "the relay does not say '$1': $(tail -n 3 "$TMP/syslog")"
}

# The relay itself, as FreeBSD's rc script starts, reloads and stops it. It needs what check_rc prepares.
check_relay_rc() {
	cp "$ROOT/build/$VARIANT/jmesh" "$TMP/here/bin/jmesh"
	cp tests/packaging/daemon tests/packaging/limits "$TMP/bin"
	chmod 755 "$TMP/bin/daemon" "$TMP/bin/limits"
	echo 'jmesh_relay_flags="--listen 127.0.0.1:0 --ttl 60"' >"$TMP/rc.conf"
	: >"$TMP/log" && : >"$TMP/syslog"
	rc_relay 0 start
	grep -q "Cannot 'start' jmesh_relay" "$TMP/out" || say "a relay that is off says: $(cat "$TMP/out")"
	echo 'jmesh_relay_enable="YES"' >>"$TMP/rc.conf"
	rc_relay 1 status
	rc_relay 0 start
	logged 'listening on http://127\.0\.0\.1:[1-9]'
	pid=$(cat "$TMP/jmesh_relay.pid")
	[ "$(ps -o args= -p "$pid")" = "$TMP/here/bin/jmesh relay --listen 127.0.0.1:0 --ttl 60" ] ||
	    say "the rc script runs: $(ps -o args= -p "$pid")"
	grep -q '^limits 66560$' "$TMP/log" && grep -q '^user nobody, files ' "$TMP/log" ||
	    say "the relay runs with: $(cat "$TMP/log")"
	rc_relay 0 status
	rc_relay 1 start
	rc_relay 0 reload
	logged 'nothing to read again'
	rc_relay 0 restart
	[ "$(cat "$TMP/jmesh_relay.pid")" != "$pid" ] && ! kill -0 "$pid" 2>/dev/null ||
	    say 'service jmesh_relay restart restarts nothing'
	rc_relay 0 stop
	logged stopped
	rc_relay 1 stop
	printf 'jmesh_relay_user=www\njmesh_relay_limits=\njmesh_relay_flags="--ttl 0"\n' >>"$TMP/rc.conf"
	: >"$TMP/log"
	rc_relay 0 start
	grep -q '^user www, ' "$TMP/log" && ! grep -q limits "$TMP/log" || say "of its own: $(cat "$TMP/log")"
	logged 'ttl takes seconds from 1'
}

check_unit() {
	gmake install DESTDIR= PREFIX="$TMP/unit" >"$TMP/out" 2>&1 || say "gmake install: $(tail -n 3 "$TMP/out")"
	unit=$TMP/unit/lib/systemd/system/jmesh-relay.service
	# What it knows of the unit alone, without a systemd that runs.
	systemd-analyze verify --man=no --recursive-errors=no "$unit" >"$TMP/out" 2>&1 || echo failed >>"$TMP/out"
	[ ! -s "$TMP/out" ] || say "systemd-analyze verify: $(cat "$TMP/out")"
	score=$(systemd-analyze security --offline=true --no-pager "$unit" |
	    sed -n 's/.*Overall exposure level for jmesh-relay\.service: \([0-9.]*\) .*/\1/p')
	[ "$(awk -v score="${score:-10}" 'BEGIN { print (score < 2.0) }')" = 1 ] ||
	    say "systemd-analyze security: the unit's exposure is '$score', not below 2.0"
	# As many as --max-connections takes, and 48 files of the relay's own.
	most=$("$ROOT/build/$VARIANT/jmesh" relay --max-connections 0 2>&1 |
	    sed -n 's/.* from 1 to \([0-9]*\),.*/\1/p')
	files=$(sed -n 's/^LimitNOFILE=//p' "$unit")
	[ "${most:-0}" -gt 0 ] && [ "$files" -ge $((most + 48)) ] ||
	    say "LimitNOFILE is $files, and --max-connections may be '$most'"
}

# --- The formula ---------------------------------------------------------------------------------------

check_formula() {
	formula=packaging/homebrew/jmesh.rb
	ruby -wc "$formula" >"$TMP/out" 2>&1 || say "$formula: $(cat "$TMP/out")"
	! grep -v '^Syntax OK$' "$TMP/out" || say "$formula: ruby warns"
	# Homebrew calls some libraries otherwise than pkg-config does.
	for library in $LIBS; do
		case $library in
		yaml-0.1) echo libyaml ;;
		libcurl) echo curl ;;
		libcjson) echo cjson ;;
		*) echo "$library" ;;
		esac
	done | sort >"$TMP/want"
	sed -n 's/^  depends_on "\([^"]*\)"$/\1/p' "$formula" >"$TMP/has"
	sort -c "$TMP/has" 2>/dev/null || say "$formula: depends_on is not sorted"
	same 'depends_on against LIBS of Makefile' "$TMP/want" "$TMP/has"
	grep -q "url ENV.fetch" "$formula" && ! grep -E '(https?|git|ssh)://' "$formula" ||
	    say "$formula names a host"
}

: >"$TMP/said"
check_bsd_make
check_install
check_flags
check_port_order
check_port_values
check_plist
check_plist WITHOUT=EXAMPLES
check_rc
check_relay_rc
check_unit
check_formula
[ ! -s "$TMP/said" ] || exit 1
echo "packaging: $(grep -vc '^@' "$PORT/pkg-plist") files"
