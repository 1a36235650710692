#!/bin/sh
# Whether a compiler refuses what is not POSIX, or that `make portable` passes would say nothing:
#
#   STANDARD=… sh tests/portable.sh COMPILER [FLAG...]
set -eu

compile() {
	# shellcheck disable=SC2086
	"$@" -fsyntax-only $STANDARD -U__linux__ -Ulinux "$TMP/planted.c"
}

TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

# plant HEADER CALL: a function that calls CALL, which is not in POSIX 2008.
plant() {
	cat >"$TMP/planted.c" <<-C
	#include <$1>
	#include <stddef.h>
	int planted(const char *text, int *fds);
	int planted(const char *text, int *fds)
	{
		(void)text;
		(void)fds;
		return $2;
	}
	C
}

plant unistd.h 'close(fds[0])'
compile "$@" || { echo 'portable: close() was refused' >&2; exit 1; }
for call in 'unistd.h pipe2(fds,0)' 'string.h strchrnul(text,*text)!=text' \
    'stdlib.h clearenv()' 'sys/socket.h accept4(fds[0],NULL,NULL,0)' 'fcntl.h O_PATH'; do
	plant "${call%% *}" "${call#* }"
	if compile "$@" 2>/dev/null; then
		echo "portable: a planted ${call#* } was not refused" >&2
		exit 1
	fi
done
