/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before every real file. A WARN names its function, and a WARN_ON_ONCE warns every time:
 * one case must not change what the next one sees.
 */
#ifndef HARNESS_ONCE_H
#define HARNESS_ONCE_H

#include <linux/bug.h>
#include <linux/once_lite.h>

void shim_warned(const char *function, const char *file, int line);
#define warn_slowpath_fmt(file, line, taint, ...) shim_warned(__func__, file, line)

#undef DO_ONCE_LITE_IF
#define DO_ONCE_LITE_IF(condition, func, ...) \
	({                                    \
		bool __hit = !!(condition);   \
		if (__hit)                    \
			func(__VA_ARGS__);    \
		unlikely(__hit);              \
	})

#endif
