# Mesh files, and labs that are ready for them: the machines of the main job, paired or alone.

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
