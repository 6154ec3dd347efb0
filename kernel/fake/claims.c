// SPDX-License-Identifier: GPL-2.0-only
/* What drivers do to the buses when an instance comes or goes, up to and including 6.0. */
#include "fake.h"

#ifdef HARNESS_HAVE_BUS_SET_IOMMU
/* Whether firmware put the device behind a registered instance of the driver. */
static bool is_behind(u8 device, u8 driver)
{
	for (int i = 0; i < HARNESS_MASTERS; i++) {
		const u8 master = fake_machine.devices[device].masters[i];

		if (master != HARNESS_NONE && fake_machine.instances[master].driver == driver &&
		    fake_instances[master].registered)
			return true;
	}
	return false;
}

/* Like Intel's driver with the devices of the ACPI namespace; an error ends this. */
static void store(struct bus_type *bus, u8 driver)
{
	for (int at = 0; at < fake_listed_count; at++) {
		struct device *dev = fake_devices[fake_listed[at]].dev;

		if (dev->bus != bus || dev->iommu_group || !is_behind(fake_listed[at], driver))
			continue;
		bus->iommu_ops = driver_ops(driver);
		if (iommu_probe_device(dev))
			return;
	}
}

static int claim_bus(u8 driver, u8 number)
{
	const struct iommu_ops *own = driver_ops(driver);
	struct bus_type *bus = host_bus(number);

	if (!bus)
		return 0;
	switch (fake_machine.drivers[driver].claims[number]) {
	case HARNESS_CLAIM_STRICT:
		return bus_set_iommu(bus, own);
	case HARNESS_CLAIM_OWN_OK:
		return bus->iommu_ops == own ? 0 : bus_set_iommu(bus, own);
	case HARNESS_CLAIM_SKIP:
		return iommu_present(bus) ? 0 : bus_set_iommu(bus, own);
	case HARNESS_CLAIM_IGNORE:
		bus_set_iommu(bus, own);
		return 0;
	case HARNESS_CLAIM_STORE:
		store(bus, driver);
		return 0;
	}
	return 0;
}

static bool all_registered(u8 driver)
{
	for (int i = 0; i < fake_machine.instances_count; i++)
		if (fake_machine.instances[i].driver == driver && !fake_instances[i].registered)
			return false;
	return true;
}

/* Sets the first `count` buses that the driver claims to NULL. */
static void give_up_buses(u8 driver, int count)
{
	const struct harness_driver *d = &fake_machine.drivers[driver];

	for (int i = 0; i < count; i++)
		if (d->claims[d->claim_order[i]] != HARNESS_CLAIM_NONE && host_bus(d->claim_order[i]))
			bus_set_iommu(host_bus(d->claim_order[i]), NULL);
}

int claims_take(u8 driver)
{
	const struct harness_driver *d = &fake_machine.drivers[driver];

	if (d->claims_once && !all_registered(driver))
		return 0;
	for (int i = 0; i < HARNESS_BUSES; i++) {
		const int ret = claim_bus(driver, d->claim_order[i]);

		if (!ret)
			continue;
		if (d->unwinds)
			give_up_buses(driver, i);
		return ret;
	}
	return 0;
}

void claims_clear(u8 driver)
{
	if (fake_machine.drivers[driver].clears)
		give_up_buses(driver, HARNESS_BUSES);
}
#else
int claims_take(u8 driver)
{
	return 0;
}
void claims_clear(u8 driver)
{
}
#endif
