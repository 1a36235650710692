# What goes wrong on the laptop: programs that are missing or fail. Sourced by init.sh after jailrun.sh.
# NODE is a jail, or - for the machine with the jails; without FreeBSD the machine's programs are
# those of its jails too.

# What loads a firewall's rules, and unbound's two programs.
FIREWALL=nft CHECKCONF=unbound-checkconf CONTROL=unbound-control
[ "$PLATFORM" = netns ] || FIREWALL=pfctl CHECKCONF=local-unbound-checkconf CONTROL=local-unbound-control

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

# bend NODE PROGRAM <<SCRIPT: until unbend the script is run instead, in which $REAL is the program; one
# without a line is no program at all.
bend() {
	local words=()
	[ "$PLATFORM" = netns ] || read -ra words <<<"$(programs_of "$1")"
	# shellcheck disable=SC2016
	on laptop sh -ec '
		name=$1 node=$2 local=$3 root=$4 seen=
		for folder in sbin bin; do
			[ -z "$local" ] || ! { [ -L "$local/$folder/$name" ] || [ -f "$local/$folder/$name" ]; } || seen=/usr/local/$folder/$name
		done
		# One of Linux is seen through the link to it as well.
		if [ -z "$seen" ] || [ -f "/usr/sbin/$name" ]; then
			path=$(realpath "$(command -v "$name")")
			mkdir -p bent
			new=$PWD/bent/$node.$name real=$PWD/bent/$name
			cp "$path" "$real"
		else
			path=$local/${seen#/usr/local/} new=$local/${seen#/usr/local/} real=$seen.real
			mv "$path" "$path.real"
		fi
		text=$(cat)
		[ -z "$text" ] || printf "#!/bin/sh\nREAL=%s\n%s\n" "$real" "$text" >"$new"
		if [ -n "$text" ]; then chmod 755 "$new"; fi
		[ "$path" = "$new" ] || { [ -n "$text" ] || : >"$new"; mount -n --bind "$new" "${root%/}$path"; }
		' bend "$2" "$1" "${words[@]}"
}

# unbend NODE PROGRAM
unbend() {
	local words=()
	[ "$PLATFORM" = netns ] || read -ra words <<<"$(programs_of "$1")"
	# shellcheck disable=SC2016
	on laptop sh -ec '
		name=$1 local=$2 root=$3
		for folder in sbin bin; do
			path=$local/$folder/$name
			[ -n "$local" ] && { [ -e "$path.real" ] || [ -L "$path.real" ]; } || continue
			rm -f "$path"
			mv "$path.real" "$path"
			exit 0
		done
		for folder in /usr/sbin /usr/bin; do
			[ ! -e "$folder/$name" ] || { umount --lazy "${root%/}$folder/$name"; exit; }
		done
		exit 1' unbend "$2" "${words[@]}"
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
