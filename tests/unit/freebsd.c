/* The FreeBSD port: jails, commands, files, and looking at much at once. */
#include "tests/unit/freebsd_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t trips(void)
{
	return link_trips(((struct freebsd *)port.self)->link);
}

static void set_jails(const char *list)
{
	lab_write("/mnt/jls",
		arena_printf(arena,
			"{\"__version\": \"2\", \"jail-information\": {\"jail\": [%s]}}\n", list),
		0644);
}

Test(freebsd, is_part_of_every_build)
{
	const struct platform *p;

	cr_assert_eq(platform_find("freebsd", &p, &e), 0);
	cr_expect(p->pf && !p->dns_block);
	cr_expect_str_eq(p->defaults.state_dir, "/var/db/jmesh");
	cr_expect_str_eq(p->defaults.dns_include, "/var/unbound/conf.d/jmesh.conf");
	cr_expect_str_eq(p->defaults.dns_config, "/var/unbound/unbound.conf");
	cr_expect_str_eq(p->dns_control, "local-unbound-control");
	cr_expect_str_eq(p->dns_checkconf, "local-unbound-checkconf");
}

MACHINE(freebsd, tells_the_jails_and_the_nodes_that_it_knows_in_one_trip)
{
	set_jails("");
	CHECK_TEXT(lab_jails(), "; ");
	CHECK(trips() == 1);
	set_jails("{\"name\":\"Web\"},{\"name\":\"db\"},{\"name\":\"web.inner\"},"
		  "{\"name\":\"_host\"},{\"name\":\"a b\"},{\"name\":\"-x\"}");
	CHECK(sandbox_sh("mkdir -p /var/db/jmesh/nodes/old /var/db/jmesh/nodes/_host && "
			 "mkdir '/var/db/jmesh/nodes/a b' && touch /var/db/jmesh/nodes/file") == 0);
	CHECK_TEXT(lab_jails(), "db web; old");
	set_jails("{\"name\":\"Web\"},{\"name\":\"web\"}");
	CHECK_TEXT(lab_jails(), "two jails have the name 'web' but for its case; rename one");
	lab_write("/mnt/jls.failed", "", 0644);
	CHECK_TEXT(lab_jails(), "jls: jls: jail_get: no");
}

static const char *run(const char *jail, const char *const *argv, const char *input)
{
	struct command c = {
		.jail = jail,
		.argv = argv,
		.input = input,
		.input_len = input == NULL ? 0 : strlen(input),
	};
	struct output out;

	CHECK(port.ops->run(port.self, &c, 1, arena, &out, &e) == 0);
	return arena_printf(arena, "%d [%s] [%s]", out.status, out.out, out.err);
}

MACHINE(freebsd, runs_a_command_in_a_jail_by_the_host_s_name_for_it)
{
	static const char *const echo[] = { "printf", "%s|", "a b", "$(id)", "'\"", "", NULL };
	static const char *const cat[] = { "cat", NULL };
	static const char *const none[] = { "no-such-program", NULL };
	static const char *const fail[] = { "sh", "-c", "echo said >&2; exit 7", NULL };

	set_jails("{\"name\":\"Web\"}");
	CHECK(sandbox_sh("mv /mnt/jails/web /mnt/jails/Web") == 0);
	CHECK_TEXT(lab_jails(), "web; ");
	CHECK_TEXT(run("web", echo, NULL), "0 [a b|$(id)|'\"||] []");
	CHECK_TEXT(run(NULL, echo, NULL), "0 [a b|$(id)|'\"||] []");
	CHECK_TEXT(run("web", cat, "in\n"), "0 [in\n] []");
	CHECK_TEXT(run("web", fail, NULL), "7 [] [said]");
	CHECK_TEXT(run("web", none, NULL), "-1 [] [No such file or directory]");
	CHECK_TEXT(run("db", cat, NULL), "-1 [] [jail db does not run]");
	CHECK_TEXT(run("../web", cat, NULL), "-1 [] [jail ../web does not run]");
}

MACHINE(freebsd, knows_jails_by_other_names_where_it_is_told_to)
{
	static const char *const names[] = { "db", "web" }, *const systems[] = { "j12", "j34" };
	static const struct freebsd_conf conf = {
		.name = "other",
		.traits = { .foreign_nodes = true },
		.names = names,
		.system_names = systems,
		.n = 2,
	};
	static const char *const cat[] = { "cat", NULL };

	CHECK(freebsd_open_as(&port, &conf, arena, &e) == 0);
	CHECK_TEXT(port.ops->name, "other");
	CHECK(port.ops->traits.foreign_nodes && !port.ops->traits.boots_nodes);
	CHECK(sandbox_sh("mv /mnt/jails/web /mnt/jails/j34") == 0);
	set_jails("{\"name\":\"j34\"},{\"name\":\"db\"},{\"name\":\"j99\"}");
	CHECK_TEXT(lab_jails(), "web; web");
	CHECK_TEXT(run("web", cat, "x"), "0 [x] []");
	CHECK_TEXT(run("j34", cat, "x"), "-1 [] [jail j34 does not run]");
}

/* The text, "(none)", or the error. */
static const char *look_file(const char *jail, const char *path, size_t max)
{
	struct look v = { .kind = LOOK_FILE, .place = jail, .path = path, .max = max };

	CHECK(port.ops->look(port.self, &v, 1, arena, &e) == 0);
	return v.rc < 0 ? arena_dup(arena, v.err.text) : v.rc == 1 ? "(none)" : v.text;
}

MACHINE(freebsd, reads_a_file_as_it_is)
{
	static const char *const same[] = { "", "\n", "a", "a\nb\n", "a\n\n\n", ".\n", "file\n.",
		"\\n $x `id` 'q' \"d\"\n" };

	CHECK_TEXT(look_file("web", CONF, 100), "(none)");
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		lab_write("/usr/local/etc/here", same[i], 0600);
		CHECK_TEXT(look_file(NULL, "/usr/local/etc/here", 100), same[i]);
		CHECK(lab_replace("web", CONF, same[i], 0600) == 0);
		CHECK_TEXT(look_file("web", CONF, 100), same[i]);
		CHECK_TEXT(lab_read("/mnt/jails/web/etc/yggdrasil.conf"), same[i]);
	}
	CHECK_TEXT(look_file(NULL, CONF, 100), "(none)");
	CHECK_TEXT(look_file(NULL, "/usr/local/etc/here", strlen(same[7])), same[7]);
	CHECK_TEXT(look_file(NULL, "/usr/local/etc/here", 4),
		"read /usr/local/etc/here: it has more than 4 bytes");
	CHECK_TEXT(look_file(NULL, "/usr/local/etc", 100),
		"read /usr/local/etc: it is not a regular file");
	CHECK(sandbox_sh("mkfifo /usr/local/etc/fifo") == 0);
	CHECK_TEXT(look_file(NULL, "/usr/local/etc/fifo", 100),
		"read /usr/local/etc/fifo: it is not a regular file");
	CHECK_TEXT(look_file("gone", CONF, 100), "read " CONF ": jail gone does not run");
}

static const char *repeat(char c, size_t n)
{
	char *s = arena_alloc(arena, n + 1, 1);

	memset(s, c, n);
	return s;
}

MACHINE(freebsd, masks_private_keys_where_they_are)
{
	static const size_t runs[] = { 16, 64, 127, 128, 129, 200, 255, 256, 257, 400 };

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		const char *format = "{ PrivateKey: \"%s\"\n  other: %s";
		const char *hex = repeat("aF0"[i % 3], runs[i]);
		const char *mask = runs[i] < 128 ? hex : repeat('x', runs[i]);
		struct command c;
		struct output out;
		const char *const args[] = { "/usr/local/etc/here", "4096", NULL };

		lab_write("/usr/local/etc/here", arena_printf(arena, format, hex, hex), 0600);
		CHECK_TEXT(look_file(NULL, "/usr/local/etc/here", 4096),
			arena_printf(arena, format, mask, mask));
		/* Not only on our side. */
		c = freebsd_command(NULL, freebsd_script_read, args, arena);
		CHECK(port.ops->run(port.self, &c, 1, arena, &out, &e) == 0);
		CHECK(strstr(out.out, repeat('x', 128)) != NULL || runs[i] < 128);
		CHECK(strstr(out.out, hex) == NULL || runs[i] < 128);
	}
}

MACHINE(freebsd, gives_no_file_that_a_link_leads_to_another_mode)
{
	struct stat st;

	CHECK(sandbox_sh("mkdir /mnt/evil && touch /mnt/victim && chmod 600 /mnt/victim && "
			 "printf '%%s\\n' '#!/bin/sh' 'cd /usr/local/etc || exit' "
			 "'for f in .f.jmesh.*; do ln -sf /mnt/victim \"$f\"; done' 'echo 3' "
			 ">/mnt/evil/wc && chmod 755 /mnt/evil/wc") == 0);
	setenv("PATH", arena_printf(arena, "/mnt/evil:%s", getenv("PATH")), 1);
	lab_replace(NULL, "/usr/local/etc/f", "two", 0644);
	CHECK(readlink("/usr/local/etc/f", (char[9]){ 0 }, 9) > 0);
	CHECK(stat("/mnt/victim", &st) == 0 && (st.st_mode & 07777) == 0600);
}

MACHINE(freebsd, replaces_a_file_whole_and_leaves_nothing_beside_it)
{
	struct stat st;

	CHECK(sandbox_sh("mkdir /usr/local/etc/dir && touch /usr/local/etc/.f.jmesh.999999 "
			 "/usr/local/etc/.key.jmesh.999999 "
			 "/usr/local/etc/.f.jmesh.1 /usr/local/etc/.f.jmesh.x && "
			 "ln -s /usr/local/etc/elsewhere /usr/local/etc/link") == 0);
	CHECK(lab_replace(NULL, "/usr/local/etc/f", "one\n", 0600) == 0);
	CHECK(lab_replace(NULL, "/usr/local/etc/f", "two", 0640) == 0);
	CHECK_TEXT(lab_read("/usr/local/etc/f"), "two");
	CHECK(stat("/usr/local/etc/f", &st) == 0 && (st.st_mode & 07777) == 0640);
	/* Process 1 lives. */
	CHECK(sandbox_sh(
		      "cd /usr/local/etc && test \"$(echo .[fk]*)\" = '.f.jmesh.1 .f.jmesh.x'") ==
		0);
	CHECK(lab_replace(NULL, "/usr/local/etc/link", "text", 0600) == 0);
	CHECK(lstat("/usr/local/etc/link", &st) == 0 && S_ISREG(st.st_mode));
	CHECK_TEXT(lab_read("/usr/local/etc/elsewhere"), "(none)");
	CHECK(lab_replace(NULL, "/usr/local/etc/dir", "text", 0600) < 0);
	CHECK_TEXT(e.text, "/usr/local/etc/dir: there is a folder of that name");
	CHECK(lab_replace(NULL, "/usr/local/etc/no/f", "text", 0600) < 0);
	CHECK(strstr(e.text, "/usr/local/etc/no/f: ") == e.text);
	CHECK(lab_replace("gone", "/usr/local/etc/f", "text", 0600) < 0);
	CHECK_TEXT(e.text, "/usr/local/etc/f: jail gone does not run");
}

MACHINE(freebsd, creates_a_file_only_where_there_is_nothing)
{
	const struct port_ops *ops = port.ops;

	CHECK(ops->create(port.self, "web", "/usr/local/etc/f", "one", 3, 0600, &e) == 0);
	CHECK(ops->create(port.self, "web", "/usr/local/etc/f", "two", 3, 0600, &e) == 1);
	CHECK_TEXT(lab_read("/mnt/jails/web/etc/f"), "one");
	CHECK(sandbox_sh("ln -s nowhere /mnt/jails/web/etc/g") == 0);
	CHECK(ops->create(port.self, "web", "/usr/local/etc/g", "two", 3, 0600, &e) == 1);
	CHECK(ops->remove(port.self, "web", "/usr/local/etc/g", &e) == 0);
	CHECK(sandbox_sh("touch /mnt/jails/web/etc/.g.jmesh.999999") == 0);
	CHECK(ops->remove(port.self, "web", "/usr/local/etc/g", &e) == 0);
	CHECK(ops->mkdirs(port.self, "web", "/usr/local/etc/a/b", 0700, &e) == 0);
	CHECK(ops->mkdirs(port.self, "web", "/usr/local/etc/a/b", 0700, &e) == 0);
	CHECK(sandbox_sh("cd /mnt/jails/web/etc && test \"$(stat -c %%a a a/b f)\" = "
			 "'700\n700\n600' && "
			 "test \"$(ls -A)\" = 'a\nf'") == 0);
	CHECK(ops->remove(port.self, "web", "/usr/local/etc/a", &e) < 0);
	CHECK(ops->mkdirs(port.self, "web", "/usr/local/etc/f", 0700, &e) < 0);
}

MACHINE(freebsd, looks_at_everything_in_one_trip)
{
	static const char *const argv[] = { "cat", NULL };
	struct look v[] = {
		{ .kind = LOOK_FILE, .place = "web", .path = "/usr/local/etc/f", .max = 100 },
		{ .kind = LOOK_FILE, .place = "gone", .path = "/usr/local/etc/f", .max = 100 },
		{ .kind = LOOK_KEY, .place = "web" },
		{ .kind = LOOK_NODE, .place = "gone" },
		{ .kind = LOOK_RUN, .cmd = { .argv = argv, .input = "x", .input_len = 1 } },
		{ .kind = LOOK_RUN, .cmd = { .jail = "gone", .argv = argv } },
		{ .kind = LOOK_ASK, .place = "web", .path = FREEBSD_SOCKET, .request = "{}" },
		{ .kind = LOOK_KEY, .place = HOST_NODE },
		{ .kind = LOOK_SIGN, .place = "web", .request = "line" },
		{ .kind = LOOK_SIGN, .place = "gone", .request = "line" },
	};

	CHECK(lab_replace("web", "/usr/local/etc/f", "text", 0600) == 0);
	CHECK_TEXT(lab_jails(), "web; ");
	CHECK(trips() == 2);
	CHECK(port.ops->look(port.self, v, sizeof(v) / sizeof(v[0]), arena, &e) == 0);
	CHECK(trips() == 3);
	CHECK(v[0].rc == 0 && v[0].len == 4);
	CHECK_TEXT(v[0].text, "text");
	/* Nothing is in a jail that is known not to run. */
	CHECK(v[1].rc == 1 && v[2].rc == 1 && v[3].rc == 0 && !v[3].state.running);
	CHECK_TEXT(v[4].output.out, "x");
	CHECK(v[5].rc == 0 && v[5].output.status == -1);
	CHECK_TEXT(v[5].output.err, "jail gone does not run");
	CHECK(v[6].rc == 1 && v[7].rc == 1 && v[8].rc == 1 && v[9].rc == 1);
	CHECK(port.ops->node_stop(port.self, "gone", &e) == 0);
	/* One that ran a moment ago has lost nothing. */
	CHECK(sandbox_sh("mv /mnt/jails/web /mnt/jails/else") == 0);
	CHECK_TEXT(look_file("web", "/usr/local/etc/f", 100),
		"read /usr/local/etc/f: jail web does not run");
	CHECK_TEXT(lab_look_node("web"), "jail web does not run");
	CHECK_TEXT(lab_look_key("web"), "jail web does not run");
}

/* Whatever a jail answers, each look ends in an error or in what could be, and the others are well. */
MACHINE(freebsd, survives_a_hostile_jail)
{
	static const char *const evil[] = {
		"exit 0",
		"exec head -c 100000 /dev/urandom",
		"exec head -c 70000000 /dev/zero",
		"echo file; exec head -c 3000000 /dev/zero",
		"echo done",
		"printf 'pid 1\\npid 2\\n\\0boot YES\\nend\\n'",
		"printf 'file -rw------- 0\\n'; exec head -c 100000 /dev/urandom",
		"printf 'answer\\n'; exec yes",
		"printf 'none\\nsigned '; exec head -c 128 /dev/zero",
		"kill -9 $$",
	};

	CHECK(sandbox_sh("mkdir -p /mnt/jails/evil") == 0);
	for (size_t i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
		struct look v[] = {
			{ .kind = LOOK_FILE, .place = "evil", .path = CONF, .max = 1 << 20 },
			{ .kind = LOOK_KEY, .place = "evil" },
			{ .kind = LOOK_NODE, .place = "evil" },
			{ .kind = LOOK_ASK,
				.place = "evil",
				.path = FREEBSD_SOCKET,
				.request = "{}" },
			{ .kind = LOOK_SIGN, .place = "evil", .request = "line" },
			{ .kind = LOOK_NODE, .place = "web" },
		};

		lab_write("/mnt/jails/evil/evil", arena_printf(arena, "#!/bin/sh\n%s\n", evil[i]),
			0755);
		CHECK(port.ops->look(port.self, v, 6, arena, &e) == 0);
		for (size_t j = 0; j < 5; j++)
			CHECK(v[j].rc == -1 && v[j].err.text[0] != '\0');
		CHECK(v[5].rc == 0);
		if (strcmp(evil[i], "echo done") != 0)
			CHECK(lab_replace("evil", CONF, "text", 0600) < 0 &&
				port.ops->key_make(port.self, "evil", &e) < 0);
		CHECK(port.ops->node_start(port.self, "evil", &e) < 0);
	}
}
