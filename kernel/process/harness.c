// SPDX-License-Identifier: GPL-2.0-only
/* The interface of the library. */
#include <linux/iommu.h>
#include <linux/sched.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

static const struct harness_op *op;
static u16 held_pins; /* pins after the op before */
static u16 held_locked;
static int objects_at_rest;
static int references_at_rest[HARNESS_REFERENCES];

static int references(int kind)
{
	return kind == HARNESS_REF_SYSFS ? sysfs_entries : shim_references(kind);
}

static void begin(const struct harness_machine *machine)
{
	const struct harness_settings *settings = &machine->settings;

	fake_begin(machine);
	shim_begin();
	memory_begin();
	type1_parameters(settings->unsafe_interrupts, settings->dma_entries,
			 settings->small_pages);
	if (settings->passthrough)
		iommu_set_default_passthrough(false);
	else
		iommu_set_default_translated(false);
	held_pins = held_locked = 0;
	objects_at_rest = host_objects;
	for (int i = 0; i < HARNESS_REFERENCES; i++)
		references_at_rest[i] = references(i);
	calls_recorded = true;
	devices_begin();
	ops_begin();
	extra_begin();
}

/* Records how many pages of user memory are pinned and locked, if that has changed. */
static void record_held(void)
{
	const u16 pinned = memory_pins;
	const u16 locked = shim_locked();
	struct harness_call *call;

	if (pinned == held_pins && locked == held_locked)
		return;
	call = calls_add(HARNESS_HELD);
	call->pins = held_pins = pinned;
	call->locked = held_locked = locked;
}

static int play(void)
{
	extra_before(op);
	return ops_play(op);
}

static int harness_op(const struct harness_op *next)
{
	int ret;

	op = next;
	fake_begin_op(op);
	ret = host_guard(play);
	fake_begin_op(NULL);
	host_disarm();
	if (ret != HARNESS_OOPS)
		record_held();
	return ret;
}

static int number_of(const struct iommu_domain *domain)
{
	struct fake_domain *fake;

	for (fake = fake_domains; fake; fake = fake->next)
		if (&fake->domain == domain)
			return fake->number;
	return -1;
}

static void end(struct harness_end *end)
{
	struct fake_domain *domain;

	for (int i = 0; i < fake_machine.devices_count; i++) {
		struct iommu_group *group = fake_devices[i].dev->iommu_group;
		const struct core_group state = core_group(group);

		end->group[i] = group ? iommu_group_id(group) : -1;
		end->domain[i] = number_of(state.domain);
		end->default_domain[i] = number_of(state.default_domain);
		end->owner_cnt[i] = state.owner_cnt;
		end->owned[i] = state.owned;
	}
	end->domains = fake_domains_count;
	end->warns = shim_warns_total;
	end->mapped_count = 0;
	for (domain = fake_domains; domain; domain = domain->next) {
		const u64 pages = table_pages(domain->table);

		if (pages && end->mapped_count < HARNESS_DOMAINS)
			end->mapped[end->mapped_count++] =
				(struct harness_mapped){ domain->number, pages };
	}
}

static int tear_down(void)
{
	extra_end();
	groups_end();
	events_work();
	devices_end();
	events_work();
	return 0;
}

static int finish(struct harness_leaks *leaks)
{
	int ret;

	calls_recorded = false;
	shim_end();
	ret = host_guard(tear_down);
	leaks->domains = fake_domains_count;
	leaks->objects = host_objects - objects_at_rest;
	leaks->written = host_empty_quarantine();
	leaks->locks = host_locks;
	for (int i = 0; i < HARNESS_REFERENCES; i++)
		leaks->references[i] = references(i) - references_at_rest[i];
	/*
	 * Before 6.1 a probe by a second notifier takes a reference that nobody drops, and a release of
	 * a device that no driver serves drops one that nobody took.
	 */
	leaks->references[HARNESS_REF_MODULE] += fake_released_unserved - fake_probed_again;
	leaks->pins = memory_pins;
	leaks->locked = shim_locked();
	return ret;
}

const struct harness *harness_open(u32 version, u32 flags)
{
	static struct harness interface = {
		.name = HARNESS_TREE_NAME,
		.flavour = HARNESS_FLAVOUR,
		.features = HARNESS_FEATURES,
		.fits = devices_misfit,
		.begin = begin,
		.op = harness_op,
		.calls = calls_get,
		.warns = shim_warns,
		.end = end,
		.finish = finish,
	};

	if (version != HARNESS_VERSION)
		return NULL;
	host_catches_oops = flags & HARNESS_CATCH_OOPS;
	shim_cookie_fails = flags & HARNESS_COOKIE_FAILS;
	if (!interface.buses) {
		shim_init();
		buses_make();
		core_init();
		vfio_start();
		type1_init();
		interface.buses = buses_there();
		interface.extra = extra_interface();
	}
	return &interface;
}
