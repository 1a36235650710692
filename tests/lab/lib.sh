# What lab tests are written with. Sourced by init.sh in a lab's first process.
#
# A host is a machine of the lab: a process with its own network, mount, pid and UTS namespaces, in which
# /run, /etc and /var/lib are its own. A jail is a named network namespace on a host. Each host has a
# folder $LAB/HOST, which is the working directory of its commands and is seen by all.
#
# Nothing here sleeps blindly: wait_for polls until a deadline. Times are in seconds, and $FACTOR times as
# long under sanitizers.

RELAY=203.0.113.1
RELAY_URL=http://$RELAY:8080
RELAY_NODE=tcp://$RELAY:37100
BRIDGE=10.17.89.1

# --- What holds, and what is said when it does not ---------------------------------------------------

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

# --- The lab ------------------------------------------------------------------------------------------

HOSTS=()
# HOST_KIND: netns or freebsd; USER_PID: a host that a user reaches by ssh; HOST_JRUN: yes where the jails
# are Jailrun's.
declare -A HOST_PID=() HOST_JAILS=() HOST_KIND=() USER_PID=() HOST_JRUN=()
PLATFORM=${PLATFORM:-netns}

lab_start() {
	trap 'fail "exit status $? of: $BASH_COMMAND"' ERR
	ip link set lo up
	# The wide area network: one Ethernet.
	ip link add wan type bridge
	ip link set wan up
}

# What a failed test leaves for the reader.
lab_evidence() {
	local name log
	for name in "${HOSTS[@]}"; do
		for log in "$LAB/$name"/*.log "$LAB/$name"/lib/jmesh/nodes/*/*.log \
		    "$LAB/$name"/var/log/*.log "$LAB/$name"/local/jails/*/root/var/log/*.log \
		    "$LAB/$name"/local/jailrun/jails/*/root/var/log/*.log; do
			[ -s "$log" ] || continue
			printf -- '--- %s (end)\n' "${log#"$LAB"/}"
			tail -n 4 "$log"
		done
	done
	echo '--- processes (those that last)'
	ps -eo pid,ppid,stat,wchan:20,etimes,cputimes,args | awk 'NR == 1 || $5 > 0' | cut -c 1-150 | head -n 60
}

# host NAME [ADDR]: a new machine, with ADDR/24 on the wide area network.
host() {
	local name=$1 addr=${2:-} dir=$LAB/$1 pid
	mkdir "$dir" "$dir/etc" "$dir/lib" "$dir/run"
	# shellcheck disable=SC2016
	unshare --net --uts --mount --pid --fork --kill-child=KILL \
	    bash -c '
		set -e
		dir=$1 name=$2
		mount -t proc proc /proc
		for file in "$LAB"/real/*; do
			ln -s "$file" "$dir/etc"
		done
		rm -rf "$dir/etc/"{unbound,netns,resolv.conf,hosts,hostname,nsswitch.conf}
		mkdir -p "$dir/etc/unbound/unbound.conf.d" "$dir/etc/netns" "$dir/run/netns" "$dir/lib/unbound"
		printf "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n" "$name" >"$dir/etc/hosts"
		printf "%s\n" "$name" >"$dir/etc/hostname"
		printf "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n" >"$dir/etc/resolv.conf"
		printf "passwd: files\ngroup: files\nhosts: files dns\n" >"$dir/etc/nsswitch.conf"
		mount --bind "$dir/etc" /etc
		mount --bind "$dir/lib" /var/lib
		mount --bind "$dir/run" /run
		hostname "$name"
		ip link set lo up
		trap : TERM INT HUP
		: >"$dir/up"
		sleep infinity &
		while :; do wait || :; done
	' host "$dir" "$name" >"$dir/host.log" 2>&1 &
	disown
	local parent=$!
	wait_for 30 test -e "$dir/up"
	pid=$(pgrep -P "$parent")
	HOSTS+=("$name")
	HOST_PID[$name]=$pid
	[ -z "$addr" ] || link_wan "$name" "$addr"
}

# Puts the host on the wide area network.
link_wan() {
	local index=${#HOSTS[@]}
	ip link add "wan$index" type veth peer name eth0 netns "${HOST_PID[$1]}"
	ip link set "wan$index" master wan up
	on "$1" ip addr add "$2/24" dev eth0
	on "$1" ip link set eth0 up
}

# runs_jmesh COMMAND...: whether that is jmesh, perhaps with another environment.
runs_jmesh() {
	case $1 in
	jmesh) return 0 ;;
	env | setsid | timeout)
		case " $* " in
		*" jmesh "*) return 0 ;;
		esac
		;;
	esac
	return 1
}

# on HOST COMMAND...: jmesh where the user runs it, everything else on the host itself. On a host of
# FreeBSD jmesh finds what FreeBSD has, the test itself Linux' programs too.
on() {
	local name=$1
	if [ "${HOST_KIND[$name]:-}" != freebsd ]; then
		on_path "$PATH" "$@"
	elif runs_jmesh "${@:2}"; then
		beside_jmesh "$@"
	else
		on_path "$LAB/tools:$LAB/linux:/usr/local/sbin:$PATH" "$@"
	fi
}

# beside_jmesh HOST COMMAND...: where the user runs jmesh, with what jmesh finds there.
beside_jmesh() {
	if [ -n "${USER_PID[$1]:-}" ]; then
		on_user "$@"
	elif [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		on_path "$FREEBSD_PATH:$LAB/bin" "$@"
	else
		on_path "$PATH" "$@"
	fi
}

on_path() {
	local path=$1 name=$2
	shift 2
	# shellcheck disable=SC2016
	nsenter -t "${HOST_PID[$name]}" -n -m -u -p sh -c 'PATH=$0; cd "$1" && shift && exec "$@"' \
	    "$path" "$LAB/$name" "$@"
}

# in_jail HOST JAIL COMMAND...
in_jail() {
	local name=$1 jail=$2
	shift 2
	if [ "${HOST_KIND[$name]:-}" = freebsd ]; then
		jail=${JAIL_SYSTEM[$name/$jail]}
		# shellcheck disable=SC2016
		on "$name" nsenter "--net=/run/netns/$jail" "--root=$(freebsd_jail_dir "$name" "$jail")/root" \
		    sh -c 'cd "$0" && exec "$@"' "$LAB/$name" "$@"
	else
		on "$name" ip netns exec "$jail" "$@"
	fi
}

# jail HOST NAME ADDR: a jail on the host's bridge: a named network namespace, on FreeBSD with a root.
jail() {
	if [ "${HOST_JRUN[$1]:-}" = yes ]; then
		jailrun_jail "$@"
	elif [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		freebsd_jail "$@"
	else
		jail_stack "$@"
		HOST_JAILS[$1]="${HOST_JAILS[$1]:-} $2"
	fi
}

jail_stack() {
	local name=$1 jail=$2 addr=$3
	# shellcheck disable=SC2016
	on "$name" sh -ec '
		jail=$1 addr=$2 bridge=$3
		if [ ! -e /sys/class/net/bridge0 ] && ! ip link show bridge0 >/dev/null 2>&1; then
			ip link add bridge0 type bridge
			ip addr add "$bridge/24" dev bridge0
			ip link set bridge0 up
		fi
		ip netns add "$jail"
		ip link add "v-$jail" type veth peer name eth0 netns "$jail"
		ip link set "v-$jail" master bridge0 up
		ip -n "$jail" link set lo up
		ip -n "$jail" addr add "$addr/24" dev eth0
		ip -n "$jail" link set eth0 up
		ip -n "$jail" route add default via "$bridge"
		mkdir -p "/etc/netns/$jail"
		printf "nameserver %s\noptions timeout:1 attempts:2\n" "$bridge" >"/etc/netns/$jail/resolv.conf"
	' jail "$jail" "$addr" "$BRIDGE"
}

# nat_router NAME ADDR LAN_HOST: LAN_HOST reaches the world through a new router at ADDR, and nobody
# reaches it.
nat_router() {
	local name=$1 addr=$2 inside=$3
	host "$name" "$addr"
	ip link add lan0 type veth peer name lan1
	ip link set lan0 netns "${HOST_PID[$name]}"
	ip link set lan1 name eth0 netns "${HOST_PID[$inside]}"
	on "$name" sh -ec '
		ip addr add 192.168.7.1/24 dev lan0
		ip link set lan0 up
		echo 1 >/proc/sys/net/ipv4/ip_forward
		nft -f - <<-RULES
			table ip nat {
				chain post {
					type nat hook postrouting priority srcnat;
					oifname "eth0" masquerade
				}
				chain forward {
					type filter hook forward priority filter; policy drop;
					iifname "lan0" accept
					ct state established,related accept
				}
			}
		RULES
	'
	on "$inside" sh -ec '
		ip addr add 192.168.7.10/24 dev eth0
		ip link set eth0 up
		ip route add default via 192.168.7.1
	'
}

# resolver HOST: a real unbound on the host and its jail bridge, as Debian or FreeBSD sets it up.
resolver() {
	local name=$1
	if [ "${HOST_KIND[$name]:-}" = freebsd ]; then
		freebsd_resolver "$name"
		return
	fi
	cat >"$LAB/$name/etc.unbound.conf" <<-CONF
		include-toplevel: "/etc/unbound/unbound.conf.d/*.conf"
	CONF
	# shellcheck disable=SC2016
	on "$name" sh -ec '
		mv etc.unbound.conf /etc/unbound/unbound.conf
		cat >/etc/unbound/unbound.conf.d/remote-control.conf <<-CONF
			remote-control:
			  control-enable: yes
			  control-interface: /run/unbound.ctl
		CONF
		cat >/etc/unbound/unbound.conf.d/server.conf <<-CONF
			server:
			  interface: 127.0.0.1
			  interface: $1
			  access-control: 10.17.89.0/24 allow
			  username: ""
			  chroot: ""
			  use-syslog: no
			  logfile: "$2"
			  pidfile: "/run/unbound.pid"
			  module-config: "iterator"
			  num-threads: 1
			  local-zone: "test." static
			  local-zone: "2.0.ip6.arpa." static
			  local-data: "kept.test. IN A 192.0.2.1"
		CONF
	' resolver "$BRIDGE" "$LAB/$name/unbound.log"
	resolver_start "$name"
}

resolver_start() {
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		freebsd_resolver_start "$1"
		return
	fi
	on "$1" unbound
	wait_for 5 on "$1" unbound-control status
}

resolver_pid() {
	on "$1" sh -c 'cat /run/unbound.pid /run/local_unbound.pid 2>/dev/null || :'
}

resolver_stop() {
	on "$1" kill "$(resolver_pid "$1")"
	wait_for 5 eval "! on $1 unbound-control status"
}

# relay HOST [OPTION...]: the relay with its node, in the background; its log is relay.log.
relay() {
	local name=$1
	shift
	# shellcheck disable=SC2016
	on "$name" sh -c 'setsid jmesh relay "$@" >>relay.log 2>&1 & echo $! >relay.pid' relay \
	    --listen "$RELAY:8080" --node "$RELAY_NODE" "$@"
	wait_for 10 on "$name" curl -s -o /dev/null "$RELAY_URL/pair/0"
}

# relay_log: its log, with all that was asked so far: it writes a moment later (log.h).
relay_log() {
	sleep "$((FACTOR / 3)).3"
	cat "$LAB/relay/relay.log"
}

# asked: how many requests for pairings it has had. Its node's lines come when they want.
asked() {
	relay_log | grep -c ' /pair' || true
}

relay_stop() {
	on "$1" sh -c 'kill "$(cat relay.pid)"'
	wait_for 10 eval "! on $1 kill -0 \$(cat $LAB/$1/relay.pid)"
}

# settle HOST...: waits until the nodes of these hosts, which must be connected, reach each other.
settle() {
	local name socket words=()
	for name in "$@"; do
		for socket in "$LAB/$name"/lib/jmesh/nodes/*/yggdrasil.sock "$LAB/$name"/*.sock \
		    "$LAB/$name"/run/yggdrasil.sock "$LAB/$name"/local/jail*/*/root/var/run/yggdrasil.sock \
		    "$LAB/$name"/local/jailrun/jails/*/root/var/run/yggdrasil.sock; do
			[ ! -S "$socket" ] || words+=("$socket")
		done
		words+=(--)
	done
	unset 'words[-1]'
	python3 "$LAB/tests/settle.py" "$(seconds 20)" "${words[@]}" || fail "the overlay does not settle"
}

# pings HOST JAIL TARGET: one echo request is answered, soon.
pings() {
	wait_for 5 in_jail "$1" "$2" ping -c 1 -W 1 "$3"
}

# no_ping HOST JAIL TARGET: of three requests none is answered.
no_ping() {
	refused in_jail "$1" "$2" ping -c 3 -i 0.2 -W 1 "$3"
}

# places: where things are on the laptop, as everybody on it sees them. STATE: jmesh's own folder; INCLUDE:
# the file with its names, in CONFD; KEYS, CONFS: patterns of the nodes' files.
places() {
	local jails=/usr/local/jails/*
	STATE=/var/lib/jmesh
	CONFD=/etc/unbound/unbound.conf.d INCLUDE=$CONFD/jmesh.conf
	KEYS=$STATE/nodes/*/key.pem
	CONFS=$STATE/nodes/*/yggdrasil.conf
	[ "$PLATFORM" != netns ] || return 0
	STATE=/var/db/jmesh
	CONFD=/var/unbound/conf.d INCLUDE=$CONFD/jmesh.conf
	if [ "$PLATFORM" = jailrun ]; then
		jails=/usr/local/jailrun/jails/*
		INCLUDE=$CONFD/jrun.conf
	fi
	KEYS="/usr/local/etc/yggdrasil.key $jails/local/etc/yggdrasil.key"
	CONFS="/usr/local/etc/yggdrasil.conf $jails/local/etc/yggdrasil.conf"
	case $PLATFORM in
	freebsd-ssh) STATE=$LAB/laptop/user/.local/state/jmesh/admin@127.0.0.1 ;;
	jailrun) STATE=$LAB/laptop/user/.local/state/jmesh/jailrun ;;
	esac
}
places

# file_of NODE key|conf|socket: a file of a node of the laptop.
file_of() {
	local dir=$STATE/nodes/$1 root=
	if [ "$PLATFORM" = netns ]; then
		case $2 in
		key) echo "$dir/key.pem" ;;
		conf) echo "$dir/yggdrasil.conf" ;;
		socket) echo "$dir/yggdrasil.sock" ;;
		esac
		return
	fi
	[ "$1" = _host ] || root=$(freebsd_jail_dir laptop "${JAIL_SYSTEM[laptop/$1]}")
	case $2 in
	socket) echo "${root:+$root/root}/var/run/yggdrasil.sock" ;;
	*) echo "${root:-/usr}/local/etc/yggdrasil.$2" ;;
	esac
}

# from_readme LANGUAGE TEXT: README's block in that language that has the text in it.
from_readme() {
	awk -v language="$1" -v text="$2" '
		{ line = $0; sub(/^ */, "", line) }
		!inside && line == "```" language { inside = 1; block = ""; next }
		inside && line == "```" {
			inside = 0
			if (index(block, text)) {
				printf "%s", block
				found++
			}
		}
		inside { block = block $0 "\n" }
		END { exit found != 1 }
	' "$BUILD/../../README.md" || fail "README.md has not exactly one block of $1 with: $2"
}

# --- Mesh files -----------------------------------------------------------------------------------------

# mesh HOST <<REST: writes the host's mesh.yaml: its jails, then what standard input says. UPSTREAM and
# URL replace the relay's node and address.
mesh() {
	local name=$1 jail n=10
	{
		cat <<-HEAD
			version: 1
			name: $name
			relay:
			  url: ${URL-$RELAY_URL}
			yggdrasil:
			  listen: tcp://$BRIDGE:19001
			  peers: [${UPSTREAM-$RELAY_NODE}]
		HEAD
		# The firewall of the machine itself is Jailrun's.
		[ "${HOST_JRUN[$name]:-}" != yes ] || echo '  protect_host: false'
		host_keys "$name"
		echo 'jails:'
		for jail in ${HOST_JAILS[$name]}; do
			printf '  - name: %s\n    address: 10.17.89.%d\n' "$jail" $((n++))
		done
		cat
	} >"$LAB/$name/mesh.yaml"
}

# lab_relay: the relay's machine alone.
lab_relay() {
	host relay "$RELAY"
	relay relay
}

# lab_laptop [ADDR]: a machine of this test's platform with two jails and a resolver.
lab_laptop() {
	case $PLATFORM in
	netns) host laptop "${1-203.0.113.10}" ;;
	freebsd*) freebsd_host laptop "${1-203.0.113.10}" ;;
	jailrun) jailrun_host laptop "${1-203.0.113.10}" ;;
	esac
	jail laptop web 10.17.89.10
	jail laptop api 10.17.89.11
	case $PLATFORM in
	netns | freebsd) resolver laptop ;;
	freebsd-ssh)
		resolver laptop
		freebsd_sshd laptop
		freebsd_user laptop
		;;
	jailrun) jailrun_up laptop ;;
	esac
}

# host_keys HOST: how its mesh file says where the jails are.
host_keys() {
	if [ "${HOST_JRUN[$1]:-}" = yes ]; then
		printf 'host:\n  platform: jailrun\n'
	elif [ -n "${USER_PID[$1]:-}" ]; then
		printf 'host:\n  platform: freebsd\n  ssh: admin@127.0.0.1\n  ssh_key: %s\n  become: doas\n' \
		    "$LAB/$1/user/.ssh/id_ed25519"
	elif [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		printf 'host:\n  platform: freebsd\n'
	fi
}

lab_server() {
	host server 203.0.113.20
	jail server postgres 10.17.89.10
	jail server queue 10.17.89.11
	resolver server
}

# A third machine, which runs jmesh too and peers with the same relay.
lab_stranger() {
	host stranger 203.0.113.66
	jail stranger spy 10.17.89.10
	resolver stranger
}

# lab_alone: one machine with two jails, nothing upstream, and a peer whose roster is written down.
lab_alone() {
	lab_laptop ''
	ci_mesh
	expect 0 on laptop jmesh apply mesh.yaml
}

CI_RUNNER=201:aaaa::1
CI_CACHE=201:aaaa::2

ci_mesh() {
	UPSTREAM='' mesh laptop <<-REST
		peers:
		  - name: ci
		    jails:
		      - name: runner
		        address: $CI_RUNNER
		      - name: cache
		        address: $CI_CACHE
	REST
}

# meet: laptop and server with each other as peers, office and laptop, paired through the relay.
meet() {
	mesh laptop <<-REST
		peers:
		  - name: office
		    pair: create
	REST
	mesh server <<-REST
		peers:
		  - name: laptop
		    pair: join
	REST
	expect 3 on laptop jmesh apply --json --wait 0 mesh.yaml
	CODE=$(json '.pending[0].code')
	expect 0 on server jmesh apply --code "laptop=$CODE" mesh.yaml
	expect 0 on laptop jmesh apply --wait 10 mesh.yaml
}

# lab_pair: relay, laptop and server, met and settled.
lab_pair() {
	lab_relay
	lab_laptop
	lab_server
	meet
	settle laptop server
}

# address HOST JAIL: of a jail, or of the machine's own node as "host".
address() {
	on "$1" jmesh status --json mesh.yaml | jq -r ".nodes[] | select(.name == \"$2\") | .address"
}

# pasted HOST: the jails of the host as they stand under a peer of another mesh file.
pasted() {
	echo '    jails:'
	on "$1" jmesh roster mesh.yaml
}

# --- What jmesh says of itself --------------------------------------------------------------------------

# changes: the changes in $OUT, a line each, sorted.
changes() {
	json '.changes[] | [.action, .kind, .target, .key, .before // "-", .after // "-"] | join(" | ")' | sort
}

# drift HOST <<CHANGES: diff shows exactly these changes, apply carries out exactly them, and then nothing
# differs. A line is: action | kind | target | key | before | after.
drift() {
	local name=$1 wanted
	wanted=$(sort)
	expect 2 on "$name" jmesh diff --json mesh.yaml
	same "what diff shows" "$wanted" "$(changes)"
	expect 0 on "$name" jmesh apply --json mesh.yaml
	same "what apply did" "$wanted" "$(changes)"
	same "changed" true "$(json .changed)"
	in_sync "$name"
}

in_sync() {
	expect 0 on "$1" jmesh diff --json mesh.yaml
	same "in_sync" true "$(json .in_sync)"
	same "changes" "" "$(changes)"
}

# rules HOST JAIL: its whole ruleset; of pf its tables too, and whether it is enabled. JAIL - is the host.
rules() {
	local enter=(in_jail "$1" "$2")
	[ "$2" != - ] || enter=(on "$1")
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		# shellcheck disable=SC2016
		"${enter[@]}" sh -c '
			pfctl -si | sed -n "s/^\(Status: [A-Za-z]*\).*/\1/p"
			for anchor in "" jmesh; do
				pfctl -a "$anchor" -sr
				for table in $(pfctl -a "$anchor" -sT); do
					echo "<$table> of $anchor/"
					pfctl -a "$anchor" -t "$table" -T show
				done
			done' 2>/dev/null
	else
		"${enter[@]}" nft -s list ruleset
	fi
}

# What jmesh's own files are on a machine, where it runs and where the jails are.
jmesh_places() {
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		echo "/var/db/jmesh /var/unbound /usr/local/etc /etc/pf.conf /etc/rc.conf $LAB/$1/user" \
		    "/usr/local/jails/*/root/etc /usr/local/jails/*/local/etc" \
		    "/usr/local/jailrun/jails/*/root/etc /usr/local/jailrun/jails/*/local/etc"
	else
		echo "/var/lib/jmesh /etc/unbound"
	fi
}

# own_files HOST: what there is of them, logs left out.
own_files() {
	on "$1" sh -c "find $(jmesh_places "$1") -type f ! -name '*.log*' 2>/dev/null | sort"
}

# state HOST: everything that an apply may change on a host, as text: rulesets, the resolver's records,
# files with their contents, times and modes, the nodes' processes.
state() {
	local name=$1 jail
	for jail in ${HOST_JAILS[$name]}; do
		echo "# $jail"
		rules "$name" "$jail"
	done
	rules "$name" -
	on "$name" unbound-control list_local_data | sort
	on "$name" unbound-control list_local_zones | sort
	on "$name" sh -c "
		find $(jmesh_places "$name") mesh.lock \\( -type f -o -type d \\) ! -name '*.log' \
		    -printf '%p %m %T@ %s\n' 2>/dev/null | sort
		find $(jmesh_places "$name") mesh.lock -type f ! -name '*.log' -exec sha256sum {} + 2>/dev/null | sort -k 2"
	processes "$name"
}

# processes HOST: the daemons of a host with their start times.
processes() {
	on "$1" sh -c 'ps -o pid=,lstart=,args= -C yggdrasil,unbound | sort -n'
}

# process HOST NODE: the pid of its node.
process() {
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		local system=self/ns/net
		[ "$2" = _host ] || system=$(freebsd_stack "$1" "$2")
		# shellcheck disable=SC2016
		on "$1" sh -c '
			case $1 in
			self/*) wanted=$(stat -L -c %i /proc/self/ns/net) ;;
			*) wanted=$(stat -c %i "$1") ;;
			esac
			for pid in $(pgrep -x yggdrasil); do
				[ "$(stat -L -c %i "/proc/$pid/ns/net")" != "$wanted" ] || echo "$pid"
			done' process "$system"
	else
		on "$1" sh -c 'awk "{ print \$1; exit }" "/var/lib/jmesh/nodes/$1/yggdrasil.pid"' process "$2"
	fi
}

# nodes_in HOST JAIL: how many nodes run in a jail, where nothing else does but daemon(8), one for each.
nodes_in() {
	local n=0 jail=$2 each=1
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		jail=${JAIL_SYSTEM[$1/$2]} each=2
	fi
	n=$(on "$1" ip netns pids "$jail" | wc -l)
	[ $((n % each)) = 0 ] || fail "$n processes in $2: a node without daemon(8), or daemon(8) without a node"
	echo $((n / each))
}

node_gone() {
	local pid
	pid=$(process "$1" "$2")
	[ -z "$pid" ] || ! on "$1" kill -0 "$pid"
}

# stop_node HOST NODE: it runs no more, and nobody starts it again as daemon(8) of FreeBSD's service would.
stop_node() {
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		local enter=(in_jail "$1" "$2")
		[ "$2" != _host ] || enter=(on "$1")
		"${enter[@]}" service yggdrasil onestop >/dev/null
	else
		on "$1" kill -9 "$(process "$1" "$2")"
	fi
	wait_for 5 node_gone "$1" "$2"
}

# --- The firewall, by hand ------------------------------------------------------------------------------

# allows HOST JAIL ADDR: whether its table has the address; JAIL - is the host.
allows() {
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		in_jail "$1" "$2" pfctl -q -t mesh_peers -T test "$3"
	else
		in_jail "$1" "$2" nft get element inet jmesh mesh_peers "{ $3 }" >/dev/null
	fi
}

# allow HOST JAIL ADDR..., disallow HOST JAIL ADDR...: puts them into its table, takes them out.
allow() {
	table_by_hand add "$@"
}
disallow() {
	table_by_hand delete "$@"
}
table_by_hand() {
	local verb=$1 host=$2 jail=$3 list
	shift 3
	if [ "${HOST_KIND[$host]:-}" = freebsd ]; then
		in_jail "$host" "$jail" pfctl -q -t mesh_peers -T "$verb" "$@" 2>/dev/null
	else
		list=$(printf ', %s' "$@")
		in_jail "$host" "$jail" nft "$verb" element inet jmesh mesh_peers "{ ${list#, } }"
	fi
}

# open_up HOST JAIL: all its rules and tables go; JAIL - is the host.
open_up() {
	local enter=(in_jail "$1" "$2")
	[ "$2" != - ] || enter=(on "$1")
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		"${enter[@]}" sh -c 'pfctl -q -F all; for t in $(pfctl -sT); do pfctl -q -t "$t" -T kill; done' 2>/dev/null
	else
		"${enter[@]}" nft flush ruleset
	fi
}

# flows HOST JAIL ADDR: what connection tracking remembers of flows with that address and would pass.
flows() {
	if [ "${HOST_KIND[$1]:-}" = freebsd ]; then
		in_jail "$1" "$2" pfctl -ss 2>/dev/null | grep -F "$3" || :
	else
		in_jail "$1" "$2" conntrack -L -f ipv6 2>/dev/null | grep -F "$3" || :
	fi
}

# wipe_laptop: everything of jmesh's is gone, as on a new machine.
wipe_laptop() {
	case $PLATFORM in
	netns)
		on laptop sh -c '
			pkill -9 yggdrasil
			nft flush ruleset
			for jail in web api; do ip netns exec $jail nft flush ruleset; done
			unbound-control local_zone_remove jrun >/dev/null
			rm -rf /var/lib/jmesh "$1" mesh.lock' wipe "$INCLUDE" || true
		;;
	freebsd*)
		# shellcheck disable=SC2016
		on laptop sh -c '
			for enter in "" "jexec web" "jexec api"; do
				$enter service yggdrasil onestop
				$enter pfctl -qd
				$enter sh -c "pfctl -q -F all; rm -f /etc/pf.conf /etc/pf.jmesh.conf /usr/local/etc/yggdrasil.*
					for t in \$(pfctl -sT); do pfctl -q -t \$t -T kill; done
					sed -i -e /^pf_/d -e /^yggdrasil_/d /etc/rc.conf"
			done
			pkill -9 -x yggdrasil
			unbound-control local_zone_remove jrun
			rm -rf /var/db/jmesh "$1" "$2" mesh.lock' wipe "$INCLUDE" "$STATE" >/dev/null 2>&1 || true
		;;
	jailrun)
		jrun_state laptop '.peers = []'
		jrun_up laptop >/dev/null 2>&1
		rm -rf "$STATE" "$LAB/laptop/mesh.lock"
		;;
	esac
}
