// SPDX-License-Identifier: Apache-2.0
//
// Does nothing: shows the cost of the engine itself, for comparison with the other targets.
#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* /*data*/, size_t /*size*/) { return 0; }
