/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel promises to drivers, checked by calls of its exported functions. The machine is the
 * one that begin() has made; a promise may change it.
 */
#ifndef IOMMUCHECK_KERNEL_PROMISES_H
#define IOMMUCHECK_KERNEL_PROMISES_H

struct promise {
	const char *name;
	void (*check)(void);
	const char *lacks; /* NULL, or what this kernel does not have for it */
};
/* A list of promises ends with one without a name. */
extern const struct promise vfio_promises[];

void promise_is(const char *file, int line, const char *what, long is, long expected);
#define IS(what, expected) \
	promise_is(__FILE_NAME__, __LINE__, #what, (long)(what), (long)(expected))
/* The condition holds. */
#define HOLDS(what) IS(!!(what), 1)
/* How many WARNs a statement makes. */
#define WARNS(count, ...)                                                     \
	do {                                                                  \
		shim_catch_warns(true);                                       \
		__VA_ARGS__;                                                  \
		promise_is(__FILE_NAME__, __LINE__, "WARNs of " #__VA_ARGS__, \
			   shim_catch_warns(false), count);                   \
	} while (0)
/* Kernels differ in whether a statement WARNs. */
#define MAY_WARN(...)                    \
	do {                             \
		shim_catch_warns(true);  \
		__VA_ARGS__;             \
		shim_catch_warns(false); \
	} while (0)
/* The n-th call of this kind fails from here on, n from 1 on, until the statement returns 0. */
#define FAILS_UNTIL_0(arm, error, what)                                     \
	do {                                                                \
		int n_ = 1;                                                 \
		long ret_;                                                  \
		for (;; n_++) {                                             \
			const int objects_ = host_objects;                  \
			const int entries_ = sysfs_entries;                 \
			host_armed[arm] = n_;                               \
			ret_ = (long)(what);                                \
			host_disarm();                                      \
			if (!ret_ || n_ > 40)                               \
				break;                                      \
			IS(ret_, error);                                    \
			IS(host_objects, objects_);                         \
			IS(sysfs_entries, entries_);                        \
		}                                                           \
		HOLDS(n_ > 1);                                              \
		IS(ret_, 0);                                                \
	} while (0)

void promise_begin(void);
const char *promise_report(void); /* NULL: nothing is wrong */

const char *promises_name(unsigned int n);
const char *promises_lack(unsigned int n);
const char *promises_check(unsigned int n);

#endif
