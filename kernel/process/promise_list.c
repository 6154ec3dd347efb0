// SPDX-License-Identifier: GPL-2.0-only
/* The promises by number, and their order. */
#include <linux/kernel.h>

#include "core_promises.h"
#include "internal.h"
#include "promises.h"

#ifndef CORE_PROMISES
static void nothing(void)
{
}
static const struct promise no_core_promises[] = {
	{ "the core to its drivers", nothing, "the functions of 6.11 and later" },
	{},
};
#endif

static const struct promise *const lists[] = {
#ifdef CORE_PROMISES
	core_groups_promises, core_maps_promises, core_attach_promises, core_defaults_promises,
	core_probe_promises,
#else
	no_core_promises,
#endif
	vfio_promises,
};

static const struct promise *at(unsigned int n)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct promise *promise = lists[i];

		for (; promise->name; promise++)
			if (!n--)
				return promise;
	}
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
