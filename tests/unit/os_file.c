#include "tests/unit/os_tmp.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/file.h"

TestSuite(file, .init = setup, .fini = teardown, .timeout = 60);

/* The folder's files, each followed by a newline. */
static const char *listing(void)
{
	struct dirent **entries;
	struct text t = text_new(arena);
	int n = scandir(dir, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
			text_addf(&t, "%s\n", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return t.s;
}

static const char *content(const char *path)
{
	const char *text = NULL;
	size_t len;

	return file_read(path, 1 << 20, arena, &text, &len, &e) == 0 ? text : "(none)";
}

Test(file, replace_makes_and_replaces_with_the_mode_asked_for)
{
	const char *path = in_dir("f");
	mode_t mode;
	uid_t uid;

	umask(077);
	cr_assert_eq(file_replace(path, "one", 3, 0644, &e), 0, "%s", e.text);
	cr_assert_str_eq(content(path), "one");
	cr_assert_eq(file_stat(path, &mode, &uid, &e), 0);
	cr_assert_eq(mode & 07777, 0644);
	cr_assert_eq(uid, geteuid());
	cr_assert_eq(file_replace(path, "", 0, 0600, &e), 0);
	cr_assert_str_eq(content(path), "");
	cr_assert_eq(file_stat(path, &mode, &uid, &e), 0);
	cr_assert_eq(mode & 07777, 0600);
	cr_assert_str_eq(listing(), "f\n");
}

Test(file, replace_replaces_a_link_and_not_what_it_points_at)
{
	cr_assert_eq(file_replace(in_dir("target"), "old", 3, 0600, &e), 0);
	cr_assert_eq(symlink("target", in_dir("link")), 0);
	cr_assert_eq(file_replace(in_dir("link"), "new", 3, 0600, &e), 0);
	cr_assert_str_eq(content(in_dir("target")), "old");
	cr_assert_str_eq(content(in_dir("link")), "new");
}

Test(file, replace_fails_where_there_is_no_folder)
{
	cr_assert_eq(file_replace(in_dir("no/f"), "x", 1, 0600, &e), -1);
	cr_assert_str_eq(
		e.text, arena_printf(arena, "write %s: its folder does not exist", in_dir("no/f")));
}

Test(file, replace_works_beside_the_working_folder)
{
	cr_assert_eq(chdir(dir), 0);
	cr_assert_eq(file_replace("f", "x", 1, 0600, &e), 0);
	cr_assert_str_eq(content(in_dir("f")), "x");
}

Test(file, create_never_replaces)
{
	const char *path = in_dir("key");

	cr_assert_eq(file_create(path, "first", 5, 0600, &e), 0, "%s", e.text);
	cr_assert_eq(file_create(path, "second", 6, 0600, &e), 1);
	cr_assert_str_eq(content(path), "first");
	cr_assert_eq(symlink("nowhere", in_dir("link")), 0);
	cr_assert_eq(file_create(in_dir("link"), "x", 1, 0600, &e), 1);
	cr_assert_str_eq(listing(), "key\nlink\n");
}

Test(file, what_a_killed_writer_left_is_swept_and_never_written_into)
{
	/* As when create was killed between giving the file its name and taking the other away. */
	cr_assert_eq(file_create(in_dir("key"), "secret", 6, 0600, &e), 0);
	cr_assert_eq(rename(in_dir("key"), in_dir("kept")), 0);
	cr_assert_eq(link(in_dir("kept"), in_dir(".key.tmp")), 0);
	cr_assert_eq(file_create(in_dir("key"), "other", 5, 0600, &e), 0, "%s", e.text);
	cr_assert_str_eq(content(in_dir("kept")), "secret");
	cr_assert_str_eq(content(in_dir("key")), "other");
	/* And a link that somebody put there is not followed. */
	cr_assert_eq(symlink("kept", in_dir(".key.tmp")), 0);
	cr_assert_eq(file_replace(in_dir("key"), "third", 5, 0600, &e), 0, "%s", e.text);
	cr_assert_str_eq(content(in_dir("kept")), "secret");
	cr_assert_str_eq(content(in_dir("key")), "third");
	cr_assert_str_eq(listing(), "kept\nkey\n");
}

Test(file, writers_side_by_side_never_mix)
{
	enum { WRITERS = 4, ROUNDS = 40, SIZE = 20000 };
	static char bytes[SIZE];
	pid_t pids[WRITERS];

	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork();
		if (pids[w] != 0)
			continue;
		memset(bytes, 'a' + w, SIZE);
		for (int i = 0; i < ROUNDS; i++)
			if (file_replace(in_dir("f"), bytes, SIZE, 0600, &e) < 0)
				_exit(1);
		_exit(0);
	}
	for (int w = 0; w < WRITERS; w++) {
		int status;

		waitpid(pids[w], &status, 0);
		cr_assert_eq(status, 0);
	}
	cr_assert_eq(strlen(content(in_dir("f"))), SIZE);
	cr_assert_eq(strspn(content(in_dir("f")), (char[]){ content(in_dir("f"))[0], 0 }), SIZE);
	cr_assert_str_eq(listing(), "f\n");
}

Test(file, of_creators_side_by_side_one_wins)
{
	enum { N = 8 };
	pid_t pids[N];
	int created = 0;

	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(file_create(in_dir("key"), "k", 1, 0600, &e) == 0 ? 10 : 11);
	}
	for (int i = 0; i < N; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		created += WEXITSTATUS(status) == 10;
	}
	cr_assert_eq(created, 1);
}

Test(file, killed_at_any_moment_the_file_is_whole_and_nothing_piles_up)
{
	static char bytes[50000];

	memset(bytes, 'x', sizeof(bytes));
	cr_assert_eq(file_replace(in_dir("f"), bytes, sizeof(bytes), 0600, &e), 0);
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				file_replace(in_dir("f"), bytes, sizeof(bytes), 0600, &e);
		clock_nap_us(300 + 170 * i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		cr_assert_eq(strlen(content(in_dir("f"))), sizeof(bytes));
	}
	cr_assert_eq(file_replace(in_dir("f"), "y", 1, 0600, &e), 0);
	cr_assert_str_eq(listing(), "f\n");
}

Test(file, read_refuses_what_is_no_file_of_that_size)
{
	const char *text;
	size_t len;

	cr_assert_eq(file_read(in_dir("none"), 10, arena, &text, &len, &e), 1);
	cr_assert_eq(file_read(dir, 10, arena, &text, &len, &e), -1);
	cr_assert_str_eq(e.text, arena_printf(arena, "%s is a folder, not a file", dir));
	cr_assert_eq(mkfifo(in_dir("fifo"), 0600), 0);
	cr_assert_eq(file_read(in_dir("fifo"), 10, arena, &text, &len, &e), -1);
	cr_assert_eq(file_read("/dev/zero", 10, arena, &text, &len, &e), -1);
	cr_assert_eq(file_replace(in_dir("f"), "12345\0007890", 10, 0600, &e), 0);
	cr_assert_eq(file_read(in_dir("f"), 10, arena, &text, &len, &e), 0);
	cr_assert_eq(len, 10);
	cr_assert_eq(memcmp(text, "12345\0007890", 11), 0);
	cr_assert_eq(file_read(in_dir("f"), 9, arena, &text, &len, &e), -1);
	cr_assert_str_eq(e.text, arena_printf(arena, "%s is larger than 9 bytes", in_dir("f")));
	cr_assert_eq(file_read("/proc/self/status", 9, arena, &text, &len, &e), -1);
	cr_assert_eq(file_read("/proc/self/status", 1 << 16, arena, &text, &len, &e), 0);
	cr_assert_gt(len, 500);
}

Test(file, remove_is_content_with_nothing_there)
{
	cr_assert_eq(file_replace(in_dir("f"), "x", 1, 0600, &e), 0);
	cr_assert_eq(file_remove(in_dir("f"), &e), 0);
	cr_assert_eq(file_remove(in_dir("f"), &e), 0);
	cr_assert_eq(file_remove(dir, &e), -1);
}

Test(file, remove_takes_what_a_killed_create_left_with_both_its_names)
{
	cr_assert_eq(file_create(in_dir("f"), "x", 1, 0600, &e), 0);
	cr_assert_eq(link(in_dir("f"), in_dir(".f.tmp")), 0);
	cr_assert_eq(file_remove(in_dir("f"), &e), 0);
	cr_assert_eq(access(in_dir("f"), F_OK), -1);
	cr_assert_eq(access(in_dir(".f.tmp"), F_OK), -1);
}

Test(file, mkdirs_makes_what_is_missing)
{
	mode_t mode;
	uid_t uid;

	umask(077);
	cr_assert_eq(file_mkdirs(in_dir("a//b/c/"), 0755, &e), 0, "%s", e.text);
	cr_assert_eq(file_mkdirs(in_dir("a/b/c"), 0700, &e), 0);
	cr_assert_eq(file_stat(in_dir("a/b/c"), &mode, &uid, &e), 0);
	cr_assert_eq(mode & 07777, 0755);
	cr_assert_eq(file_replace(in_dir("f"), "x", 1, 0600, &e), 0);
	cr_assert_eq(file_mkdirs(in_dir("f/d"), 0755, &e), -1);
	cr_assert_eq(file_stat(in_dir("none"), &mode, &uid, &e), 1);
}
