/* SPDX-License-Identifier: GPL-2.0-only */
/* devices.c, for module.c. Devices are numbered as fake_devices[]. */
#ifndef IOMMUCHECK_KERNEL_MODULE_H
#define IOMMUCHECK_KERNEL_MODULE_H

#define PCI_BUS 1 /* of harness_device.bus */

extern int booted_devfns[HARNESS_DEVICES]; /* of PCI functions */
int booted_init(void);
int booted_add(int index);
void booted_remove(int index);
void booted_forget_firmware(int index);
int booted_group_id(int index); /* -1: it has none */
/* VFIO gets the devices of the group, or loses them. One that it refuses is left out. */
void booted_bind(int group);
void booted_unbind(int group);

#endif
