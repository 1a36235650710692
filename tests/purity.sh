#!/bin/sh
# The undefined symbols of the pure objects are memory, strings, sorting, or a library that only computes.
# Whatever else they call (open, getenv, time, printf …) fails the build.
set -eu

allow='
mem(chr|cmp|cpy|move|set|mem|rchr)|str(chr|cmp|cspn|dup|len|ncmp|ndup|nlen|pbrk|rchr|spn|str|casecmp|ncasecmp|tod|tol|toll|toul|toull)
v?snprintf|qsort|bsearch|malloc|calloc|realloc|free|abort|inet_(pton|ntop)|is(alnum|alpha|digit|space|xdigit|print)|to(lower|upper)
cJSON_[A-Za-z]+|cyaml_[a-z_]+|yaml_[a-z_]+
crypto_(aead|generichash|hash|sign)[a-z0-9_]*|sodium_(memzero|memcmp|bin2hex|hex2bin|bin2base64|base642bin|base64_encoded_len|is_zero|compare)
strerror|__errno_location|error|__isoc(23|99)_[a-z]+|__ctype_[a-z_]+
__(v?snprintf|mem[a-z]+|str[a-z]+|explicit_bzero|fdelt)_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_
__asan_[a-z0-9_]+|__ubsan_[a-z0-9_]+|__assert_fail
'
pattern=$(printf '%s' "$allow" | tr '\n' '|' | sed 's/||*/|/g; s/^|//; s/|$//')

own=$(mktemp)
trap 'rm -f "$own"' EXIT
nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u >"$own"

status=0
for object; do
	for symbol in $(nm -u "$object" | awk '{ print $2 }'); do
		grep -qxF "$symbol" "$own" && continue
		printf '%s\n' "$symbol" | grep -qxE "$pattern" && continue
		printf 'purity: %s calls %s\n' "$object" "$symbol" >&2
		status=1
	done
done
[ "$status" -ne 0 ] || echo "purity: $# objects"
exit $status
