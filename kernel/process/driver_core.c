// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree's drivers/base/dd.c, unmodified: a driver binds to a device, and unbinds. ABSTRACTION:
 * there are no links between devices, no devres, pinctrl or power management, and no list of
 * devices whose probe was deferred; whoever deferred it tries again.
 */
#include <linux/acpi.h>
#include <linux/device.h>
#include <linux/notifier.h>

#include "internal.h"

/* Up to and including 6.2; later bus_notify(). */
#define blocking_notifier_call_chain(chain, action, dev) buses_notify(action, dev)

#include "drivers/base/dd.c"

static struct device_private privates[HARNESS_DEVICES];

/* What device_add() and driver_register() make. */
void binding_make_device(struct device *dev, int i)
{
	privates[i] = (struct device_private){ .device = dev };
	INIT_LIST_HEAD(&privates[i].deferred_probe);
	INIT_LIST_HEAD(&dev->devres_head);
	dev->p = &privates[i];
#ifdef HARNESS_HAVE_READY_TO_PROBE
	dev_set_ready_to_probe(dev);
#endif
}

/* Whether the device is between device_add() and device_del(). */
void binding_list_device(struct device *dev, int there)
{
	dev->kobj.state_in_sysfs = there;
}

void binding_make_driver(struct device_driver *driver)
{
	static struct driver_private of_all;

	driver->p = &of_all;
}

/* lib/klist.c, of which dd.c needs no more than whether a device is on a list. */
void klist_add_tail(struct klist_node *node, struct klist *list)
{
	node->n_klist = list;
}
void klist_remove(struct klist_node *node)
{
	node->n_klist = NULL;
}
int klist_node_attached(struct klist_node *node)
{
	return node->n_klist != NULL;
}
