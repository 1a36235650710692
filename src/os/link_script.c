/*
 * The far sh may be any that POSIX describes, FreeBSD's, dash and busybox among them. Some read a pipe in
 * blocks and some byte by byte, so nothing but the shell itself may read the session: input travels as
 * quoted words, which printf, built in everywhere, writes to a file without a limit on its length.
 */
#include <string.h>

#include "base/sh.h"
#include "os/link_ssh.h"

/*
 * In the temporary folder are, for the command I: iI its input, oI and eI what it printed, sI its status.
 *
 * run: its outcome is only told when all of its files could be made and its input is there whole. pI has the
 * process while it runs, kI that it was killed. slay: the program itself goes last, for with it
 * the batch may end, and watch with that.
 *
 * A program in a jail may be anybody's. One that never stops printing runs into the limit of the size of its
 * files, which is twice as high where sh counts in blocks of 1024 bytes; one that never ends is killed with its
 * offspring by watch, so that the others of the batch are heard in time.
 *
 * frame: a program may have left a child behind that still prints; what is sent are snapshots that were
 * measured, never a file that still grows. The snapshot is also the test of whether the folder is full, in
 * which case a program may have printed more than is there.
 */
static const char prelude[] = //
	"PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin LC_ALL=C\n"
	"export PATH LC_ALL\n"
	"umask 077\n"
	"cd /\n"
	"d=\n"
	"trap 'rm -rf \"$d\"' EXIT\n"
	"trap 'exit 1' HUP INT TERM PIPE\n"
	"d=$(mktemp -d /tmp/jmesh.XXXXXX) || exit 1\n"
	"has() {\n"
	"	case $1 in\n"
	"	*/*) test -x \"$1\" && test ! -d \"$1\"; return ;;\n"
	"	esac\n"
	"	for p in /sbin /bin /usr/sbin /usr/bin /usr/local/sbin /usr/local/bin; do\n"
	"		test -x \"$p/$1\" && test ! -d \"$p/$1\" && return 0\n"
	"	done\n"
	"	return 1\n"
	"}\n"
	"run() {\n"
	"	i=$1 n=$2 f=/dev/null\n"
	"	shift 2\n"
	"	printf '' >\"$d/o$i\" && printf '' >\"$d/e$i\" || return 0\n"
	"	if test \"$n\" != 0; then\n"
	"		f=$d/i$i\n"
	"		test $(wc -c <\"$f\") -eq \"$n\" || return 0\n"
	"	fi\n"
	"	if has \"$1\"; then\n"
	"		(umask 022; ulimit -S -f $blocks; exec \"$@\") <\"$f\" >\"$d/o$i\" "
	"2>\"$d/e$i\" &\n"
	"		pid=$!\n"
	"		printf '%s\\n' $pid >\"$d/p$i\"\n"
	"		wait $pid\n"
	"		status=$?\n"
	"		printf '' >\"$d/p$i\"\n"
	"		test ! -s \"$d/k$i\" || status=t\n"
	"		printf '%s\\n' $status >\"$d/s$i\"\n"
	"	else\n"
	"		printf 'n\\n' >\"$d/s$i\"\n"
	"	fi\n"
	"}\n"
	"slay() {\n"
	"	all=$1 more=$1\n"
	"	while test -n \"$more\"; do\n"
	"		kill -STOP $more\n"
	"		found=\n"
	"		for pid in $more; do found=\"$found $(pgrep -P $pid)\"; done\n"
	"		more=\n"
	"		for pid in $found; do more=\"$more $pid\"; done\n"
	"		all=\"$more $all\"\n"
	"	done\n"
	"	kill -KILL $all\n"
	"}\n"
	"watch() {\n"
	"	now=0\n"
	"	while sleep 1 && kill -0 $$; do\n"
	"		now=$((now + 1))\n"
	"		for p in \"$d\"/p*; do\n"
	"			test -s \"$p\" || continue\n"
	"			i=${p##*/p}\n"
	"			eval \"since=\\${since$i:-}\"\n"
	"			test -n \"$since\" || eval \"since$i=$now since=$now\"\n"
	"			test $((now - since)) -ge $limit && read -r pid <\"$p\" || "
	"continue\n"
	"			printf 'k\\n' >\"$d/k$i\"\n"
	"			slay $pid\n"
	"		done\n"
	"	done\n"
	"}\n"
	"measure() {\n"
	"	i=$first head= parts= list= total=0\n"
	"	while test $i -le $last; do\n"
	"		s=f\n"
	"		test ! -s s$i || read -r s <s$i\n"
	"		out=$1 err=$3\n"
	"		case $s in\n"
	"		[0-9]*) ;;\n"
	"		*) out=0 err=0 ;;\n"
	"		esac\n"
	"		test $out -le $out_max || s=b out=0 err=0\n"
	"		if test $err -gt $err_max; then\n"
	"			err=$err_max\n"
	"			dd if=e$i of=t$i bs=$err_max count=1 2>/dev/null\n"
	"			list=\"$list o$i t$i\" parts=\"$parts o$i $out t$i $err\"\n"
	"		elif test $out -gt 0 || test $err -gt 0; then\n"
	"			list=\"$list o$i e$i\" parts=\"$parts o$i $out e$i $err\"\n"
	"		fi\n"
	"		head=\"$head$s $out $err\n\"\n"
	"		total=$((total + out + err)) i=$((i + 1))\n"
	"		shift 4\n"
	"	done\n"
	"}\n"
	"cut() {\n"
	"	printf '' >a\n"
	"	while test $# -gt 0; do\n"
	"		test $2 = 0 || dd if=$1 bs=$2 count=1 2>/dev/null >>a\n"
	"		shift 2\n"
	"	done\n"
	"	:\n"
	"}\n"
	"frame() (\n"
	"	cd \"$d\" || exit\n"
	"	first=$1 last=$2 i=$1 names= all=\n"
	"	while test $i -le $last; do\n"
	"		all=\"$all i$i o$i e$i s$i t$i p$i k$i\"\n"
	"		if test -s s$i; then\n"
	"			names=\"$names o$i e$i\"\n"
	"		else\n"
	"			names=\"$names /dev/null /dev/null\"\n"
	"		fi\n"
	"		i=$((i + 1))\n"
	"	done\n"
	"	measure $(wc -c $names)\n"
	"	cat /dev/null $list >a\n"
	"	if test $(wc -c <a) -ne $total && cut $parts && test $(wc -c <a) -ne $total; then\n"
	"		i=$first head=\n"
	"		while test $i -le $last; do\n"
	"			head=\"${head}f 0 0\n\" i=$((i + 1))\n"
	"		done\n"
	"		printf '' >a\n"
	"	fi\n"
	"	printf '%s %s\\n%s' $nonce $first \"$head\"\n"
	"	cat a\n"
	"	rm -f a $all\n"
	")\n";

const char *script_hello(struct arena *a, const char *nonce, int limit_ms)
{
	return arena_printf(a,
		"{\n"
		"nonce=%s out_max=%zu err_max=%d blocks=%zu limit=%d\n"
		"%s"
		"(printf '\\n%%s ready\\n' $nonce)\n"
		"}\n",
		nonce, SCRIPT_OUT_MAX, SCRIPT_ERR_MAX, SCRIPT_OUT_MAX / 512 + 2,
		(limit_ms + 999) / 1000, prelude);
}

static void add_command(struct text *t, const struct command *c, size_t i)
{
	size_t len = c->input == NULL ? 0 : c->input_len;

	if (len > 0) {
		text_add(t, "printf %s ");
		sh_quote(t, arena_dupn(t->arena, c->input, len));
		text_addf(t, " >\"$d/i%zu\"\n", i);
	}
	text_addf(t, "run %zu %zu ", i, len);
	sh_quote_all(t, c->argv);
	text_add(t, "\n");
}

const char *script_batch(
	struct arena *a, const struct command *cmds, size_t n, const bool *skip, size_t *len)
{
	struct text t = text_new(a);

	text_add(&t,
		"{\n"
		"watch </dev/null >/dev/null 2>&1 &\n"
		"watch=$! workers=\n");
	for (size_t worker = 0; worker < SCRIPT_AT_ONCE && worker < n; worker++) {
		text_add(&t, "{\n");
		for (size_t i = worker; i < n; i += SCRIPT_AT_ONCE)
			if (!skip[i])
				add_command(&t, &cmds[i], i);
		text_add(&t,
			":\n} </dev/null >/dev/null 2>&1 &\n"
			"workers=\"$workers $!\"\n");
	}
	text_add(&t,
		"wait $workers\n"
		"{ kill -KILL $watch; wait $watch; } 2>/dev/null\n");
	for (size_t i = 0; i < n; i += SCRIPT_FRAME)
		text_addf(&t, "frame %zu %zu </dev/null\n", i,
			(n - i < SCRIPT_FRAME ? n : i + SCRIPT_FRAME) - 1);
	text_add(&t, "}\n");
	*len = t.len;
	return t.s;
}
