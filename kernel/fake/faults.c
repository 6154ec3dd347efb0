// SPDX-License-Identifier: GPL-2.0-only
/* Makes calls in an op fail because the case says so. */
#include "fake.h"

static const struct harness_op *op;
static u8 hits[HARNESS_FAULTS];
static u8 counts[HARNESS_FAIL_DRIVER + 1]; /* of the calls in this op, by kind of fault */

void faults_begin_op(const struct harness_op *next)
{
	op = next;
	memset(hits, 0, sizeof(hits));
	memset(counts, 0, sizeof(counts));
}

int fault_of(u8 kind, u8 target)
{
	for (int i = 0; op && i < HARNESS_FAULTS; i++) {
		const struct harness_fault *fault = &op->faults[i];

		if (fault->kind != kind || fault->target != target)
			continue;
		if (kind == HARNESS_FAIL_ATTACH && fault->count != 255 && hits[i] >= fault->count)
			continue;
		hits[i]++;
		return -fault->error;
	}
	return 0;
}

int fault_of_next(u8 kind)
{
	return fault_of(kind, counts[kind] < 255 ? ++counts[kind] : 0);
}
