/*
 * What runs at the other end of a FreeBSD port, inside a jail or on its host: constant scripts for sh(1),
 * started as `sh -c SCRIPT sh ARG...`, of programs of FreeBSD's base system. They answer in lines; a text
 * of somebody else's ends in FREEBSD_END on a line's end, so that a part is never taken for the whole.
 */
#ifndef JMESH_PLATFORM_FREEBSD_SCRIPT_H
#define JMESH_PLATFORM_FREEBSD_SCRIPT_H

#define FREEBSD_END ".\n"
#define FREEBSD_NODES "/var/db/jmesh/nodes"

/* FOLDER: "end" behind the names in it, one a line. Refuses to go on unless it is root. */
extern const char freebsd_script_list[];

/* PATH BYTES: "none", or "file", then at most BYTES bytes, private keys masked, then FREEBSD_END. */
extern const char freebsd_script_read[];

/*
 * PATH MODE LENGTH replace|create: "done", or "exists" where create leaves alone what is there. Standard
 * input is the file, of LENGTH bytes; MODE is octal.
 */
extern const char freebsd_script_write[];

/* PATH. */
extern const char freebsd_script_remove[];

/* PATH UMASK. */
extern const char freebsd_script_mkdirs[];

/*
 * KEY CONF BYTES: "none", or "file MODE UID" with the mode as ls(1) prints it, then what openssl tells of
 * it as a public key, if anything; then "end", or "conf HEX" (the public key of the configuration's own, or
 * "-"), the configuration as in freebsd_script_read, and FREEBSD_END.
 */
extern const char freebsd_script_key[];

/*
 * KEY CONF BYTES LINE: the key file as in freebsd_script_key; then "end" where no key is seen, or "signed HEX",
 * behind which the configuration and FREEBSD_END stand as there if it is the configuration's own key. For HEX
 * there is "old" where openssl is too old to sign, and "-" where it does not for another reason.
 */
extern const char freebsd_script_sign[];

/* KEY CONF: makes the key file; "done" or "exists". */
extern const char freebsd_script_key_make[];

/* "pid N" for each process, "socket ROW" for each row of sockstat(1), "boot VALUE", "end". */
extern const char freebsd_script_node[];

/* SOCKET: "nobody", or "answer", the reply to what is on standard input, a newline and FREEBSD_END. */
extern const char freebsd_script_ask[];

/* LOG: "log BYTES", its size before, and "done". */
extern const char freebsd_script_start[];

/* SOCKET: "done". Takes up to 6 seconds. */
extern const char freebsd_script_stop[];

extern const char freebsd_script_boot[];

/* LOG FROM: the last line of it behind that offset. */
extern const char freebsd_script_last[];

#endif
