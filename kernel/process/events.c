// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifier chains, work that is done later, and waiting: of kernel/notifier.c, kernel/workqueue.c and
 * kernel/sched what the real files need before 6.1.y.
 */
#include <linux/kthread.h>
#include <linux/notifier.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "internal.h"

int blocking_notifier_chain_register(struct blocking_notifier_head *chain,
				     struct notifier_block *block)
{
	struct notifier_block **link = (struct notifier_block **)&chain->head;

	down_write(&chain->rwsem);
	while (*link && (*link)->priority >= block->priority)
		link = (struct notifier_block **)&(*link)->next;
	block->next = *link;
	*link = block;
	up_write(&chain->rwsem);
	return 0;
}

int blocking_notifier_chain_unregister(struct blocking_notifier_head *chain,
				       struct notifier_block *block)
{
	struct notifier_block **link = (struct notifier_block **)&chain->head;
	int ret = -ENOENT;

	down_write(&chain->rwsem);
	while (*link && *link != block)
		link = (struct notifier_block **)&(*link)->next;
	if (*link) {
		*link = block->next;
		ret = 0;
	}
	up_write(&chain->rwsem);
	return ret;
}

int blocking_notifier_call_chain(struct blocking_notifier_head *chain, unsigned long action,
				 void *data)
{
	struct notifier_block *block;
	struct notifier_block *next;
	int ret = NOTIFY_DONE;

	if (!chain->head)
		return ret;
	down_read(&chain->rwsem);
	for (block = chain->head; block && !(ret & NOTIFY_STOP_MASK); block = next) {
		next = block->next;
		ret = block->notifier_call(block, action, data);
	}
	up_read(&chain->rwsem);
	return ret;
}

/* --- waiting: nothing else runs, so that a fatal signal ends it --- */

static bool waited;

/* wait_event() of what does not hold yet. The model takes no op that would come to this. */
void init_wait_entry(struct wait_queue_entry *entry, int flags)
{
	host_die("wait_event", "the kernel waits, and nobody can end this");
}
void prepare_to_wait(struct wait_queue_head *queue, struct wait_queue_entry *entry, int state)
{
}
void schedule(void)
{
	waited = true;
}
void finish_wait(struct wait_queue_head *queue, struct wait_queue_entry *entry)
{
}
int autoremove_wake_function(struct wait_queue_entry *entry, unsigned int mode, int sync,
			     void *key)
{
	return 0;
}
/* Whoever waits asks this beside the signals. */
bool kthread_should_stop(void)
{
	return waited;
}

/* --- work --- */

struct workqueue_struct *system_wq;
static LIST_HEAD(work);

bool queue_work_on(int cpu, struct workqueue_struct *queue, struct work_struct *item)
{
	list_add_tail(&item->entry, &work);
	return true;
}

void events_work(void)
{
	waited = false;
	while (!list_empty(&work)) {
		struct work_struct *item = list_first_entry(&work, struct work_struct, entry);

		list_del_init(&item->entry);
		item->func(item);
	}
}
