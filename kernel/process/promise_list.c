// SPDX-License-Identifier: GPL-2.0-only
/* The promises by number. */
#include <linux/kernel.h>

#include "internal.h"
#include "promises.h"

static const struct promise *at(unsigned int n)
{
	const struct promise *promise = core_promises;

	for (; promise->name; promise++)
		if (!n--)
			return promise;
	for (promise = vfio_promises; promise->name; promise++)
		if (!n--)
			return promise;
	return NULL;
}

const char *promises_name(unsigned int n)
{
	return at(n) ? at(n)->name : NULL;
}

const char *promises_lack(unsigned int n)
{
	return at(n)->lacks;
}

static const struct promise *current_promise;
static int run(void)
{
	current_promise->check();
	return 0;
}

const char *promises_check(unsigned int n)
{
	promise_begin();
	current_promise = at(n);
	if (host_guard(run) == HARNESS_OOPS)
		return "oops";
	host_disarm();
	return promise_report();
}
