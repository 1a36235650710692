#!/bin/sh
# Compiles each of FILES as it is on a system that is not Linux, asking the C library for POSIX alone:
#
#   FILES=… STANDARD=… STANDARD_OS=… sh tests/portable.sh COMPILER [FLAG...]
#
# First it must refuse a file that calls what is not POSIX, or a pass would say nothing.
set -eu

# compile STANDARD FILE COMPILER [FLAG...]
compile() {
	standard=$1 source=$2
	shift 2
	# shellcheck disable=SC2086
	"$@" -fsyntax-only -Werror=implicit-function-declaration $standard -U__linux__ -Ulinux "$source"
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
compile "$STANDARD" "$TMP/planted.c" "$@" || { echo 'portable: close() was refused' >&2; exit 1; }
for call in 'unistd.h pipe2(fds,0)' 'string.h strchrnul(text,*text)!=text' \
    'stdlib.h clearenv()' 'sys/socket.h accept4(fds[0],NULL,NULL,0)' 'fcntl.h O_PATH'; do
	plant "${call%% *}" "${call#* }"
	if compile "$STANDARD" "$TMP/planted.c" "$@" 2>/dev/null; then
		echo "portable: a planted ${call#* } was not refused" >&2
		exit 1
	fi
done

n=0
for file in $FILES; do
	n=$((n + 1))
	case $file in
	src/os/*) compile "$STANDARD_OS" "$file" "$@" ;;
	*) compile "$STANDARD" "$file" "$@" ;;
	esac
done
echo "portable: $n files"
