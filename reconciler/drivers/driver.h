/* What every driver offers. A driver reaches the world through its port alone. */
#ifndef JMESH_RECONCILER_DRIVERS_DRIVER_H
#define JMESH_RECONCILER_DRIVERS_DRIVER_H

#include "base/port.h"
#include "reconciler/diff.h"
#include "reconciler/item.h"

struct driver_ops {
	const char *name;
	enum item_kind kind;

	/*
	 * Appends what is there to out, for each scope. A scope that cannot be read goes to failed, and of
	 * its items only those to out that may be taken away all the same. It changes nothing. Called again
	 * it forgets what it read before.
	 */
	void (*read)(void *self, const struct strs *scopes, struct arena *a, struct items *out,
		struct failures *failed);

	/*
	 * Carries out changes of one phase and one scope, in the plan's order, after a read. What fails
	 * goes to failed with the key of the change that failed.
	 */
	void (*apply)(void *self, enum phase phase, const char *scope,
		const struct change *const *changes, size_t n, struct arena *a,
		struct failures *failed);

	/* Takes everything of ours out of the scope (teardown). */
	int (*withdraw)(void *self, const char *scope, struct arena *a, struct err *e);

	void (*close)(void *self); /* NULL: nothing to close */
};

struct driver {
	const struct driver_ops *ops;
	void *self;
};

#endif
