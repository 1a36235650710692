# What goes wrong on the laptop: programs that are missing or fail.
# NODE is a jail, or - for the machine with the jails; without FreeBSD the machine's programs are
# those of its jails too.

# What loads a firewall's rules, and what checks unbound's.
FIREWALL=nft CHECKCONF=unbound-checkconf
[ "$PLATFORM" = netns ] || FIREWALL=pfctl CHECKCONF=local-unbound-checkconf

# as_user COMMAND...: where the user of the laptop types it, which may be another machine than that of the
# jails.
as_user() {
	if [ -n "${USER_PID[laptop]:-}" ]; then
		on_user laptop "$@"
	else
		on laptop "$@"
	fi
}

# programs_of NODE: the folder above the sbin and bin that FreeBSD's own programs are in, and the root.
programs_of() {
	local dir
	if [ "$1" = - ]; then
		echo "/usr/local /"
	else
		dir=$(freebsd_jail_dir laptop "${JAIL_SYSTEM[laptop/$1]}")
		echo "$dir/local $dir/root/"
	fi
}

# bend NODE PROGRAM <<SCRIPT: until unbend the script is run instead, in which $REAL is the program; where it
# is empty, there is no program. What a Linux machine has of that name is covered as well.
bend() {
	local words=()
	[ "$PLATFORM" = netns ] || read -ra words <<<"$(programs_of "$1")"
	# shellcheck disable=SC2016
	on laptop sh -ec '
		name=$1 local=$2 root=${3%/}
		mkdir -p bent
		text=$(cat)
		[ -e "bent/$name" ] || cp -L "$(command -v "$name")" "bent/$name"
		new=$(mktemp "$PWD/bent/$name.XXXXXX")
		[ -z "$text" ] || { printf "#!/bin/sh\nREAL=%s\n%s\n" "$PWD/bent/$name" "$text" >"$new"; chmod 755 "$new"; }
		for path in "${local:-/nowhere}/sbin/$name" "${local:-/nowhere}/bin/$name"; do
			[ -L "$path" ] || [ -f "$path" ] || continue
			mv "$path" "$path.real"
			[ -z "$text" ] || cp -p "$new" "$path"
		done
		for path in "/usr/sbin/$name" "/usr/bin/$name"; do
			[ ! -f "$path" ] || mount -n --bind "$new" "$root$(realpath "$path")"
		done' bend "$2" "${words[@]}"
}

# unbend NODE PROGRAM
unbend() {
	local words=()
	[ "$PLATFORM" = netns ] || read -ra words <<<"$(programs_of "$1")"
	# shellcheck disable=SC2016
	on laptop sh -ec '
		name=$1 local=$2 root=${3%/}
		for path in "${local:-/nowhere}/sbin/$name" "${local:-/nowhere}/bin/$name"; do
			[ ! -e "$path.real" ] && [ ! -L "$path.real" ] || mv "$path.real" "$path"
		done
		for path in "/usr/sbin/$name" "/usr/bin/$name"; do
			[ ! -f "$path" ] || umount --lazy "$root$(realpath "$path")"
		done' unbend "$2" "${words[@]}"
}

# bend_all PROGRAM <<SCRIPT, unbend_all PROGRAM: of the machine and of all its jails.
bend_all() {
	local node script
	script=$(cat)
	bend - "$1" <<<"$script"
	[ "$PLATFORM" != netns ] || return 0
	for node in ${HOST_JAILS[laptop]}; do
		bend "$node" "$1" <<<"$script"
	done
}
unbend_all() {
	local node
	unbend - "$1"
	[ "$PLATFORM" != netns ] || return 0
	for node in ${HOST_JAILS[laptop]}; do
		unbend "$node" "$1"
	done
}
