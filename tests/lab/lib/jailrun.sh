# A user who has Jailrun 0.9.0: the virtual machine is a FreeBSD host, reached by ssh on loopback port 2222;
# ~/.jrun is $LAB/HOST/user/.jrun.

# The virtual machine's system names of jails.
jrun_system_name() {
	printf 'j%.12s\n' "$(printf '%s' "$1" | sha256sum)"
}

# jailrun_host NAME [ADDR]: the machine, as yet without jails.
jailrun_host() {
	local name=$1
	HOST_JRUN[$name]=yes
	freebsd_host "$@"
	mkdir -p "$LAB/$name/user/.jrun/ssh"
	cat >"$LAB/$name/user/.jrun/state.json" <<-JSON
		{
		  "version": 1,
		  "base": {"release": "15.0-RELEASE", "arch": "amd64"},
		  "jails": {},
		  "launched_fwds": [],
		  "launched_shares": [],
		  "ssh_port": 2222,
		  "peers": []
		}
	JSON
	: >"$LAB/$name/user/.jrun/state.lock"
	on "$name" sh -c ': >/etc/jailrun-host'
	on "$name" tee /etc/pf.conf >/dev/null <<-'CONF'
		ext_if = "vtnet0"
		jail_net = "10.17.89.0/24"
		set skip on lo
		set block-policy return
		scrub in all
		nat on $ext_if inet from $jail_net to any -> ($ext_if)
		rdr-anchor "jrun/*"
		pass all
	CONF
}

# jailrun_jail HOST NAME ADDR: deployed by Jailrun: its node and pf run, nobody is let in.
jailrun_jail() {
	local host=$1 name=$2 addr=$3 system
	system=$(jrun_system_name "$name")
	freebsd_jail "$host" "$name" "$addr" "$system"
	jrun_state "$host" '.jails[$name] = {name: $name, base: null, release: "15.0-RELEASE", ip: $addr,
	    forwards: {}, mounts: {}, setups: {}}' --arg name "$name" --arg addr "$addr"
	jailrun_node "in_jail $host $name" "[]" '["tcp://10.17.89.1:19001"]'
	in_jail "$host" "$name" sh -ec '
		sysrc pf_enable=YES >/dev/null
		printf "table <mesh_peers> persist\n\npass quick inet all\npass out on ygg0 all\nblock in on ygg0 all\npass in on ygg0 inet6 from <mesh_peers>\n" >/etc/pf.conf
		service pf start' >>"$LAB/$host/jail.log" 2>&1
}

# jailrun_node ENTER LISTEN PEERS: a node as Jailrun sets it up, its key in a file of its own.
jailrun_node() {
	# shellcheck disable=SC2016
	$1 sh -ec '
		umask 077
		openssl genpkey -algorithm ed25519 -out /usr/local/etc/yggdrasil.key
		umask 022
		cat >/usr/local/etc/yggdrasil.conf <<-JSON
			{
			  "PrivateKeyPath": "/usr/local/etc/yggdrasil.key",
			  "Peers": $2,
			  "Listen": $1,
			  "AdminListen": "unix:///var/run/yggdrasil.sock",
			  "MulticastInterfaces": [],
			  "IfName": "ygg0"
			}
		JSON
		sysrc yggdrasil_enable=YES >/dev/null
		service yggdrasil start >/dev/null
	' jailrun_node "$2" "$3"
}

# jailrun_up HOST: what is left when the jails are there: the machine's node, its resolver and its sshd.
jailrun_up() {
	local name=$1 upstream=${UPSTREAM-$RELAY_NODE}
	jailrun_node "on $name" '["tcp://10.17.89.1:19001"]' "[${upstream:+\"$upstream\"}]"
	jrun_up "$name"
	freebsd_resolver "$name"
	freebsd_sshd "$name" 127.0.0.1:2222
	mv "$LAB/$name/user/.ssh/id_ed25519" "$LAB/$name/user/.ssh/id_ed25519.pub" "$LAB/$name/user/.jrun/ssh"
	# The machine has a new host key at every start: the user's known_hosts knows none of it.
	rm "$LAB/$name/user/.ssh/known_hosts"
	freebsd_user "$name"
	local jail
	for jail in ${HOST_JAILS[$name]}; do
		wait_for 10 in_jail "$name" "$jail" test -S /var/run/yggdrasil.sock
	done
}

# jrun_state HOST FILTER [JQ-OPTION...]: edits state.json.
jrun_state() {
	local file=$LAB/$1/user/.jrun/state.json filter=$2
	shift 2
	jq "$@" "$filter" "$file" >"$file.new"
	mv "$file.new" "$file"
}

# jrun_up HOST: `jrun up` on the user's machine.
jrun_up() {
	on "$1" "$LAB/tests/jrun-up" "$LAB/$1/user/.jrun/state.json"
}
