/* Nodes of the FreeBSD port: their keys and their daemons. */
#include "tests/unit/freebsd_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What yggdrasil itself says of a configuration. */
static const char *public_of(const char *conf, const char *where)
{
	CHECK(sandbox_sh("yggdrasil -useconf -publickey <%s | cut -c 1-8 >/mnt/public", conf) == 0);
	return arena_printf(arena, "%.8s %s", lab_read("/mnt/public"), where);
}

MACHINE(freebsd_node, makes_a_key_that_yggdrasil_takes_and_never_another)
{
	const char *seen, *key;

	CHECK_TEXT(lab_look_key("web"), "(none)");
	CHECK(port.ops->key_make(port.self, "web", &e) == 0);
	seen = lab_look_key("web");
	lab_write("/mnt/conf", "{ PrivateKeyPath: /mnt/jails/web/etc/yggdrasil.key\n}\n", 0600);
	CHECK_TEXT(seen, public_of("/mnt/conf", "file"));
	key = lab_read("/mnt/jails/web/etc/yggdrasil.key");
	CHECK(port.ops->key_make(port.self, "web", &e) == 0);
	CHECK_TEXT(lab_read("/mnt/jails/web/etc/yggdrasil.key"), key);
	CHECK(sandbox_sh("test \"$(ls -A /mnt/jails/web/etc)\" = yggdrasil.key") == 0);
	CHECK(sandbox_sh("test \"$(stat -c %%a /mnt/jails/web/etc/yggdrasil.key)\" = 600") == 0);
	CHECK_TEXT(lab_jails(), "web; web");
	CHECK(port.ops->key_make(port.self, HOST_NODE, &e) == 0);
	CHECK(strstr(lab_look_key(HOST_NODE), " file") != NULL);
	CHECK(strcmp(lab_look_key(HOST_NODE), seen) != 0);
	CHECK_TEXT(lab_jails(), "web; web");
	CHECK(port.ops->key_make(port.self, "gone", &e) < 0);
	CHECK_TEXT(e.text, "make the key of gone: jail gone does not run");
}

MACHINE(freebsd_node, tells_what_is_wrong_with_a_key_file)
{
	CHECK(port.ops->key_make(port.self, HOST_NODE, &e) == 0);
	CHECK(chmod(KEY, 0644) == 0);
	CHECK_TEXT(lab_look_key(HOST_NODE),
		"the key file " KEY " is open to others (mode 0644): chmod 600 " KEY);
	CHECK(sandbox_sh("chmod 600 " KEY " && cat " KEY " " KEY
			 " >/mnt/twice && cp /mnt/twice " KEY) == 0);
	CHECK(strstr(lab_look_key(HOST_NODE), "the key file " KEY " is wrong (restore it") != NULL);
	CHECK(sandbox_sh("openssl genpkey -quiet -algorithm RSA >" KEY " 2>/dev/null || "
			 "openssl genpkey -algorithm RSA >" KEY " 2>/dev/null") == 0);
	CHECK(strstr(lab_look_key(HOST_NODE), "the key file " KEY " is wrong (restore it") != NULL);
	CHECK(sandbox_sh("openssl genpkey -algorithm ed25519 -aes256 -pass pass:x >" KEY) == 0);
	CHECK(strstr(lab_look_key(HOST_NODE), "the key file " KEY " is wrong (restore it") != NULL);
	CHECK(sandbox_sh("rm " KEY " && mkdir " KEY) == 0);
	CHECK_TEXT(lab_look_key(HOST_NODE), KEY " is not a regular file");
}

MACHINE(freebsd_node, knows_the_key_that_a_configuration_holds)
{
	char key[KEY_HEX_PRIVATE + 1] = { 0 };
	const char *conf;

	CHECK(sandbox_sh("yggdrasil -genconf >" CONF) == 0);
	conf = public_of(CONF, "conf");
	CHECK_TEXT(lab_look_key(HOST_NODE), conf);
	CHECK(port.ops->key_make(port.self, HOST_NODE, &e) == 0);
	CHECK_TEXT(lab_look_key(HOST_NODE), public_of(CONF, "file"));
	CHECK(sandbox_sh("yggdrasil -genconf -json >" CONF) == 0);
	CHECK_TEXT(lab_look_key(HOST_NODE),
		"the node has two identities: " KEY " and the PrivateKey in " CONF
		" are different keys; remove the one that is not to be");
	/* The daemon would take the file's, and leave the other unseen. */
	CHECK(sandbox_sh("sed -i '1s|{|{ \"PrivateKeyPath\": \"" KEY "\",|' " CONF) == 0);
	CHECK(strstr(lab_look_key(HOST_NODE), "the node has two identities: ") != NULL);
	CHECK(sandbox_sh("rm " KEY) == 0);
	CHECK(sandbox_sh("sed -i 's|PrivateKeyPath|privatekeypath|' " CONF) == 0);
	CHECK(strstr(lab_look_key(HOST_NODE), " conf") != NULL);
	memset(key, 'a', KEY_HEX_PRIVATE);
	lab_write(
		CONF, arena_printf(arena, "{\n  # PrivateKey: %s\n  IfName: none\n}\n", key), 0600);
	CHECK_TEXT(lab_look_key(HOST_NODE), "(none)");
	lab_write(CONF, "{ PrivateKey: [\n", 0600);
	CHECK(strstr(lab_look_key(HOST_NODE), CONF " cannot be read as a configuration") != NULL);
}

static const char *ask(const char *node, const char *request)
{
	struct look v = {
		.kind = LOOK_ASK, .place = node, .path = FREEBSD_SOCKET, .request = request
	};

	CHECK(port.ops->look(port.self, &v, 1, arena, &e) == 0);
	return v.rc < 0 ? arena_dup(arena, v.err.text) : v.rc == 1 ? "(nobody)" : v.text;
}

#define GETSELF "{\"request\":\"getself\"}"

static void set_conf(const char *more)
{
	CHECK(lab_replace("web", CONF,
		      arena_printf(arena,
			      "{\n  PrivateKeyPath: " KEY "\n  IfName: none\n"
			      "  AdminListen: unix://" FREEBSD_SOCKET "\n"
			      "  MulticastInterfaces: []\n%s}\n",
			      more),
		      0600) == 0);
}

MACHINE(freebsd_node, starts_asks_and_stops_a_node)
{
	CHECK(port.ops->key_make(port.self, "web", &e) == 0);
	set_conf("  Listen: [\"tcp://127.0.0.1:19001\"]\n");
	CHECK_TEXT(lab_look_node("web"), "- - ");
	CHECK_TEXT(ask("web", GETSELF), "(nobody)");
	CHECK(port.ops->node_start(port.self, "web", &e) == 0);
	CHECK_TEXT(lab_look_node("web"), "running boot 127.0.0.1:19001");
	CHECK(strstr(ask("web", GETSELF), "\"build_version\"") != NULL);
	CHECK_TEXT(ask(HOST_NODE, GETSELF), "(nobody)");
	CHECK_TEXT(lab_look_node(HOST_NODE), "- - ");
	/* A start that was killed may have left a node that runs, and a file. */
	CHECK(sandbox_sh("touch /mnt/jails/web/run/.start.jmesh.999999") == 0);
	CHECK(port.ops->node_start(port.self, "web", &e) == 0);
	CHECK(sandbox_sh("cd /mnt/jails/web/run && test -z \"$(ls -A | grep jmesh)\"") == 0);
	CHECK(sandbox_sh("test $(pgrep -xc yggdrasil) = 1") == 0);
	CHECK(port.ops->node_stop(port.self, "web", &e) == 0);
	CHECK_TEXT(lab_look_node("web"), "- - ");
	CHECK(sandbox_sh("pgrep -x yggdrasil >/dev/null") != 0);
	CHECK(port.ops->node_stop(port.self, "web", &e) == 0);
	CHECK(port.ops->node_boot(port.self, "web", &e) == 0);
	CHECK_TEXT(lab_look_node("web"), "- boot ");
}

MACHINE(freebsd_node, does_not_take_the_supervisor_for_the_node)
{
	CHECK(port.ops->key_make(port.self, "web", &e) == 0);
	set_conf("");
	CHECK(port.ops->node_start(port.self, "web", &e) == 0);
	/* It ends a moment after the signal. */
	CHECK(sandbox_sh("pkill -KILL -x yggdrasil && while pgrep -x yggdrasil >/dev/null; do "
			 "sleep 0.01; done") == 0);
	CHECK_TEXT(lab_look_node("web"), "- boot ");
	CHECK(port.ops->node_start(port.self, "web", &e) == 0);
	CHECK(strstr(ask("web", GETSELF), "\"build_version\"") != NULL);
	CHECK(sandbox_sh("test $(pgrep -xc yggdrasil) = 1") == 0);
	CHECK(port.ops->node_stop(port.self, "web", &e) == 0);
}

MACHINE(freebsd_node, kills_a_node_that_does_not_end)
{
	CHECK(port.ops->key_make(port.self, "web", &e) == 0);
	set_conf("");
	CHECK(port.ops->node_start(port.self, "web", &e) == 0);
	CHECK(sandbox_sh("pkill -STOP -x yggdrasil && pkill -STOP -x daemon") == 0);
	CHECK(port.ops->node_stop(port.self, "web", &e) == 0);
	CHECK(sandbox_sh("pgrep -x yggdrasil >/dev/null") != 0);
}

MACHINE(freebsd_node, tells_the_last_line_of_the_log_of_a_node_that_ends)
{
	CHECK(port.ops->key_make(port.self, "web", &e) == 0);
	CHECK(sandbox_sh("mkdir -p /mnt/jails/web/log && echo old "
			 ">/mnt/jails/web/log/yggdrasil.log") == 0);
	set_conf("  Listen: [\"tcp://256.0.0.1:x\"\n");
	CHECK(port.ops->node_start(port.self, "web", &e) < 0);
	CHECK(strstr(e.text, "start the node of web: yggdrasil ended: panic: ") == e.text);
	CHECK_TEXT(lab_look_node("web"), "- - ");
	lab_write("/mnt/bin/yggdrasil", "#!/bin/sh\n", 0755);
	CHECK(port.ops->node_start(port.self, "web", &e) < 0);
	CHECK_TEXT(e.text,
		"start the node of web: yggdrasil ended: its log /var/log/yggdrasil.log says "
		"nothing");
	lab_write("/mnt/bin/service",
		"#!/bin/sh\necho 'yggdrasil does not exist in /etc/rc.d' >&2\nexit 1\n", 0755);
	CHECK_TEXT(lab_look_node("web"), "- - ");
	CHECK(port.ops->node_start(port.self, "web", &e) < 0);
	CHECK_TEXT(e.text, "start the node of web: yggdrasil does not exist in /etc/rc.d");
	lab_write("/mnt/bin/service", "#!/bin/sh\necho 'no such thing'\n", 0755);
	CHECK_TEXT(lab_look_node("web"), "no such thing");
}
