/* SPDX-License-Identifier: GPL-2.0-only */
/* devices.c, for module.c. Devices have their numbers in fake_devices[]. */
#ifndef IOMMUCHECK_KERNEL_MODULE_H
#define IOMMUCHECK_KERNEL_MODULE_H

#define PCI_BUS 1 /* value of harness_device.bus */

extern int booted_devfns[HARNESS_DEVICES]; /* for PCI functions */
int booted_init(void);
int booted_add(int index);
void booted_remove(int index);
int booted_configure(int index); /* dma_configure() of a driver that binds */
void booted_forget_firmware(int index);
int booted_group_id(int index); /* -1: it has no group */
/* Gives VFIO the devices of the group, or takes them away. Skips devices that VFIO refuses. */
void booted_bind(int group);
void booted_unbind(int group);

#endif
