_jmesh() {
	local word=${COMP_WORDS[COMP_CWORD]} words=
	if [ "$COMP_CWORD" -eq 1 ]; then
		words='init validate diff apply status roster teardown secret relay --help --version --completion'
	else
		case ${COMP_WORDS[1]} in
		init) words='--from-jailrun --help' ;;
		validate) words='--json --help' ;;
		diff) words='--json --verbose --lock --code --help' ;;
		apply) words='--json --verbose --lock --wait --no-pair --yes --code --help' ;;
		status) words='--json --verbose --lock --help' ;;
		roster) words='--json --verbose --lock --help' ;;
		teardown) words='--json --verbose --lock --peer --forget --help' ;;
		secret) words='--help' ;;
		relay) words='--listen --admin --node --tls-cert --tls-key --trusted-proxy --store --ttl --max-pairings --max-connections --max-memory --workers --help' ;;
		esac
	fi
	case $word in
	-*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
	*)
		if [ "$COMP_CWORD" -eq 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
		fi ;;
	esac
}
complete -F _jmesh jmesh
