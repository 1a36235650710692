# The lab's machines: hosts, jails, routers, resolvers, relays.
#
# A host is a machine of the lab: a process with its own network, mount, pid and UTS namespaces, in which
# /run, /etc and /var/lib are its own. A jail is a named network namespace on a host. Each host has a
# folder $LAB/HOST, which is the working directory of its commands and is seen by all.

RELAY=203.0.113.1
RELAY_URL=http://$RELAY:8080
RELAY_NODE=tcp://$RELAY:37100
BRIDGE=10.17.89.1

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
	# Who asks the relay from its own machine could be given that port before the node takes it.
	on "$name" sh -c "echo ${RELAY_NODE##*:} >/proc/sys/net/ipv4/ip_local_reserved_ports"
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
