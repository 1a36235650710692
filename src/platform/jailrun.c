#include "platform/jailrun.h"

#include <unistd.h>

#include "os/file.h"
#include "os/filelock.h"
#include "platform/freebsd.h"

/* Jailrun itself holds its lock for as long as a command of its takes. */
enum { LOCK_WAIT_S = 60, MODE = 07777 };

static const char *file_of(const char *jrun, const char *name, struct arena *a)
{
	return arena_printf(a, "%s/%s", jrun, name);
}

bool jailrun_is_here(const char *jrun)
{
	struct arena *a = arena_new();
	struct err ignored;
	mode_t mode;
	uid_t uid;
	bool here = file_stat(file_of(jrun, "state.json", a), &mode, &uid, &ignored) == 0;

	arena_free(a);
	return here;
}

struct paths {
	const char *state, *lock;
};

static int read_state(
	const struct paths *paths, struct arena *a, const char **text, size_t *len, struct err *e)
{
	int rc = file_read(paths->state, JAILRUN_BYTES_MAX, a, text, len, e);

	if (rc > 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"%s: no such file; platform jailrun is for users of Jailrun (jrun up)",
			paths->state);
	return rc;
}

static int load(void *self, struct arena *a, const char **text, size_t *len, struct err *e)
{
	return read_state(self, a, text, len, e);
}

/* A file that root puts in its place is one that Jailrun cannot write any more. */
static int check_owner(const struct paths *paths, mode_t *mode, struct err *e)
{
	uid_t uid = 0;
	int rc = file_stat(paths->state, mode, &uid, e);

	if (rc > 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s is gone", paths->state);
	if (rc == 0 && uid != geteuid())
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"%s belongs to another user; run jmesh as that user", paths->state);
	return rc;
}

/* The mode stays. */
static int change_locked(const struct paths *paths,
	int (*change)(void *ctx, const char *text, size_t len, struct arena *a, const char **out,
		size_t *out_len, struct err *e),
	void *ctx, struct arena *a, struct err *e)
{
	const char *text, *out;
	size_t len, out_len;
	mode_t mode;

	if (check_owner(paths, &mode, e) < 0 || read_state(paths, a, &text, &len, e) < 0)
		return -1;
	if (change(ctx, text, len, a, &out, &out_len, e) < 0)
		return err_wrap(e, "%s", paths->state);
	if (out == text)
		return 0;
	return file_replace(paths->state, out, out_len, mode & MODE, e);
}

static int update(void *self,
	int (*change)(void *ctx, const char *text, size_t len, struct arena *a, const char **out,
		size_t *out_len, struct err *e),
	void *ctx, struct arena *a, struct err *e)
{
	const struct paths *paths = self;
	mode_t mode;
	int lock, rc;

	/* Before the lock as well, whose file may have to be made. */
	if (check_owner(paths, &mode, e) < 0)
		return -1;
	lock = filelock_take(paths->lock, LOCK_WAIT_S, "Jailrun (jrun)", e);
	if (lock < 0)
		return -1;
	rc = change_locked(paths, change, ctx, a, e);
	filelock_drop(lock);
	return rc;
}

void jailrun_store(struct jailrun_store *out, const char *jrun, struct arena *a)
{
	struct paths *paths = arena_alloc(a, 1, sizeof(*paths));

	paths->state = file_of(jrun, "state.json", a);
	paths->lock = file_of(jrun, "state.lock", a);
	*out = (struct jailrun_store){
		.self = paths, .path = paths->state, .load = load, .update = update
	};
}

int jailrun_load(const struct jailrun_store *store, struct arena *a, struct jailrun_state *out,
	struct err *e)
{
	const char *text;
	size_t len;

	if (store->load(store->self, a, &text, &len, e) < 0)
		return -1;
	if (jailrun_parse(text, len, a, out, e) < 0)
		return err_wrap(e, "%s", store->path);
	return 0;
}

int jailrun_open(struct port *out, const struct platform_conf *conf, struct arena *a, struct err *e)
{
	struct freebsd_conf *freebsd = arena_alloc(a, 1, sizeof(*freebsd));
	struct link_ssh *ssh = arena_alloc(a, 1, sizeof(*ssh));
	struct jailrun_store store;
	struct jailrun_state state;
	const char **names, **system_names;

	if (conf->ssh != NULL)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"platform jailrun knows from Jailrun how its machine is reached; remove "
			"host.ssh, or use platform freebsd");
	if (conf->jrun == NULL)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"platform jailrun looks for ~/.jrun, and HOME is not set");
	jailrun_store(&store, conf->jrun, a);
	if (jailrun_load(&store, a, &state, e) < 0)
		return -1;
	names = arena_alloc(a, state.n_jails, sizeof(*names));
	system_names = arena_alloc(a, state.n_jails, sizeof(*system_names));
	for (size_t i = 0; i < state.n_jails; i++) {
		names[i] = state.jails[i].name;
		system_names[i] = state.jails[i].system_name;
	}
	*ssh = (struct link_ssh){
		.target = "admin@127.0.0.1",
		.port = state.ssh_port,
		.key = file_of(conf->jrun, "ssh/id_ed25519", a),
		.become = LINK_BECOME_DOAS,
		.ephemeral = true,
	};
	*freebsd = (struct freebsd_conf){
		.ssh = ssh,
		.traits = { .saves_firewall = true, .foreign_nodes = true },
		.name = "jailrun",
		.names = names,
		.system_names = system_names,
		.n = state.n_jails,
		.unreachable = "is Jailrun's machine up? (jrun start)",
	};
	return freebsd_open_as(out, freebsd, a, e);
}
