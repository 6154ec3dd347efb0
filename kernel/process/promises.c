// SPDX-License-Identifier: GPL-2.0-only
/* The promises by number, and the report of one. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "internal.h"
#include "promises.h"

static char report[2048];

void promise_is(const char *file, int line, const char *what, long is, long expected)
{
	const size_t used = strlen(report);

	if (is != expected)
		snprintf(report + used, sizeof(report) - used, "%s:%d: %s: expected %ld, found %ld\n",
			 file, line, what, expected, is);
}

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
	report[0] = 0;
	current_promise = at(n);
	if (host_guard(run) == HARNESS_OOPS)
		return "oops";
	host_disarm();
	return report[0] ? report : NULL;
}
