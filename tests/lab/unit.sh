# platforms: netns
# limit: 900
# The unit tests, in a lab: some need /proc, /dev/net/tun and a network that is nobody's.
cd "$BUILD/../.."
# ssh looks for its own files at the home that passwd tells, whatever HOME says: let it be the lab's.
awk -F: -v OFS=: -v home="$LAB" '$3 == 0 { $6 = home } { print }' /etc/passwd >"$LAB/passwd"
mount -n --bind "$LAB/passwd" /etc/passwd
status=0
# Of their time most is spent waiting.
"$BUILD/tests/unit/unit" -j$(($(nproc) * 2)) 2>&1 | tee "$LAB/unit.log" || status=$?
# Those that failed stand among the lines of others.
[ "$status" = 0 ] || fail "$(grep -E '^\[(FAIL|CRASH)' "$LAB/unit.log")"
# A runner that finds no tests ends well, too.
grep -Eq 'Tested: [1-9][0-9]* \| Passing: [1-9]' "$LAB/unit.log" || fail "no test was run"
