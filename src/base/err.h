/*
 * Errors: 0 or -1 is returned, the sentence for the user is left in a struct err.
 *
 * The text may hold bytes that a peer or a file chose; it is escaped where it is printed
 * (text_safe), never before.
 */
#ifndef JMESH_BASE_ERR_H
#define JMESH_BASE_ERR_H

enum err_code {
	ERR_NONE = 0,
	ERR_USAGE,       /* the command line */
	ERR_CONFIG,      /* the mesh file, the lock or another file of the user's */
	ERR_SYSTEM,      /* the operating system or a program refused */
	ERR_REMOTE,      /* the relay or a peer sent what is refused, or did not answer */
	ERR_BUSY,        /* another jmesh holds the state */
	ERR_INTERRUPTED, /* SIGINT or SIGTERM */
};

/* A place in the mesh file, counted from 1; 0 when there is none. Columns count characters. */
struct loc {
	int line, col;
};

#define NOWHERE ((struct loc){ 0, 0 })

struct err {
	enum err_code code;
	struct loc at;
	char text[1024]; /* a longer sentence ends in "..." */
};

#define ERR_INIT ((struct err){ .code = ERR_NONE })

/* Sets the error and returns -1. */
int err_set(struct err *e, enum err_code code, struct loc at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "FMT: " before the sentence that is there and returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ERR_SYSTEM with ": strerror(errno)" at the end; returns -1. Call it before anything is closed. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
