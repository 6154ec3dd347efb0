/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of the kernel's kselftest_harness.h as exported tests use, so that they compile and run
 * without a kernel tree: the same macros, one process, KTAP.
 */
#ifndef KSELFTEST_HARNESS_H
#define KSELFTEST_HARNESS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct __test_metadata {
	int failed;
	char why_skipped[256];
};

struct __test_case {
	const char *name;
	void (*run)(struct __test_metadata *metadata, const void *variant);
	struct __test_case *next;
};

struct __test_variant {
	const char *name;
	const void *data;
	struct __test_variant *next;
};

static struct __test_case *__cases;
static struct __test_variant *__variants, **__last_variant = &__variants;

#define FIXTURE_DATA(name) struct __fixture_##name
#define FIXTURE(name) FIXTURE_DATA(name)
#define FIXTURE_VARIANT(name) struct __variant_of_##name
#define FIXTURE_VARIANT_ADD(fixture, name) \
	static const struct __variant_of_##fixture __variant_##name; \
	static struct __test_variant __entry_##name = { #name, &__variant_##name, NULL }; \
	__attribute__((constructor)) static void __add_##name(void) \
	{ \
		*__last_variant = &__entry_##name; \
		__last_variant = &__entry_##name.next; \
	} \
	static const struct __variant_of_##fixture __variant_##name =

#define __FUNCTION_OF(fixture, what) \
	static void __##what##_##fixture(struct __test_metadata *_metadata, \
					 FIXTURE_DATA(fixture) *self, \
					 const struct __variant_of_##fixture *variant)
#define FIXTURE_SETUP(fixture) __FUNCTION_OF(fixture, setup)
#define FIXTURE_TEARDOWN(fixture) \
	__attribute__((unused)) __FUNCTION_OF(fixture, teardown)

#define TEST_F(fixture, name) \
	static void __body_##name(struct __test_metadata *_metadata, FIXTURE_DATA(fixture) *self, \
				  const struct __variant_of_##fixture *variant); \
	static void __run_##name(struct __test_metadata *metadata, const void *variant) \
	{ \
		FIXTURE_DATA(fixture) self; \
\
		memset(&self, 0, sizeof(self)); \
		__setup_##fixture(metadata, &self, variant); \
		if (metadata->failed || *metadata->why_skipped) \
			return; \
		__body_##name(metadata, &self, variant); \
		__teardown_##fixture(metadata, &self, variant); \
	} \
	static struct __test_case __case_##name = { #name, __run_##name, NULL }; \
	__attribute__((constructor)) static void __add_case_##name(void) \
	{ \
		__case_##name.next = __cases; \
		__cases = &__case_##name; \
	} \
	static void __body_##name(struct __test_metadata *_metadata, FIXTURE_DATA(fixture) *self, \
				  const struct __variant_of_##fixture *variant)

#define TH_LOG(format, ...) printf("# " format "\n", ##__VA_ARGS__)
#define SKIP(statement, format, ...) do { \
	snprintf(_metadata->why_skipped, sizeof(_metadata->why_skipped), format, ##__VA_ARGS__); \
	statement; \
} while (0)
#define EXPECT_EQ(expected, seen) do { \
	(void)variant; \
	if ((expected) != (seen)) \
		_metadata->failed = 1; \
} while (0)
#define ASSERT_NE(expected, seen) do { \
	if ((expected) == (seen)) { \
		_metadata->failed = 1; \
		return; \
	} \
} while (0)

static int test_harness_run(int argc, char **argv)
{
	int number = 0, failed = 0, count = 0;

	(void)argc;
	(void)argv;
	for (struct __test_case *test = __cases; test; test = test->next)
		for (struct __test_variant *variant = __variants; variant; variant = variant->next)
			count++;
	printf("TAP version 13\n1..%d\n", count);
	for (struct __test_case *test = __cases; test; test = test->next)
		for (struct __test_variant *variant = __variants; variant; variant = variant->next) {
			struct __test_metadata metadata = { 0, "" };

			test->run(&metadata, variant->data);
			failed |= metadata.failed;
			printf("%sok %d %s.%s%s%s\n", metadata.failed ? "not " : "", ++number,
			       variant->name, test->name, *metadata.why_skipped ? " # SKIP " : "",
			       metadata.why_skipped);
		}
	return failed;
}

#endif
