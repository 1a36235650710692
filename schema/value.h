/* What a single value of the mesh file may be. */
#ifndef JMESH_SCHEMA_VALUE_H
#define JMESH_SCHEMA_VALUE_H

#include <stdbool.h>

/* Why a value is refused: "'VALUE' ..." goes on with text; hint or NULL. Both are constants. */
struct fault {
	const char *text, *hint;
};

/* Each: true, or false with the fault set. */
bool value_label(const char *s, struct fault *f);
bool value_path(const char *s, struct fault *f);      /* absolute */
bool value_ssh(const char *s, struct fault *f);       /* "user@host" or "host" */
bool value_port(const char *s, struct fault *f);      /* 1 to 65535 */
bool value_home_path(const char *s, struct fault *f); /* absolute, or beginning with "~/" */
bool value_interface(
	const char *s, struct fault *f);          /* 1 to 15 of letters, digits, '_', '-', '.' */
bool value_table(const char *s, struct fault *f); /* 1 to 31 of letters, digits, '_' */
bool value_zone(const char *s, struct fault *f);  /* labels with dots between, at most 200 */
bool value_code(const char *s, struct fault *f);
bool value_variable(const char *s, struct fault *f); /* a name in the environment */
bool value_ipv4(const char *s, struct fault *f);     /* a jail's own address */
bool value_node(const char *s, struct fault *f);     /* an address in 200::/8 */
bool value_key(const char *s, struct fault *f);      /* 64 hexadecimal digits */
bool value_listen(const char *s, struct fault *f);   /* Listen of Yggdrasil */
bool value_peer(const char *s, struct fault *f);     /* Peers of Yggdrasil */
bool value_url(const char *s, struct fault *f);      /* of a relay */

/* Whether YAML reads the word, without quotes, as something else than text. */
bool value_is_no_text(const char *s);

#endif
