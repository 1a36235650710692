#include "fake_port.h"

#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/key.h"

struct answer {
	const char *command;
	struct output output;
	bool given;
};

struct file {
	const char *path, *text; /* text NULL: a folder */
	size_t len;
	mode_t mode;
	bool gone;
};

struct seed {
	const char *node;
	uint8_t b[SEED_LEN];
};

struct fake {
	struct arena *arena;
	struct answer *answers;
	size_t n_answers, cap_answers;
	struct file *files;
	size_t n_files, cap_files;
	struct seed *seeds;
	size_t n_seeds, cap_seeds;
	struct text log;
};

const char *fake_signature(const uint8_t *seed, const char *line, struct arena *a)
{
	uint8_t public[KEY_LEN], secret[crypto_sign_SECRETKEYBYTES], signature[SIGNATURE_LEN];
	char *hex = arena_alloc(a, SIGNATURE_HEX, 1);

	crypto_sign_seed_keypair(public, secret, seed);
	crypto_sign_detached(signature, NULL, (const uint8_t *)line, strlen(line), secret);
	return sodium_bin2hex(hex, SIGNATURE_HEX, signature, sizeof(signature));
}

struct fake *fake_new(struct arena *a)
{
	struct fake *f = arena_alloc(a, 1, sizeof(*f));

	f->arena = a;
	f->log = text_new(a);
	return f;
}

void fake_answer(struct fake *f, const char *command, int status, const char *out, const char *err)
{
	void *v = f->answers;
	struct answer *answer =
		arena_push(f->arena, &v, f->n_answers, &f->cap_answers, sizeof(*answer));

	f->answers = v;
	f->n_answers++;
	*answer = (struct answer){ command,
		{ .status = status, .out = out, .out_len = strlen(out), .err = err }, false };
}

const char *fake_log(struct fake *f)
{
	const char *log = f->log.s;

	f->log = text_new(f->arena);
	return log;
}

static struct file *find(const struct fake *f, const char *path)
{
	for (size_t i = 0; i < f->n_files; i++)
		if (!f->files[i].gone && strcmp(f->files[i].path, path) == 0)
			return &f->files[i];
	return NULL;
}

static void put(struct fake *f, const char *path, const char *text, size_t len, mode_t mode)
{
	struct file *file = find(f, path);

	if (file == NULL) {
		void *v = f->files;

		file = arena_push(f->arena, &v, f->n_files, &f->cap_files, sizeof(*file));
		f->files = v;
		f->n_files++;
		file->path = arena_dup(f->arena, path);
	}
	file->text = text;
	file->len = len;
	file->mode = mode;
}

void fake_file(struct fake *f, const char *path, const char *text)
{
	put(f, path, text, strlen(text), S_IFREG | 0644);
}

void fake_folder(struct fake *f, const char *path)
{
	put(f, path, NULL, 0, S_IFDIR | 0755);
}

const char *fake_text(const struct fake *f, const char *path)
{
	const struct file *file = find(f, path);

	return file == NULL ? NULL : file->text;
}

void fake_seed(struct fake *f, const char *node, const uint8_t *seed)
{
	struct seed *s =
		arena_push(f->arena, (void **)&f->seeds, f->n_seeds, &f->cap_seeds, sizeof(*s));

	f->n_seeds++;
	s->node = arena_dup(f->arena, node);
	memcpy(s->b, seed, SEED_LEN);
}

static void log_input(struct fake *f, const struct command *c)
{
	size_t at = 0;

	while (at < c->input_len) {
		size_t len = strcspn(c->input + at, "\n");

		text_add(&f->log, "  < ");
		text_addn(&f->log, c->input + at, len);
		text_add(&f->log, "\n");
		at += len + 1;
	}
}

static const struct output *answer_to(struct fake *f, const char *command)
{
	static const struct output none = {
		.status = 127, .out = "", .err = "the test has no answer to it"
	};
	struct answer *last = NULL;

	for (size_t i = 0; i < f->n_answers; i++) {
		struct answer *answer = &f->answers[i];

		if (strcmp(answer->command, command) != 0)
			continue;
		last = answer;
		if (!answer->given)
			break;
	}
	if (last == NULL)
		return &none;
	last->given = true;
	return &last->output;
}

static int fake_run(void *self, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	struct fake *f = self;

	(void)e;
	for (size_t i = 0; i < n; i++) {
		struct text words = text_new(a);

		text_addf(&words, "%s$", cmds[i].jail == NULL ? "host" : cmds[i].jail);
		for (const char *const *word = cmds[i].argv; *word != NULL; word++)
			text_addf(&words, " %s", *word);
		text_addf(&f->log, "%s\n", words.s);
		log_input(f, &cmds[i]);
		outs[i] = *answer_to(f, words.s);
	}
	return 0;
}

static int look_file(const struct fake *f, struct look *v, struct arena *a)
{
	const struct file *file = find(f, v->path);

	if (file == NULL)
		return 1;
	if (file->text == NULL || file->len > v->max)
		return err_set(&v->err, ERR_SYSTEM, NOWHERE, "read %s: refused", v->path);
	v->text = arena_dupn(a, file->text, file->len);
	v->len = file->len;
	return 0;
}

static int look_sign(const struct fake *f, struct look *v, struct arena *a)
{
	for (size_t i = 0; i < f->n_seeds; i++) {
		if (strcmp(f->seeds[i].node, v->place) != 0)
			continue;
		v->text = fake_signature(f->seeds[i].b, v->request, a);
		v->len = strlen(v->text);
		return 0;
	}
	return 1;
}

static int fake_look(void *self, struct look *v, size_t n, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		v[i].rc = -1;
		if (v[i].kind == LOOK_RUN)
			v[i].rc = fake_run(self, &v[i].cmd, 1, a, &v[i].output, e);
		else if (v[i].kind == LOOK_FILE)
			v[i].rc = look_file(self, &v[i], a);
		else if (v[i].kind == LOOK_SIGN)
			v[i].rc = look_sign(self, &v[i], a);
		else
			err_set(&v[i].err, ERR_SYSTEM, NOWHERE, "there are no nodes here");
	}
	return 0;
}

/* Whether there is a folder for the file. */
static bool has_folder(const struct fake *f, const char *path)
{
	const struct file *folder =
		find(f, arena_dupn(f->arena, path, (size_t)(strrchr(path, '/') - path)));

	return folder != NULL && S_ISDIR(folder->mode);
}

static int fake_replace(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	struct fake *f = self;

	(void)jail;
	if (!has_folder(f, path))
		return err_set(e, ERR_SYSTEM, NOWHERE, "write %s: its folder does not exist", path);
	text_addf(&f->log, "replace %s %o\n", path, (unsigned)mode);
	put(f, path, arena_dupn(f->arena, bytes, len), len, S_IFREG | mode);
	return 0;
}

static int fake_create(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	struct fake *f = self;

	(void)jail;
	(void)e;
	if (find(f, path) != NULL)
		return 1;
	text_addf(&f->log, "create %s %o\n", path, (unsigned)mode);
	put(f, path, arena_dupn(f->arena, bytes, len), len, S_IFREG | mode);
	return 0;
}

static int fake_remove(void *self, const char *jail, const char *path, struct err *e)
{
	struct fake *f = self;
	struct file *file = find(f, path);

	(void)jail;
	(void)e;
	text_addf(&f->log, "remove %s\n", path);
	if (file != NULL)
		file->gone = true;
	return 0;
}

static int fake_mkdirs(void *self, const char *jail, const char *path, mode_t mode, struct err *e)
{
	struct fake *f = self;

	(void)jail;
	(void)e;
	text_addf(&f->log, "mkdirs %s %o\n", path, (unsigned)mode);
	fake_folder(f, path);
	return 0;
}

struct port fake_port(struct fake *f)
{
	static const struct port_ops ops = {
		.name = "fake",
		.look = fake_look,
		.run = fake_run,
		.replace = fake_replace,
		.create = fake_create,
		.remove = fake_remove,
		.mkdirs = fake_mkdirs,
	};

	return (struct port){ &ops, f };
}
