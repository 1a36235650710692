/*
 * Criterion 2.4.1 loses 48 bytes of its own when it runs tests side by side, which would fail the
 * sanitized run. Leaks are looked for where the tests run, in the processes that it starts, and not in
 * the one that starts them.
 */
#include <stdlib.h>

int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
	return getenv("BXFI_MAP") == NULL;
}
