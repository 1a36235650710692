#include "platform/freebsd_script.h"

/* A line of a script stands on a line of its own. */
/* clang-format off */

/* cron(8) and doas(1) may leave a PATH without these. */
#define START \
	"PATH=$PATH:/sbin:/usr/sbin:/usr/local/sbin:/usr/local/bin LC_ALL=C\nexport PATH LC_ALL\n"

#define X16 "xxxxxxxxxxxxxxxx"
#define X128 X16 X16 X16 X16 X16 X16 X16 X16

/*
 * sed(1) with every run of 128 hexadecimal digits or more replaced by as many 'x'. Most lines are none of
 * its business, and the first expression finds that out cheaply.
 */
#define MASK \
	"mask() {\n" \
	"	sed -E -e '/[0-9A-Fa-f]{16}/!b' -e 's/[0-9A-Fa-f]{128}/" X128 "/g' \\\n" \
	"	    -e ':a' -e 's/(x{128})[0-9A-Fa-f]/\\1x/' -e 'ta'\n" \
	"}\n"

/* fsync(1) is FreeBSD's. */
#define SETTLE \
	"settle() {\n" \
	"	if command -v fsync >/dev/null 2>&1; then fsync \"$@\"; else sync \"$@\"; fi\n" \
	"}\n"

#define BESIDE "dir=${1%/*}/ base=${1##*/}\n"

/*
 * What killed writers left behind in the folder $dir goes, also of other files: one that was killed when the new file
 * had both its names is not called again, and what it left may be a key. A writer that lives keeps its own.
 */
#define SWEEP \
	"for old in \"$dir\".*.jmesh.*; do\n" \
	"	pid=${old##*.}\n" \
	"	case $pid in ''|*[!0-9]*) continue ;; esac\n" \
	"	kill -0 \"$pid\" 2>/dev/null || rm -f \"$old\"\n" \
	"done\n"

/* $tmp is a new file beside the one to be. */
#define TEMPORARY \
	BESIDE \
	SWEEP \
	"tmp=$dir.$base.jmesh.$$\n" \
	"trap 'rm -f \"$tmp\"' EXIT\n" \
	"trap 'exit 1' HUP INT TERM\n" \
	"umask 077\n" \
	"rm -f \"$tmp\"\n"

/*
 * Gives the new file its name unless something has it. ln(1) would put it into a folder of that name; that
 * there is none was seen before.
 */
#define LINK_NEW \
	"if ! ln \"$tmp\" \"$1\" 2>/dev/null; then\n" \
	"	if [ -e \"$1\" ] || [ -L \"$1\" ]; then echo exists; exit 0; fi\n" \
	"	ln \"$tmp\" \"$1\" || exit 1\n" \
	"fi\n"

/*
 * The configuration without the key's file: what is left of a key is its own. The daemon takes names in
 * any case.
 */
#define OWN_KEY \
	"own_key() {\n" \
	"	any='[Pp][Rr][Ii][Vv][Aa][Tt][Ee][Kk][Ee][Yy][Pp][Aa][Tt][Hh]'\n" \
	"	sed -e \"s/$any/Jmesh/g\" \"$1\" | yggdrasil -useconf \"$2\" 2>/dev/null\n" \
	"}\n"

/* Tells of $key as a public key; the caller has no use for names of files any more. */
#define KEY_FILE \
	"set -f\n" \
	"if [ ! -e \"$key\" ]; then\n" \
	"	echo none\n" \
	"elif [ ! -f \"$key\" ]; then\n" \
	"	echo \"$key is not a regular file\" >&2\n" \
	"	exit 1\n" \
	"else\n" \
	"	set -- $(ls -lnL \"$key\")\n" \
	"	echo \"file $1 $3\"\n" \
	"	if ! command -v openssl >/dev/null 2>&1; then\n" \
	"		echo 'there is no openssl to look at the key with' >&2\n" \
	"		exit 1\n" \
	"	fi\n" \
	"	if [ \"$(grep -c -e '^-----BEGIN' \"$key\")\" = 1 ] &&\n" \
	"	    grep -q -e '^-----BEGIN PRIVATE KEY-----' \"$key\"; then\n" \
	"		openssl pkey -passin pass: -in \"$key\" -pubout 2>/dev/null </dev/null\n" \
	"	fi\n" \
	"fi\n"

/* A configuration that names a key may hold none: the line may be a comment. Whoever is told of it parses it. */
#define CONF_OR_END \
	"if [ ! -f \"$conf\" ] || ! grep -Eiq 'PrivateKey([^P]|$)' \"$conf\"; then\n" \
	"	echo end\n" \
	"	exit 0\n" \
	"fi\n"
#define CONF_TEXT \
	"{ head -c \"$max\" <\"$conf\" && echo .; } | mask\n"

/*
 * $pids are the service's process and its offspring, $node that of the daemon itself or '-': daemon(8) may stand
 * between rc and the node.
 */
#define PIDS \
	"out=$(service yggdrasil onestatus 2>&1 </dev/null)\n" \
	"case $?:$out in\n" \
	"0:*'is running as pid '*) pids=${out##*is running as pid } pids=${pids%%.*} ;;\n" \
	"*'is not running'*|*'does not exist in'*) pids= ;;\n" \
	"*) printf '%s\\n' \"$out\" >&2; exit 1 ;;\n" \
	"esac\n" \
	"case $pids in *[!0-9\\ ]*) printf '%s\\n' \"$out\" >&2; exit 1 ;; esac\n" \
	"family() {\n" \
	"	ps -ax -o pid= -o ppid= -o comm= | awk -v pids=\"$pids\" '\n" \
	"		{ pid[NR] = $1; parent[NR] = $2; name[$1] = $3 }\n" \
	"		END {\n" \
	"			n = split(pids, list)\n" \
	"			for (i = 1; i <= n; i++)\n" \
	"				member[list[i]]\n" \
	"			for (i = 1; i <= n; i++)\n" \
	"				for (k = 1; k <= NR; k++)\n" \
	"					if (parent[k] == list[i] && !(pid[k] in member)) {\n" \
	"						member[pid[k]]\n" \
	"						list[++n] = pid[k]\n" \
	"					}\n" \
	"			node = \"-\"\n" \
	"			for (i = 1; i <= n; i++)\n" \
	"				if (name[list[i]] ~ /yggdrasil$/)\n" \
	"					node = list[i]\n" \
	"			printf \"%s\", node\n" \
	"			for (i = 1; i <= n; i++)\n" \
	"				printf \" %s\", list[i]\n" \
	"		}'\n" \
	"}\n" \
	"node=-\n" \
	"if [ -n \"$pids\" ]; then\n" \
	"	pids=$(family)\n" \
	"	node=${pids%% *}\n" \
	"	pids=${pids#* }\n" \
	"	[ -n \"$node\" ] || { echo 'ps and awk do not tell of processes' >&2; exit 1; }\n" \
	"fi\n"

const char freebsd_script_list[] =
	START
	"if [ \"$(id -u)\" != 0 ]; then\n"
	"	echo \"user $(id -un) is not root there, which jexec takes\" >&2\n"
	"	exit 1\n"
	"fi\n"
	"[ -d \"$1\" ] || { echo end; exit 0; }\n"
	"cd \"$1\" || exit 1\n"
	"for name in *; do\n"
	"	[ ! -d \"$name\" ] || printf '%s\\n' \"$name\"\n"
	"done\n"
	"echo end\n";

const char freebsd_script_read[] =
	START
	MASK
	"[ -e \"$1\" ] || { echo none; exit 0; }\n"
	"[ -f \"$1\" ] || { echo \"it is not a regular file\" >&2; exit 1; }\n"
	"echo file\n"
	"{ head -c \"$2\" <\"$1\" && echo .; } | mask\n";

/*
 * Whoever owns the folder may put a link in the new file's place at any time, as unbound may in its own: what
 * follows links, chmod(1) above all, is not for that file. It has its mode from the beginning.
 */
const char freebsd_script_write[] =
	START
	SETTLE
	"if [ -d \"$1\" ]; then echo 'there is a folder of that name' >&2; exit 1; fi\n"
	"if [ \"$4\" = create ] && { [ -e \"$1\" ] || [ -L \"$1\" ]; }; then\n"
	"	echo exists\n"
	"	exit 0\n"
	"fi\n"
	TEMPORARY
	"umask \"$(printf %03o $((0777 & ~$2)))\" || exit 1\n"
	"set -C\n"
	"cat >\"$tmp\" || exit 1\n"
	"if [ $(($(wc -c <\"$tmp\"))) -ne \"$3\" ]; then\n"
	"	echo 'only a part of the text came' >&2\n"
	"	exit 1\n"
	"fi\n"
	"settle \"$tmp\" || exit 1\n"
	"if [ \"$4\" = create ]; then\n"
	LINK_NEW
	"else\n"
	"	mv -f \"$tmp\" \"$1\" || exit 1\n"
	"fi\n"
	"settle \"$dir\" && echo done\n";

const char freebsd_script_remove[] =
	START
	SETTLE
	BESIDE
	SWEEP
	"if [ ! -e \"$1\" ] && [ ! -L \"$1\" ]; then echo done; exit 0; fi\n"
	"rm -f \"$1\" && settle \"$dir\" && echo done\n";

const char freebsd_script_mkdirs[] =
	START
	"umask \"$2\"\n"
	"mkdir -p \"$1\" && echo done\n";

const char freebsd_script_key[] =
	START
	MASK
	OWN_KEY
	"key=$1 conf=$2 max=$3\n"
	KEY_FILE
	CONF_OR_END
	"public=$(own_key \"$conf\" -publickey)\n"
	"case $public in ''|*[!0-9a-f]*) public=- ;; esac\n"
	"echo \"conf $public\"\n"
	CONF_TEXT;

/*
 * openssl(1) signs with Ed25519 only what is in a regular file, whose size it asks for. The key in a
 * configuration goes through a pipe, and is in no file for a moment.
 */
const char freebsd_script_sign[] =
	START
	MASK
	OWN_KEY
	"key=$1 conf=$2 max=$3 line=$4\n"
	"set -- /var/run/sign\n"
	TEMPORARY
	"sign() {\n"
	"	openssl pkeyutl -sign -rawin -passin pass: -inkey \"$1\" -in \"$tmp\" 2>/dev/null |\n"
	"	    head -c 65 | od -An -v -tx1 | tr -d ' \\n'\n"
	"}\n"
	KEY_FILE
	"[ -f \"$key\" ] || key=\n"
	"if [ -z \"$key\" ]; then\n"
	CONF_OR_END
	"	if ! command -v openssl >/dev/null 2>&1; then\n"
	"		echo 'there is no openssl to sign with' >&2\n"
	"		exit 1\n"
	"	fi\n"
	"fi\n"
	"set -C\n"
	"printf %s \"$line\" >\"$tmp\" || exit 1\n"
	"if [ -n \"$key\" ]; then\n"
	"	hex=$(sign \"$key\" </dev/null)\n"
	"else\n"
	"	hex=$(own_key \"$conf\" -exportkey | sign /dev/stdin)\n"
	"fi\n"
	"if [ ${#hex} != 128 ]; then\n"
	"	hex=-\n"
	"	openssl pkeyutl -help 2>&1 </dev/null | grep -q -e -rawin || hex=old\n"
	"fi\n"
	"echo \"signed $hex\"\n"
	"[ -n \"$key\" ] && exit 0\n"
	CONF_TEXT;

/* cat(1) tells of a full disk, openssl(1) does not. */
const char freebsd_script_key_make[] =
	START
	SETTLE
	OWN_KEY
	"if [ -e \"$1\" ] || [ -L \"$1\" ]; then echo exists; exit 0; fi\n"
	"mkdir -p \"${1%/*}/\" || exit 1\n"
	TEMPORARY
	"if [ -f \"$2\" ] && grep -Eq '[0-9A-Fa-f]{128}' \"$2\"; then\n"
	"	own_key \"$2\" -exportkey | sed -e '/./!d' >\"$tmp\"\n"
	"else\n"
	"	openssl genpkey -algorithm ed25519 </dev/null | cat >\"$tmp\" || exit 1\n"
	"fi\n"
	"openssl pkey -passin pass: -in \"$tmp\" -noout </dev/null || exit 1\n"
	"chmod 600 \"$tmp\" && settle \"$tmp\" || exit 1\n"
	LINK_NEW
	"settle \"$dir\" && echo done\n";

/*
 * daemon(8) runs also while there is no node, which it then starts anew. Without -w newer sockstat(1) cuts
 * an address after 21 characters.
 */
const char freebsd_script_node[] =
	START
	PIDS
	"if [ \"$node\" != - ]; then\n"
	"	sockets=$(sockstat -46lqw -P tcp) || exit 1\n"
	"	for pid in $pids; do echo \"pid $pid\"; done\n"
	"	printf '%s\\n' \"$sockets\" | sed -e '/./!d' -e 's/^/socket /'\n"
	"fi\n"
	"echo \"boot $(sysrc -n yggdrasil_enable 2>/dev/null)\"\n"
	"echo end\n";

/* nc(1) ends with 1 where nobody listens, and says so only in some versions. */
const char freebsd_script_ask[] =
	START
	"[ -S \"$1\" ] || { echo nobody; exit 0; }\n"
	"reply=$(nc -N -w 5 -U \"$1\")\n"
	"status=$?\n"
	"if [ -z \"$reply\" ] && [ \"$status\" = 1 ]; then echo nobody; exit 0; fi\n"
	"if [ -z \"$reply\" ] && [ \"$status\" != 0 ]; then exit 1; fi\n"
	"printf 'answer\\n%s\\n.\\n' \"$reply\"\n";

/*
 * What service(8) says goes through a file: the node would hold a pipe open. How large files may become here
 * is no limit for the node's log.
 */
const char freebsd_script_start[] =
	START
	"sysrc yggdrasil_enable=YES >/dev/null || exit 1\n"
	"if [ -f \"$1\" ]; then echo \"log $(($(wc -c <\"$1\")))\"; else echo 'log 0'; fi\n"
	"dir=/var/run/\n"
	SWEEP
	"if service yggdrasil onestatus >/dev/null 2>&1 </dev/null; then echo done; exit 0; fi\n"
	"said=$dir.start.jmesh.$$\n"
	"trap 'rm -f \"$said\"' EXIT\n"
	"rm -f \"$said\"\n"
	"(umask 077 && : >\"$said\") || exit 1\n"
	"ulimit -S -f unlimited\n"
	"service yggdrasil start >\"$said\" 2>&1 </dev/null || { cat \"$said\" >&2; exit 1; }\n"
	"echo done\n";

const char freebsd_script_stop[] =
	START
	PIDS
	"case $(sysrc -n yggdrasil_enable 2>/dev/null) in\n"
	"''|[Nn][Oo]) ;;\n"
	"*) sysrc yggdrasil_enable=NO >/dev/null || exit 1 ;;\n"
	"esac\n"
	"[ -z \"$pids\" ] || service yggdrasil onestop >/dev/null 2>&1 </dev/null\n"
	"list=\n"
	"for pid in $pids; do list=$list${list:+,}$pid; done\n"
	"alive() {\n"
	"	[ -n \"$list\" ] || return 1\n"
	"	for stat in $(ps -o stat= -p \"$list\"); do\n"
	"		case $stat in Z*) ;; *) return 0 ;; esac\n"
	"	done\n"
	"	return 1\n"
	"}\n"
	"tries=0\n"
	"while alive && [ $tries -lt 50 ]; do\n"
	"	sleep 0.1\n"
	"	tries=$((tries + 1))\n"
	"done\n"
	"if alive; then kill -9 $pids 2>/dev/null; sleep 0.5; fi\n"
	"if alive; then echo \"process $pids does not end\" >&2; exit 1; fi\n"
	"rm -f \"$1\" && echo done\n";

const char freebsd_script_boot[] =
	START
	"sysrc yggdrasil_enable=YES >/dev/null && echo done\n";

/* What follows the panic of a Go program is a trace. */
const char freebsd_script_last[] =
	START
	"[ -f \"$1\" ] || exit 0\n"
	"text=$(tail -c \"+$(($2 + 1))\" \"$1\" | tail -c 16384 | sed -e '/[^[:space:]]/!d')\n"
	"line=$(printf '%s\\n' \"$text\" | grep '^panic: ' | head -n 1)\n"
	"[ -n \"$line\" ] || line=$(printf '%s\\n' \"$text\" | tail -n 1)\n"
	"printf '%s\\n' \"$line\"\n";
