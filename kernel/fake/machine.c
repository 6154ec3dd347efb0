// SPDX-License-Identifier: GPL-2.0-only
/* The machine of a case, and the state of its instances and devices. */
#include "fake.h"

struct harness_machine fake_machine;
struct fake_instance fake_instances[HARNESS_INSTANCES];
struct fake_device fake_devices[HARNESS_DEVICES];
u8 fake_listed[HARNESS_DEVICES];
int fake_listed_count;

void machine_begin(const struct harness_machine *machine)
{
	fake_machine = *machine;
	fake_listed_count = 0;
	memset(fake_instances, 0, sizeof(fake_instances[0]) * machine->instances_count);
	for (int i = 0; i < machine->devices_count; i++)
		fake_devices[i] = (struct fake_device){ .instance = HARNESS_NONE };
}

void machine_list(u8 device)
{
	fake_devices[device].present = true;
	fake_listed[fake_listed_count++] = device;
}

void machine_unlist(u8 device)
{
	int at = 0;

	fake_devices[device].present = false;
	while (fake_listed[at] != device)
		at++;
	memmove(fake_listed + at, fake_listed + at + 1, --fake_listed_count - at);
}

u8 machine_driver_of(u8 device)
{
	const u8 instance = fake_devices[device].instance;

	return instance == HARNESS_NONE ? HARNESS_NONE : fake_machine.instances[instance].driver;
}
