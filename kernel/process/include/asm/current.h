/* SPDX-License-Identifier: GPL-2.0-only */
/* UML finds the current task by the stack pointer, which does not work on a process's stack. */
#ifndef __ASM_CURRENT_H
#define __ASM_CURRENT_H

struct task_struct;
extern struct task_struct *harness_current;
#define current harness_current

#endif
