// SPDX-License-Identifier: GPL-2.0-only
/* The report of a promise. */
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

const char *promise_report(void)
{
	return report[0] ? report : NULL;
}

void promise_begin(void)
{
	report[0] = 0;
}
