# What is left when jmesh took everything back, and what is there that jmesh never touches.
# On Jailrun's machine the nodes, the keys, the host's firewall and the A names are Jailrun's,
# so that all of them must be as they were.

# node_pids: the nodes of the laptop, a line each.
node_pids() {
	on laptop sh -c 'pgrep -x yggdrasil | sort -n'
}

# no_nodes BEFORE: a teardown has ended the laptop's nodes, and Jailrun's goes on with those of before.
no_nodes() {
	local wanted= jail
	[ "$PLATFORM" != jailrun ] || wanted=$1
	same "nodes" "$wanted" "$(node_pids || :)"
	for jail in ${HOST_JAILS[laptop]}; do
		if [ "$PLATFORM" = jailrun ]; then
			in_jail laptop "$jail" ip link show ygg0 >/dev/null
		else
			refused in_jail laptop "$jail" ip link show ygg0
		fi
	done
}

# no_firewall NODE BEFORE: a teardown has taken back what its firewall let in; - is the host. BEFORE is the
# host's whole ruleset before the first apply. Of nft nothing is left, while pf never opens what it has
# closed: the default-deny stays, with empty tables.
no_firewall() {
	local wanted=
	if [ "$1/$PLATFORM" = -/jailrun ]; then
		wanted=$2
	elif [ "$PLATFORM" != netns ]; then
		wanted='Status: Enabled
pass quick inet all flags S/SA keep state
pass out on ygg0 all flags S/SA keep state
block drop in on ygg0 all
pass in on ygg0 inet6 from <mesh_peers> to any flags S/SA keep state
<mesh_peers> of /'
	fi
	# The mark of revocations under way is another table of pf's; an entry in it would be seen.
	same "firewall of $1" "$wanted" "$(rules laptop "$1" | grep -vx '<jmesh_ending> of /' || :)"
}

# guarded: the default-deny of each node in the status $OUT that jmesh has to guard; Jailrun's host it has not.
guarded() {
	if [ "$PLATFORM" = jailrun ]; then
		same "default-deny of the host" false "$(json '.nodes[] | select(.name == "host") | .default_deny')"
		json '[.nodes[] | select(.name != "host") | .default_deny] | unique[]'
	else
		json '[.nodes[].default_deny] | unique[]'
	fi
}

# records, saved: the zone's names that are jmesh's, in the resolver and in its file.
records() {
	on laptop unbound-control list_local_data | grep -F jrun. | own_names || :
}
saved() {
	# shellcheck disable=SC2016
	on laptop sh -c 'grep local-data: "$1" 2>/dev/null' saved "$INCLUDE" | own_names || :
}
own_names() {
	if [ "$PLATFORM" = jailrun ]; then
		grep -v '\.local\.jrun[. ]'
	else
		cat
	fi
}

# foreign_files: the resolver's files without what is jmesh's, as text.
foreign_files() {
	# shellcheck disable=SC2016
	on laptop sh -ec '
		cd "${1%/*}"
		[ "$2" = netns ] || cd ..
		find . -type f ! -path "*/${1##*/}" ! -name "*.log" -exec sha256sum {} + | sort -k 2
		[ "$2" != jailrun ] || sed "/^ *# BEGIN JRUN PEERS/,/^ *# END JRUN PEERS/d" "$1"' foreign "$INCLUDE" "$PLATFORM"
}

# foreign_table JAIL, has_foreign_table JAIL: a table of somebody else's in its firewall.
foreign_table() {
	if [ "$PLATFORM" = netns ]; then
		in_jail laptop "$1" nft add table inet mine
	else
		in_jail laptop "$1" pfctl -q -t mine -T add 192.0.2.8
	fi
}
has_foreign_table() {
	if [ "$PLATFORM" = netns ]; then
		in_jail laptop "$1" nft list table inet mine >/dev/null
	else
		in_jail laptop "$1" pfctl -q -t mine -T test 192.0.2.8
	fi
}

# foreign_name: Jailrun's own name is served as ever.
foreign_name() {
	[ "$PLATFORM" != jailrun ] ||
	    same "Jailrun's own name" 10.17.89.10 "$(on laptop dig +short A web.local.jrun)"
}
