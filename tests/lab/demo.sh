# platforms: netns
# limit: 120
# The main job, shown: two machines, one of them behind NAT, and a real encrypted mesh between their jails.
# On netns alone: it is shown where it is run. What it shows has a lab of its own on every platform.
# Every command is printed before it runs, and then what it printed.

say() {
	printf '\n# %s\n' "$*"
}

prompt() {
	printf '%s$ %s\n' "$1" "$2"
}

# shown STATUS HOST COMMAND: a command line on a host, which must end with that status.
shown() {
	local status=0
	prompt "$2" "$3"
	on "$2" bash -c "$3" >"$LAB/shown" 2>&1 || status=$?
	cat "$LAB/shown"
	[ "$status" = "$1" ] || fail "exit status $status, not $1"
}

# said PATTERN: the last command shown printed it.
said() {
	grep -Eq -- "$1" "$LAB/shown" || fail "it did not say /$1/"
}

SECONDS=0
say "A relay on the open Internet, a laptop behind a NAT router, a server, and a stranger's machine."
host relay "$RELAY"
host laptop
nat_router router 203.0.113.2 laptop
jail laptop web 10.17.89.10
jail laptop api 10.17.89.11
resolver laptop
lab_server
lab_stranger
shown 0 laptop 'ip netns list | sort'
shown 0 server 'ip netns list | sort'
prompt server 'ping -c 1 192.168.7.10   # the laptop cannot be reached'
refused on server ping -c 1 -W 1 192.168.7.10
prompt relay "jmesh relay --listen $RELAY:8080 --node $RELAY_NODE &"
relay relay
cat "$LAB/relay/relay.log"

say "The laptop's mesh file, and what it would change."
mesh laptop <<-REST
	peers:
	  - name: office
	    pair: create
REST
shown 0 laptop 'cat mesh.yaml'
shown 2 laptop 'jmesh diff mesh.yaml'

say "Apply makes it so, makes a pairing code, and waits for the other side."
prompt laptop 'jmesh apply mesh.yaml &'
aside on laptop jmesh apply --wait 60 mesh.yaml >"$LAB/laptop/apply.out" 2>&1
applying=$!
code_is_out() { grep -Eq '[0-9]+-[a-z]+-[a-z]+-[a-z]+#[0-9A-Z-]{33}' "$LAB/laptop/apply.out"; }
wait_for 15 code_is_out
code=$(grep -Eom 1 '[0-9]+-[a-z]+-[a-z]+-[a-z]+#[0-9A-Z-]{33}' "$LAB/laptop/apply.out")
cat "$LAB/laptop/apply.out"
said_so_far=$(wc -l <"$LAB/laptop/apply.out")

say "The server joins with that code."
mesh server <<-REST
	peers:
	  - name: laptop
	    pair: join
REST
shown 0 server 'tail -n 3 mesh.yaml'
shown 0 server "jmesh apply --code 'laptop=$code' mesh.yaml"

say "That was what the laptop waited for. It goes on:"
wait "$applying" || fail "the laptop's apply ended with $?"
tail -n "+$((said_so_far + 1))" "$LAB/laptop/apply.out"

say "The stranger runs jmesh at the same relay, but nobody is paired with it."
mesh stranger </dev/null
shown 0 stranger 'jmesh apply mesh.yaml'
settle laptop server stranger

say "Names resolve, on the machines and in the jails."
shown 0 laptop 'dig +short AAAA postgres.office.jrun'
said '^2'
shown 0 laptop 'dig +short A web.local.jrun'
said '^10\.17\.89\.10$'
shown 0 laptop 'ip netns exec web getent ahostsv6 queue.office.jrun | head -n 1'
said '^2'
shown 0 server 'dig +short AAAA web.laptop.jrun'
said '^2'
shown 0 server 'ip netns exec postgres getent ahostsv6 api.laptop.jrun | head -n 1'
said '^2'

say "Pings cross, both ways, from jail to jail, through NAT."
shown 0 laptop 'ip netns exec web ping -c 2 -i 0.2 postgres.office.jrun'
said ' 0% packet loss'
shown 0 laptop 'ip netns exec api ping -c 2 -i 0.2 queue.office.jrun'
said ' 0% packet loss'
shown 0 server 'ip netns exec postgres ping -c 2 -i 0.2 web.laptop.jrun'
said ' 0% packet loss'
shown 0 server 'ip netns exec queue ping -c 2 -i 0.2 api.laptop.jrun'
said ' 0% packet loss'

say "The stranger's jail knows the address, and reaches nothing: its packets arrive, and web's firewall drops them."
web=$(address laptop web)
in_jail laptop web nft -f - <<-RULES
	table inet watch {
		chain arriving {
			type filter hook prerouting priority raw;
			ip6 saddr $(address stranger spy) counter comment "echo requests of the stranger that arrived"
		}
	}
RULES
shown 1 stranger "ip netns exec spy ping -c 3 -i 0.2 -W 1 $web"
said ' 100% packet loss'
shown 0 laptop 'ip netns exec web nft list table inet watch | grep counter'
said 'packets [1-9]'
shown 0 laptop 'ip netns exec web nft list table inet jmesh'
in_jail laptop web nft delete table inet watch

say "A second apply finds nothing to do."
shown 0 laptop 'jmesh apply mesh.yaml'
shown 0 laptop 'jmesh diff mesh.yaml'
said 'in sync'
shown 0 server 'jmesh diff --json mesh.yaml | jq -c "{in_sync, changes}"'
said '"in_sync":true,"changes":\[\]'

say "A ping runs from the server's jail to the laptop's. The laptop takes the peer out of its mesh file."
prompt server 'ip netns exec postgres ping -i 0.2 -O web.laptop.jrun >ping.out &'
aside in_jail server postgres stdbuf -oL ping -i 0.2 -O web.laptop.jrun >"$LAB/server/ping.out" 2>&1
replies() { grep -c 'bytes from' "$LAB/server/ping.out" || true; }
five_replies() { [ "$(replies)" -ge 5 ]; }
wait_for 10 five_replies
mesh laptop </dev/null
shown 2 laptop 'jmesh diff mesh.yaml'
shown 0 laptop 'jmesh apply mesh.yaml'
before=$(replies)
sleep 1.5
after=$(replies)
prompt server 'tail -n 6 ping.out'
tail -n 6 "$LAB/server/ping.out"
[ $((after - before)) -le 2 ] || fail "the ping still has answers: $before, then $after"
shown 0 laptop 'jmesh diff mesh.yaml'
said 'in sync'

printf '\n%s\n' "demo: two machines paired, names and pings crossed, a stranger stayed out, a revoked peer's flow died: $SECONDS s"
