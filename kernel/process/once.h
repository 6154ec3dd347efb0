/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before every real file. A WARN names its function, and a WARN_ON_ONCE warns every time:
 * one case must not change what the next one sees. Assertions about locks are checked.
 */
#ifndef HARNESS_ONCE_H
#define HARNESS_ONCE_H

/*
 * A mutant may have the compiler see that a size is wrong. It then stops when it runs, by a function
 * that the harness lacks, and the other mutants of the file compile.
 */
#ifdef HARNESS_HAS_MUTANTS
#undef __compiletime_error
#define __compiletime_error(message)
#endif

#include <linux/bug.h>
#include <linux/lockdep.h>
#if __has_include(<linux/once_lite.h>)
#include <linux/once_lite.h>
#else
/* Up to and including 5.10. */
#undef WARN_ON_ONCE
#define WARN_ON_ONCE(condition) WARN_ON(condition)
#undef WARN_ONCE
#define WARN_ONCE(condition, ...) WARN(condition, __VA_ARGS__)
#endif

void shim_warned(const char *function, const char *file, int line);
#define warn_slowpath_fmt(file, line, taint, ...) shim_warned(__func__, file, line)

/* A lock that is not held is a WARN, as with CONFIG_LOCKDEP. */
void shim_assert_held(const void *lock, const char *function, const char *file, int line);
#undef lockdep_assert_held
#define lockdep_assert_held(lock) shim_assert_held(lock, __func__, __FILE__, __LINE__)

/* So are spin locks, which one processor does not have. */
#include <linux/spinlock.h>
void shim_spin_lock(const void *lock);
void shim_spin_unlock(const void *lock);
#undef spin_lock_irqsave
#define spin_lock(lock) shim_spin_lock(lock)
#define spin_lock_bh(lock) shim_spin_lock(lock)
#define spin_lock_irq(lock) shim_spin_lock(lock)
#define spin_lock_irqsave(lock, flags) \
	do {                           \
		(flags) = 0;           \
		shim_spin_lock(lock);  \
	} while (0)
#define spin_unlock(lock) shim_spin_unlock(lock)
#define spin_unlock_bh(lock) shim_spin_unlock(lock)
#define spin_unlock_irq(lock) shim_spin_unlock(lock)
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), shim_spin_unlock(lock))

#undef DO_ONCE_LITE_IF
#define DO_ONCE_LITE_IF(condition, func, ...) \
	({                                    \
		bool __hit = !!(condition);   \
		if (__hit)                    \
			func(__VA_ARGS__);    \
		unlikely(__hit);              \
	})

#endif
