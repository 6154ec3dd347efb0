/* SPDX-License-Identifier: GPL-2.0-only */
/* Like asm/current.h: there is one thread, and we define its thread_info. */
#include_next <asm/thread_info.h>
#ifndef HARNESS_THREAD_INFO_H
#define HARNESS_THREAD_INFO_H
#ifndef CONFIG_THREAD_INFO_IN_TASK
extern struct thread_info harness_thread_info;
#define current_thread_info() (&harness_thread_info)
#endif
#endif
