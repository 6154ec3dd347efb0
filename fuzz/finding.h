// SPDX-License-Identifier: Apache-2.0
//
// How a fuzz target says that it has found something.
//
// Environment:
//   IOMMUCHECK_INBOX=folder   Fail() puts the input and the report there, for ./dev fuzz --forever
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

namespace iommucheck::fuzzing {

// Prints a line in the form of a failed assert() of glibc, then the report, and aborts:
//
//   attach: fuzzing.cc:231: Assertion `no-leaked-pin on v6-12' failed.
//
// Fleets such as ClusterFuzz tell findings apart by the stack, which is the same for all findings of
// a target, except after such a line: then by `what`. So it must be the same for the same bug,
// whatever the input, and differ for another. Digits after a dot would be folded into one number
// there, so the dots of versions become dashes.
//
// With an inbox: writes the report to ID.txt and then the input to ID.input there, each whole or not
// at all, and ends the process without a dump. While the disk is full it waits, so that nothing is
// lost but by killing it.
[[noreturn]] void Fail(std::string_view what, std::string_view report,
                       const std::source_location& where = std::source_location::current());

// That line alone.
std::string AssertionLine(std::string_view what, const std::source_location& where);

// The input that is tested from now on, for Fail(). The bytes must outlive the test.
void NoteInput(const uint8_t* data, size_t size);

// To be called by each target's LLVMFuzzerInitialize(), for ReproduceText().
void SetTarget(int argc, const char* const* argv);

// How to run the input again: the variables that are set, the target, the command line with its
// options, the tool's version and commit. The caller's report ends with it.
std::string ReproduceText();

}  // namespace iommucheck::fuzzing
