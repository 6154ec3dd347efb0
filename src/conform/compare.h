// SPDX-License-Identifier: Apache-2.0
//
// Whether two traces of a case agree (src/conform/trace.h). The comparison covers the following,
// and is lenient where this list says so:
//   - Every errno; of the calls kind, order, driver, instance, device, domain and result.
//   - `alloc`: the table and the device only where both columns name them. Up to and including 6.10
//     the core allocates by bus, default domains up to and including 6.1, and names no device; and
//     a recorder need not know the tables.
//   - `detach`: made up to and including 6.1, never by the model of a later kernel. A trace that
//     has one where the other has none differs.
//   - Static identity and blocked domains are not allocated, so drivers under test must have none:
//     with ops->blocked_domain no trace is comparable.
//   - Up to and including 6.1 the core asks for a blocking domain twice, as BLOCKED and as
//     UNMANAGED. A driver under test refuses the first, as most drivers do, and the trace does not
//     show this.
//   - `warns`: only the total number. The text of the report says which function WARNs.
//   - `map`, `unmap`, `cookie`, `set_pasid`, `held`: only where both have `mapped`. A `map` or
//     `unmap` that begins where the call before it in the op ended counts as one call with it:
//     drivers see the chunks of a mapping, and type1 unmaps by chunks.
//   - `domain`, `default_domain`, `owner_cnt`: only where both have them.
//   - Ops: equally many in both. Code that runs a real kernel first asks the model how many of the
//     ops are possible (TraceOf(case).steps, src/conform/model_trace.h), and runs those.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "src/case/case.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// Whether two traces of a case agree, without saying where they differ: the fast path.
bool Agree(const Trace& a, const Trace& b);
// Whether both have the op of this index, with the same errno and the same calls.
bool SameStep(const Trace& a, const Trace& b, size_t step);

// How far two traces of a case agree, and where they differ.
struct Comparison {
  bool agree = true;
  size_t step = 0;     // 0-based op of the first difference; the count of ops: at the end
  size_t prefix = 0;   // count of lines that agree before it
  std::string text;    // both columns up to and including it, at most 75 wide; nothing is cut
  std::string a_line;  // the first lines that differ, unwrapped; "": this trace has ended
  std::string b_line;
};
Comparison Compare(const Case& c, const Trace& a, std::string_view a_name, const Trace& b,
                   std::string_view b_name);

}  // namespace iommucheck::conform
