# The state of a host: what jmesh says of it, what is there, and changes to it by hand.

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
