#!/bin/sh
# Includes point one way: a folder names only the folders that its line allows, and the libraries that
# have one home are named only there.
set -eu

allowed() {
	case $1 in
	src/base) echo base ;;
	schema) echo base schema ;;
	reconciler) echo base schema reconciler ;;
	reconciler/drivers) echo base reconciler ;;
	reconciler/run) echo base schema reconciler ;;
	src/os) echo base os ;;
	src/platform) echo base os platform ;;
	src/pairing) echo base os pairing ;;
	src/relay) echo base os relay ;;
	src/cli) echo base os platform pairing relay schema reconciler cli ;;
	esac
}

status=0
complain() {
	printf '%s\n' "layers: $*" >&2
	status=1
}

n=0
for folder in src/base schema reconciler reconciler/drivers reconciler/run src/os src/platform src/pairing \
    src/relay src/cli; do
	for file in "$folder"/*.[ch]; do
		[ -f "$file" ] || continue
		n=$((n + 1))
		for include in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
			from=${include%%/*}
			case " $(allowed "$folder") " in
			*" $from "*) ;;
			*) complain "$file includes $include" ;;
			esac
		done
		# The reconciler plans, its drivers read and apply, its run drives them.
		case $folder in
		reconciler) above='drivers\|run' ;;
		reconciler/drivers) above=run ;;
		*) above= ;;
		esac
		[ -z "$above" ] || ! grep -q "^#include \"reconciler/\($above\)/" "$file" ||
		    complain "$file includes what is above it"
		for library in yaml.h:schema cyaml/:schema curl/:src/pairing microhttpd.h:src/relay \
		    gnutls/:src/relay hiredis/:src/relay; do
			header=${library%%:*}
			home=${library#*:}
			[ "$folder" = "$home" ] || ! grep -q "^#include <$header" "$file" ||
			    complain "$file includes <$header>, whose home is $home"
		done
	done
done
[ "$status" -ne 0 ] || echo "layers: $n files"
exit $status
