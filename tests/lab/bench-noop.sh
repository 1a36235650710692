# platforms: netns
# limit: 120
# A diff that finds nothing: 10 jails that allow 1,000 addresses each. `make bench` runs it.
host machine 203.0.113.20
for n in 0 1 2 3 4 5 6 7 8 9; do
	jail machine "jail$n" "10.17.89.1$n"
done
resolver machine

{
	cat <<-YAML
		version: 1
		name: machine
		yggdrasil:
		  peers: []
		peers:
		  - name: office
		    jails:
	YAML
	for ((i = 1; i <= 1000; i++)); do
		printf '      - name: jail%d\n        address: 202:1::%x\n' "$i" "$i"
	done
} >"$LAB/machine/mesh.yaml"

expect 0 on machine jmesh apply
on machine "$BUILD/tests/bench/noop" "$BUILD/jmesh" mesh.yaml
