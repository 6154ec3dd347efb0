/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Included by the mutated copies of the kernel's files. Each place that is mutated asks whether its
 * mutant is the one that runs; asking also records that the place was reached.
 */
#ifndef IOMMUCHECK_MUTANT_H
#define IOMMUCHECK_MUTANT_H

enum { HARNESS_MUTANTS = 16384 };

extern unsigned int harness_mutant; /* 0: none, the kernel's own code */
extern unsigned char harness_reached[HARNESS_MUTANTS];

static inline int mutant_is(unsigned int number) {
  harness_reached[number] = 1;
  return harness_mutant == number;
}

#endif
