# Applies that are killed at random moments.
#
# RANDOM is seeded, so that a failure can be had again: SEED=N.

KILLS=0 LOST=0 ROUNDS=0
seed_kills() {
	SEED=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$SEED
	echo "seed $SEED"
}

# rounds N: so many, fewer under sanitizers, and an eighth where FreeBSD's stand-ins are ten times slower.
rounds() {
	local n=$(($1 / FACTOR))
	[ "$PLATFORM" = netns ] || n=$(((3 * n + 7) / 8)) # FACTOR is three times as high there
	echo "$n"
}

# took COMMAND...: its seconds; span_of COMMAND...: however it ends.
took() {
	local begin=$EPOCHREALTIME
	"$@" >"$LAB/span.out"
	awk "BEGIN { print $EPOCHREALTIME - $begin }"
}
span_of() {
	local begin=$EPOCHREALTIME
	"$@" >"$LAB/span.out" 2>&1 || true
	awk "BEGIN { print $EPOCHREALTIME - $begin }"
}

# killed SPAN ARGUMENT...: apply, killed at a random moment within the seconds that the variable SPAN holds.
# The span follows what an apply takes while the machine is more or less busy: five of six are killed at work.
# Where ssh is between, they are killed in turn: jmesh, its ssh, or what sshd has for it.
killed() {
	local -n span_of_killed=$1
	local status=0 at change=1.04 victim=jmesh
	shift
	at=$(awk -v r=$RANDOM -v within="$span_of_killed" 'BEGIN { printf "%.4f", r / 32768 * within }')
	if [ -n "${USER_PID[laptop]:-}" ]; then
		local victims=(ssh jmesh sshd)
		victim=${victims[ROUNDS % 3]}
	fi
	# shellcheck disable=SC2016
	beside_jmesh laptop bash -c '
		at=$1 victim=$2
		shift 2
		jmesh apply "$@" &
		sleep "$at"
		case $victim in
		jmesh) kill -9 $! ;;
		ssh) pkill -9 -P $! -x ssh ;;
		sshd) pkill -9 -u 1001 -x sshd ;;
		esac 2>/dev/null
		wait $!' killed "$at" "$victim" "$@" >"$LAB/killed.out" 2>"$LAB/killed.err" || status=$?
	ROUNDS=$((ROUNDS + 1))
	if [ "$status" = 137 ]; then
		KILLS=$((KILLS + 1))
	elif [ "$victim" != jmesh ] && [ "$status" = 1 ]; then
		grep -Eq '(the connection to 127.0.0.1 was lost|127.0.0.1 cannot be reached by ssh: ).*' "$LAB/killed.err" ||
		    fail "round $ROUNDS: $victim was killed, and apply does not say it: $(cat "$LAB/killed.err")"
		KILLS=$((KILLS + 1)) LOST=$((LOST + 1))
	else
		change=0.8
	fi
	whole
	span_of_killed=$(awk "BEGIN { print $span_of_killed * $change }")
}

# whole: the files that Jailrun has beside us are whole, and their lock has ended with its process.
whole() {
	[ "$PLATFORM" = jailrun ] || return 0
	local dir=$LAB/laptop/user/.jrun
	jq -e '.version == 1 and .ssh_port == 2222 and (.jails | keys) == ["api", "web"] and (.peers | type) == "array"' \
	    "$dir/state.json" >/dev/null || fail "round $ROUNDS: state.json: $(cat "$dir/state.json")"
	flock -n "$dir/state.lock" true || fail "round $ROUNDS: Jailrun's lock is still held"
}

# most_killed: else the test proves nothing. Of few rounds chance may leave only some.
most_killed() {
	local of=2
	((ROUNDS >= 40)) || of=4
	note "$KILLS of $ROUNDS applies were killed at work${USER_PID[laptop]:+, $LOST of them by their connection}"
	((KILLS * of > ROUNDS)) || fail "most of them had ended before they were killed: the test proves nothing"
	[ -z "${USER_PID[laptop]:-}" ] || ((LOST > 0)) || fail "no connection was lost: the test proves nothing"
	# What they began on the other side ends as well.
	[ -z "${USER_PID[laptop]:-}" ] || wait_for 10 eval '! on laptop pgrep -fx "/bin/sh"'
}
