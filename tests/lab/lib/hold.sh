# What holds in a lab test, and what is said when it does not.
#
# Nothing here sleeps blindly: wait_for polls until a deadline. Times are in seconds, and $FACTOR times as
# long under sanitizers.

# fail MESSAGE...: the test fails here, and the log says where.
fail() {
	trap - ERR
	printf '\nFAILED: %s\n' "$*"
	local i
	for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
		printf '    at %s:%d\n' "$(basename "${BASH_SOURCE[i]}")" "${BASH_LINENO[i - 1]}"
	done
	lab_evidence
	exit 1
}

note() {
	printf '\n== %d s: %s\n' "$SECONDS" "$*"
}

# seconds N: N, longer where the program is slower.
seconds() {
	echo $(($1 * FACTOR))
}

# wait_for SECONDS COMMAND...: polls until the command succeeds.
wait_for() {
	local limit=$1 end nap=5
	shift
	end=$((SECONDS + $(seconds "$limit") + 1))
	until "$@" >"$LAB/wait.log" 2>&1; do
		if ((SECONDS >= end)); then
			cat "$LAB/wait.log"
			fail "after $limit s still not: $*"
		fi
		# What is asked is many programs: asked all the time, it keeps others from what it waits for.
		sleep "$(printf '0.%02d' "$nap")"
		nap=$((nap < 30 ? nap + 5 : nap))
	done
}

# run COMMAND...: leaves its exit status in $STATUS, what it printed in $OUT and $ERR.
run() {
	STATUS=0
	"$@" >"$LAB/out" 2>"$LAB/err" || STATUS=$?
	OUT=$(tr -d '\0' <"$LAB/out")
	ERR=$(tr -d '\0' <"$LAB/err")
	printf '+ %s -> %d\n' "$*" "$STATUS"
}

# expect N COMMAND...: runs it and wants exit status N.
expect() {
	local wanted=$1
	shift
	run "$@"
	[ "$STATUS" = "$wanted" ] || {
		printf '%s\n' "$OUT" "$ERR"
		fail "exit status $STATUS, not $wanted: $*"
	}
	case $ERR in
	*AddressSanitizer* | *"runtime error:"* | *LeakSanitizer*) fail "sanitizer: $ERR" ;;
	esac
}

# expect_text WHERE PATTERN: $OUT or $ERR matches the extended regular expression.
expect_text() {
	local text=${!1}
	grep -Eq -- "$2" <<<"$text" || fail "$1 does not match /$2/: $text"
}

refuse_text() {
	local text=${!1}
	! grep -Eq -- "$2" <<<"$text" || fail "$1 matches /$2/: $text"
}

# same WHAT A B
same() {
	[ "$2" = "$3" ] || {
		diff -u <(printf '%s\n' "$2") <(printf '%s\n' "$3") || true
		fail "$1 differs"
	}
}

# differ WHAT A B
differ() {
	[ "$2" != "$3" ] || fail "$1 is the same: $2"
}

# aside COMMAND...: in the background, where any exit status is the business of who waits for it ($!).
aside() {
	(
		trap - ERR
		set +eE
		"$@"
	) &
}

# json FILTER: jq on $OUT.
json() {
	jq -r "$1" <<<"$OUT" || fail "not the JSON expected: $OUT"
}

# refused COMMAND...: it must not succeed.
refused() {
	! "$@" >"$LAB/refused.log" 2>&1 || {
		cat "$LAB/refused.log"
		fail "succeeded, and must not: $*"
	}
}
