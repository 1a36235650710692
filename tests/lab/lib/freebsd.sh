# Hosts and jails of FreeBSD for lab tests: Linux underneath, but what a program that runs there sees is
# FreeBSD's (freebsd/bin), and Linux' own programs are absent.
#
# A jail is a named network namespace and a root of its own, /usr/local/jails/NAME/root on its host. What
# a test itself does to a host or a jail (on, in_jail) finds Linux' programs in $LAB/linux.

FREEBSD_PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin
# What FreeBSD has not, or has under another name.
FREEBSD_ABSENT="nft ip conntrack unbound-control unbound-checkconf unbound-anchor sysctl systemctl nsenter unshare \
	ss tc bridge iptables ip6tables sudo"

declare -A JAIL_SYSTEM=()

# The stand-ins know where the lab is by heart: neither doas nor sshd lets an environment through.
freebsd_prepare() {
	[ ! -d "$LAB/linux" ] || return 0
	local program path
	mkdir "$LAB/linux" "$LAB/freebsd" "$LAB/freebsd/bin" "$LAB/freebsd/served" "$LAB/tools"
	for program in $FREEBSD_ABSENT unbound sync; do
		path=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$program") || continue
		cp -L "$path" "$LAB/linux/$program"
	done
	for path in "$LAB"/tests/freebsd/bin/* "$LAB"/tests/freebsd/served/* "$LAB"/tests/freebsd/absent; do
		sed "s|@LAB@|$LAB|g" "$path" >"$LAB/freebsd/${path#"$LAB"/tests/freebsd/}"
	done
	freebsd_serve
	chmod +x "$LAB"/freebsd/bin/* "$LAB/freebsd/absent"
	# What tests call by Linux' name, and GNU's own where FreeBSD's is in the way.
	ln -s "$LAB/freebsd/bin/local-unbound-control" "$LAB/tools/unbound-control"
	ln -s "$LAB/freebsd/bin/local-unbound-checkconf" "$LAB/tools/unbound-checkconf"
	cp -L "$(PATH=/usr/bin:/bin command -v stat)" "$LAB/tools/stat"
	: >"$LAB/pf-dns.log"
	: >"$LAB/linux-programs.log"
	chmod 666 "$LAB/pf-dns.log" "$LAB/linux-programs.log"
}

# The program that has several names, and the server behind some of them.
freebsd_serve() {
	local name
	/usr/bin/python3 -IS -c '
import sys
lab = sys.argv[1].encode()
code = sys.stdin.buffer.read()
mark = b"@LAB@" + bytes(len(lab) - 5)
assert code.count(mark) == 1
sys.stdout.buffer.write(code.replace(mark, lab))' "$LAB" <"$LAB/tests/standin" >"$LAB/freebsd/bin/jexec"
	for name in "$LAB"/freebsd/served/*; do
		cp "$LAB/freebsd/bin/jexec" "$LAB/freebsd/bin/${name##*/}"
	done
	/usr/bin/python3 -IS "$LAB/tests/freebsd/serve.py" "$LAB/freebsd/serve" "$LAB/freebsd/served" \
	    </dev/null >"$LAB/serve.log" 2>&1
}

# Nothing of FreeBSD's was asked for what the tests must never see.
freebsd_clean() {
	[ -d "$LAB/linux" ] || return 0
	same "names that pf asked DNS for" "" "$(cat "$LAB/pf-dns.log")"
	same "Linux' programs that were run on FreeBSD" "" "$(cat "$LAB/linux-programs.log")"
}

# freebsd_host NAME [ADDR]: as host.
freebsd_host() {
	local name=$1
	freebsd_prepare
	host "$@"
	HOST_KIND[$name]=freebsd
	# shellcheck disable=SC2016
	on "$name" bash -ec '
		name=$1 absent=$2 dir=$LAB/$1
		# Its /tmp is in memory, as the rest of it. A disk is slow with files that come and go all the time.
		case $LAB in
		/tmp/*)
			outside=${LAB#/tmp/}
			mkdir -m 1777 "$dir/tmp"
			mkdir -p "$dir/tmp/$outside"
			chmod 700 "$dir/tmp/${outside%%/*}"
			mount --rbind "$LAB" "$dir/tmp/$outside"
			mount --rbind "$dir/tmp" /tmp
			;;
		esac
		mkdir -p "$dir"/var/{log,tmp,db,empty,unbound/conf.d} "$dir"/local/{sbin,bin,etc,libexec,jails} "$dir/home"
		mkdir -p "$dir/run/jails" "$dir/run/sshd" "$dir/usr"
		ln -s /run "$dir/var/run"
		mkdir -p "$dir/var/lib"
		mount --bind "$dir/var" /var
		mount --bind "$dir/lib" /var/lib
		mount --bind "$dir/home" /home
		# Those that Linux has too are covered, since /usr/sbin comes before /usr/local/sbin.
		for program in "$LAB"/freebsd/bin/*; do
			for folder in /usr/sbin /usr/bin /sbin /bin; do
				found=$folder/${program##*/}
				[ ! -f "$found" ] || [ "$(realpath "$found")" -ef "$program" ] || mount --bind "$program" "$(realpath "$found")"
			done
		done
		# Copies: other users than root do not get into the folder of the lab.
		cp "$LAB"/freebsd/bin/* "$dir/local/sbin"
		for program in $absent; do
			for folder in /usr/sbin /usr/bin /sbin /bin; do
				found=$(realpath "$folder/$program" 2>/dev/null) || continue
				[ ! -f "$found" ] || [ "$found" -ef "$LAB/freebsd/absent" ] || {
					# One program may have several names.
					case ${found##*/} in
					"$program" | xtables* | nft | ip) mount --bind "$LAB/freebsd/absent" "$found" ;;
					esac
				}
			done
		done
		# What jails see of it; without /usr/local, so that no jail is seen in another.
		mount --rbind /usr "$dir/usr"
		mount --bind "$dir/local" /usr/local
		ln -s /usr/sbin/yggdrasil /usr/sbin/yggdrasilctl /usr/local/bin
		for file in passwd group shadow; do
			rm -f "/etc/$file"
			[ ! -r "$LAB/real/$file" ] || cp -p "$LAB/real/$file" "/etc/$file"
		done
		cat >/etc/rc.conf <<-CONF
			hostname="$name"
			gateway_enable="YES"
			local_unbound_enable="YES"
			sshd_enable="YES"
		CONF
	' freebsd_host "$name" "$FREEBSD_ABSENT"
}

# freebsd_resolver HOST: the local_unbound of the host and its jail bridge.
freebsd_resolver() {
	local name=$1 jails="interface: $BRIDGE
		  access-control: 10.17.89.0/24 allow"
	# Jailrun's own file says it.
	[ "${HOST_JRUN[$name]:-}" != yes ] || jails=
	on "$name" tee /var/unbound/unbound.conf >/dev/null <<-CONF
		server:
		  username: ""
		  directory: "/var/unbound"
		  chroot: ""
		  pidfile: "/var/run/local_unbound.pid"
		  use-syslog: no
		  logfile: "$LAB/$name/unbound.log"
		  interface: 127.0.0.1
		  $jails
		  module-config: "iterator"
		  num-threads: 1
		  local-zone: "test." static
		  local-zone: "2.0.ip6.arpa." static
		  local-data: "kept.test. IN A 192.0.2.1"
		include: /var/unbound/conf.d/*.conf
		remote-control:
		  control-enable: yes
		  control-interface: /var/run/local_unbound.ctl
		  control-use-cert: no
	CONF
	freebsd_resolver_start "$name"
}

freebsd_resolver_start() {
	on "$1" service local_unbound start
	wait_for 5 on "$1" local-unbound-control status
}

# freebsd_jail HOST NAME ADDR [SYSTEM_NAME]: the host knows it by its system name.
freebsd_jail() {
	local host=$1 name=$2 addr=$3 system=${4:-$2}
	JAIL_SYSTEM[$host/$name]=$system
	# shellcheck disable=SC2016
	on "$host" bash -ec '
		host=$1 name=$2 addr=$3 bridge=$4 dir=$5 lab=$6
		root=$dir/root
		mkdir -p "$root"/{etc,var/{run,log,db,tmp,empty},tmp,root,usr,dev,proc} "$dir/local"/{sbin,bin,etc,jails}
		mkdir -p "$root$LAB"
		chmod 1777 "$root/tmp" "$root/var/tmp"
		[ -e "$root/run" ] || ln -s var/run "$root/run"
		for top in bin sbin lib lib32 lib64 libx32; do
			if [ -L "/$top" ]; then
				cp -P "/$top" "$root"
			elif [ -d "/$top" ]; then
				mkdir "$root/$top"
				mount --rbind "/$top" "$root/$top"
			fi
		done
		mount --rbind "$LAB/$host/usr" "$root/usr"
		mount -o remount,bind,ro "$root/usr"
		mount --bind "$dir/local" "$root/usr/local"
		mount --rbind /dev "$root/dev"
		mount --bind /proc "$root/proc"
		mount --bind "$LAB" "$root$LAB"
		ln -s "$LAB"/freebsd/bin/* "$dir/local/sbin"
		ln -s /usr/sbin/yggdrasil /usr/sbin/yggdrasilctl "$dir/local/bin"
		cp -aL "$LAB"/real/{passwd,group,protocols,services,ld.so.cache} "$root/etc"
		cp -a "$LAB/real/alternatives" "$root/etc"
		mkdir -p "$root/etc/ssl"
		[ ! -r "$LAB/real/ssl/openssl.cnf" ] || cp "$LAB/real/ssl/openssl.cnf" "$root/etc/ssl"
		printf "nameserver %s\noptions timeout:1 attempts:2\n" "$bridge" >"$root/etc/resolv.conf"
		printf "127.0.0.1 localhost\n::1 localhost\n" >"$root/etc/hosts"
		printf "passwd: files\ngroup: files\nhosts: files dns\n" >"$root/etc/nsswitch.conf"
		printf "hostname=\"%s\"\n" "$name" >"$root/etc/rc.conf"
	' freebsd_jail "$host" "$name" "$addr" "$BRIDGE" "$(freebsd_jail_dir "$host" "$system")" "$LAB"
	HOST_JAILS[$host]="${HOST_JAILS[$host]:-} $name"
	freebsd_jail_start "$host" "$name" "$addr"
}

# freebsd_stack HOST JAIL: the file that stands for its network stack.
freebsd_stack() {
	echo "/run/netns/${JAIL_SYSTEM[$1/$2]}"
}

freebsd_jail_dir() {
	if [ "${HOST_JRUN[$1]:-}" = yes ]; then
		echo "/usr/local/jailrun/jails/$2"
	else
		echo "/usr/local/jails/$2"
	fi
}

# freebsd_jail_start HOST NAME ADDR: it boots: a network stack of its own, and its services.
freebsd_jail_start() {
	local host=$1 name=$2 addr=$3 system=${JAIL_SYSTEM[$1/$2]} jails=${HOST_JAILS[$1]}
	jail_stack "$host" "$system" "$addr"
	# shellcheck disable=SC2016
	on "$host" sh -ec '
		system=$1 dir=$2
		jid=$(($(cat /run/jails.last 2>/dev/null || echo 0) + 1))
		echo "$jid" >/run/jails.last
		rm -rf "$dir/root/var/run"/*
		# Complete at once for who looks meanwhile.
		mkdir "/run/.jail.$jid"
		echo "$jid" >"/run/.jail.$jid/jid"
		echo "$dir/root" >"/run/.jail.$jid/root"
		mv "/run/.jail.$jid" "/run/jails/$system"
		for service in pf yggdrasil; do
			if jexec "$system" service "$service" enabled; then
				jexec "$system" service "$service" start >>jail.log 2>&1 || echo "$service of $system did not start"
			fi
		done
	' jail_start "$system" "$(freebsd_jail_dir "$host" "$system")"
	HOST_JAILS[$host]=$jails
}

# freebsd_jail_stop HOST NAME: its processes end, and its network stack goes.
freebsd_jail_stop() {
	# shellcheck disable=SC2016
	on "$1" sh -ec '
		rm -r "/run/jails/$1"
		pids=$(ip netns pids "$1")
		[ -z "$pids" ] || kill -KILL $pids
		ip link del "v-$1" 2>/dev/null || :
		ip netns del "$1"
	' jail_stop "${JAIL_SYSTEM[$1/$2]}"
}

# freebsd_sshd HOST [ADDR:PORT]: a real sshd for user admin, who may become root by doas; the user's key
# and what the user knows of the host are in $LAB/HOST/user/.ssh.
freebsd_sshd() {
	local name=$1 listen=${2:-127.0.0.1:22}
	# shellcheck disable=SC2016
	on "$name" bash -ec '
		dir=$LAB/$1 listen=$2 path=$3
		grep -q ^sshd: /etc/passwd || echo "sshd:x:22:65534::/var/empty:/usr/sbin/nologin" >>/etc/passwd
		echo "admin:x:1001:1001:admin:/home/admin:/bin/sh" >>/etc/passwd
		echo "admin:x:1001:" >>/etc/group
		[ -f /etc/shadow ] || : >/etc/shadow
		echo "admin:*:19000:0:99999:7:::" >>/etc/shadow
		mkdir -p /home/admin/.ssh "$dir/user/.ssh"
		chmod 700 "$dir/user" "$dir/user/.ssh"
		rm -f /etc/ssh /etc/doas.conf
		mkdir /etc/ssh
		ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key
		ssh-keygen -q -t ed25519 -N "" -C "" -f "$dir/user/.ssh/id_ed25519"
		cp "$dir/user/.ssh/id_ed25519.pub" /home/admin/.ssh/authorized_keys
		chown -R 1001:1001 /home/admin
		chmod 700 /home/admin /home/admin/.ssh
		port=${listen##*:}
		host=${listen%:*}
		[ "$port" = 22 ] || host="[$host]:$port"
		echo "$host $(cut -d " " -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >"$dir/user/.ssh/known_hosts"
		echo "permit nopass admin" >/usr/local/etc/doas.conf
		ln -s /usr/local/etc/doas.conf /etc/doas.conf
		cat >/etc/ssh/sshd_config <<-CONF
			ListenAddress $listen
			HostKey /etc/ssh/ssh_host_ed25519_key
			PidFile /var/run/sshd.pid
			PasswordAuthentication no
			KbdInteractiveAuthentication no
			UsePAM no
			StrictModes yes
			MaxStartups 100
			# The default, of which a half is post-quantum, takes longer than the rest of a connection.
			KexAlgorithms curve25519-sha256
			SetEnv PATH=$path
		CONF
	' sshd "$name" "$listen" "$FREEBSD_PATH"
	freebsd_sshd_start "$name"
}

freebsd_sshd_start() {
	on "$1" /usr/sbin/sshd -E "$LAB/$1/sshd.log"
	wait_for 5 on "$1" test -s /var/run/sshd.pid
}

# It and all its connections end.
freebsd_sshd_stop() {
	on "$1" pkill -KILL -x sshd
}

# freebsd_user HOST: the machine of the user who reaches the host by ssh: its network and processes, but
# nothing of FreeBSD, nor what a firewall, a resolver or a node take; $LAB/HOST/user is the home.
freebsd_user() {
	local name=$1 dir=$LAB/$1
	mkdir -p "$dir/user"
	# shellcheck disable=SC2016
	nsenter -t "${HOST_PID[$name]}" -n -u -p unshare --mount bash -ec '
		dir=$1 absent=$2
		mount -t proc proc /proc
		mount --bind "$dir/user" "$(getent passwd 0 | cut -d : -f 6)"
		mkdir "$dir/user.run"
		mount --bind "$dir/user.run" /run
		for program in $absent; do
			found=$(realpath "/usr/sbin/$program" 2>/dev/null) && [ -f "$found" ] || continue
			case ${found##*/} in
			"$program") mount --bind "$LAB/freebsd/absent" "$found" ;;
			esac
		done
		trap : TERM INT HUP
		: >"$dir/user.up"
		sleep infinity &
		while :; do wait || :; done
	' user "$dir" "nft conntrack unbound unbound-control unbound-checkconf yggdrasil yggdrasilctl" \
	    >"$dir/user.log" 2>&1 &
	disown
	local parent=$!
	wait_for 5 test -e "$dir/user.up"
	USER_PID[$name]=$(pgrep -P "$parent")
}

# on_user HOST COMMAND...
on_user() {
	local name=$1
	shift
	# shellcheck disable=SC2016
	HOME=$LAB/$name/user nsenter -t "${USER_PID[$name]}" -n -m -u -p sh -c 'cd "$0" && exec "$@"' "$LAB/$name" "$@"
}
