#include "cli/pass.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/seal.h"
#include "os/file.h"

static int secret_env(const struct mesh_peer *peer, const char *key, const char *name,
	const char **text, const char **source, struct err *e)
{
	*source = key;
	*text = getenv(name);
	if (*text == NULL || **text == '\0')
		return err_set(e, ERR_CONFIG, (struct loc){ peer->line, 1 },
			"the environment has no %s (%s)", name, key);
	return 0;
}

/* The first line of a file; guarded: nobody but its owner may read it. */
static int secret_file(const struct mesh_peer *peer, const char *key, const char *path,
	bool guarded, struct arena *a, const char **text, const char **source, struct err *e)
{
	struct input file;
	mode_t mode = 0;
	uid_t uid;

	*source = key;
	if (file_stat(path, &mode, &uid, e) < 0)
		return err_wrap(e, "%s", key);
	/* A pipe without a writer would be waited for. That there is none is said when it is read. */
	if (mode != 0 && !S_ISREG(mode))
		return err_set(e, ERR_CONFIG, (struct loc){ peer->line, 1 },
			"%s: %s is not a regular file", key, path);
	if (guarded && (mode & 077) != 0)
		return err_set(e, ERR_CONFIG, (struct loc){ peer->line, 1 },
			"%s: %s is open to others (mode %04o): chmod 600 %s", key, path,
			(unsigned)(mode & 07777), path);
	if (input_read(path, a, &file, e) < 0)
		return err_wrap(e, "%s", key);
	*text = arena_dupn(a, file.text, strcspn(file.text, "\r\n"));
	return 0;
}

/* --code before the file; of the file one of code, code_env and code_file. */
static int find_code(const struct host *h, const struct mesh_peer *peer, struct arena *a,
	const char **code, const char **source, struct err *e)
{
	size_t len = strlen(peer->name);

	*source = "--code";
	for (size_t i = 0; i < h->options->code.n; i++) {
		const char *given = h->options->code.v[i];
		const char *equals = strchr(given, '=');

		if ((size_t)(equals - given) == len &&
			strcmp(name_fold(a, arena_dupn(a, given, len)), peer->name) == 0) {
			*code = equals + 1;
			return 0;
		}
	}
	*source = "code";
	*code = peer->code;
	if (peer->code_env != NULL)
		return secret_env(peer, "code_env", peer->code_env, code, source, e);
	if (peer->code_file != NULL)
		return secret_file(peer, "code_file", peer->code_file, false, a, code, source, e);
	return 0;
}

/* A code that somebody passed on, with the secret behind it unless the pairing is plain. */
static int take_code(const struct host *h, const struct mesh_peer *peer, struct arena *a,
	struct pass *pass, bool *found, struct err *e)
{
	struct loc at = { peer->line, 1 };
	const char *code = NULL, *source;

	if (find_code(h, peer, a, &code, &source, e) < 0)
		return -1;
	*found = code != NULL;
	if (code == NULL)
		return 0;
	if (pass_parse(code, pass, e) < 0) {
		e->at = at;
		return err_wrap(e, "%s", source);
	}
	if (pass->sealed && peer->plain)
		return err_set(e, ERR_CONFIG, at,
			"%s: the code has a secret, and the file says plain: true; remove the one, "
			"or "
			"what is behind the '#' if the other side runs Jailrun",
			source);
	if (!pass->sealed && !peer->plain)
		return err_set(e, ERR_CONFIG, at,
			"%s: the code has no secret; copy it whole, with what is behind the '#' "
			"(plain: true pairs with Jailrun, which has no secrets)",
			source);
	return 0;
}

/* The secret of a rendezvous, and the code at which both sides meet by it. */
static int take_secret(const struct host *h, const struct mesh_peer *peer, struct arena *a,
	struct pass *pass, struct err *e)
{
	struct loc at = { peer->line, 1 };
	const char *text = NULL, *source;
	int rc = peer->secret_env != NULL
		? secret_env(peer, "secret_env", peer->secret_env, &text, &source, e)
		: secret_file(peer, "secret_file", peer->secret_file, true, a, &text, &source, e);

	if (rc < 0)
		return -1;
	if (secret_parse(text, strlen(text), &pass->secret, e) < 0) {
		e->at = at;
		return err_wrap(e, "%s", source);
	}
	if (secret_is_weak(&pass->secret))
		return err_set(e, ERR_CONFIG, at,
			"%s: the secret is a pattern that anybody could guess; jmesh secret makes "
			"one",
			source);
	pass->sealed = true;
	seal_meeting(&pass->secret, h->mesh.name, peer->name, pass->code);
	return 0;
}

int pass_find(void *ctx, const struct mesh_peer *peer, struct arena *a, const struct pass **pass,
	struct err *e)
{
	const struct host *h = ctx;
	struct pass *out = arena_alloc(a, 1, sizeof(*out));
	bool found = true;
	int rc = 0;

	if (peer->pair == PAIR_JOIN)
		rc = take_code(h, peer, a, out, &found, e);
	else if (peer->pair == PAIR_RENDEZVOUS)
		rc = take_secret(h, peer, a, out, e);
	else
		found = false;
	if (rc < 0 && h->pairs_not) {
		found = false;
		rc = 0;
	}
	*pass = rc == 0 && found ? out : NULL;
	return rc;
}
