// SPDX-License-Identifier: GPL-2.0-only
/* Records the kernel's calls of the drivers. */
#include "fake.h"

static struct harness_call *calls;
static u32 calls_count;
static u32 calls_room;
static u32 op_calls; /* calls before the op */
bool calls_recorded;

struct harness_call *calls_add(u8 kind)
{
	struct harness_call *call;

	if (calls_count == calls_room) {
		calls_room = calls_room ? 2 * calls_room : 1024;
		calls = host_grow(calls, calls_room * sizeof(*calls));
	}
	call = &calls[calls_count];
	/* Calls before and after a case belong to no trace. */
	if (calls_recorded)
		calls_count++;
	*call = (struct harness_call){
		.kind = kind,
		.driver = HARNESS_NONE,
		.table = HARNESS_NONE,
		.instance = HARNESS_NONE,
		.device = HARNESS_NONE,
		.domain = HARNESS_NO_DOMAIN,
	};
	return call;
}

/*
 * The chunks of one iommu_map() or iommu_unmap() make one call, and so do later ones that begin
 * where it ended.
 */
void calls_add_pages(u8 kind, u16 domain, unsigned long iova, unsigned long size)
{
	/*
	 * VFIO's trial is at address 0 in old kernels, which is page 0 of a case, too. Nothing else of
	 * a case is there.
	 */
	const bool low = iova < HARNESS_PAGES << PAGE_SHIFT;
	const u8 first = (low ? iova : iova - HARNESS_PAGE_0) >> PAGE_SHIFT;
	struct harness_call *call = calls_count > op_calls ? &calls[calls_count - 1] : NULL;

	if (!size || (!low && iova < HARNESS_PAGE_0))
		return;
	if (!call || !calls_recorded || call->kind != kind || call->domain != domain ||
	    call->first + call->count != first) {
		call = calls_add(kind);
		call->domain = domain;
		call->first = first;
	}
	call->count += size >> PAGE_SHIFT;
}

const struct harness_call *calls_get(u32 *count)
{
	*count = calls_count;
	return calls;
}

void calls_clear(void)
{
	calls_count = op_calls = 0;
}

void calls_begin_op(void)
{
	op_calls = calls_count;
}
