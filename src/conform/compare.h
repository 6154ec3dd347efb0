// SPDX-License-Identifier: Apache-2.0
//
// Whether two traces of a case agree (src/conform/trace.h). What is compared, and where the
// comparison is lenient:
//   - Every errno, and of the calls kind, order, driver, instance, device, domain and result.
//   - `alloc`: the table and the device only where both columns name them. Up to and including 6.10
//     the core allocates by bus, default domains up to and including 6.1, and names no device; and
//     a recorder need not know the tables.
//   - `detach`: made up to and including 6.1, and never by the model of a later kernel. A trace that
//     has one where the other has none differs.
//   - Static identity and blocked domains are not allocated, so that drivers under test must have
//     none: with ops->blocked_domain no trace is comparable.
//   - Up to and including 6.1 the core asks for a blocking domain twice, as BLOCKED and as
//     UNMANAGED. A driver under test says no to the first without a word in the trace, as most
//     drivers do.
//   - `warns`: the number, and only in total. What WARNs is in the text of the report.
//   - `pins`, `mappings`: only where both have them.
//   - `map`, `unmap`, `cookie`, `held`: only where both have `mapped`. A `map` or `unmap` that goes
//     on where the call before it in the op ended is one with it: drivers see the chunks of a
//     mapping, and type1 unmaps by chunks.
//   - `domain`, `default_domain`, `owner_cnt`: only where both have them.
//   - Ops: as many in both. Who runs real code asks the model first how many of the ops are
//     possible (TraceOf(case).steps, src/conform/model_trace.h), and runs those.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "src/case/case.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// Whether two traces of a case agree, without a word on where: the fast path.
bool Agree(const Trace& a, const Trace& b);

// How far two traces of a case agree, and where they part.
struct Comparison {
  bool agree = true;
  size_t step = 0;     // 0-based op of the first difference; as many as there are ops: at the end
  size_t prefix = 0;   // lines that agree before it
  std::string text;    // both columns up to the first difference, at most 75 wide; nothing is cut
  std::string a_line;  // the lines that differ first, in one piece; "": this one has no more
  std::string b_line;
};
Comparison Compare(const Case& c, const Trace& a, std::string_view a_name, const Trace& b,
                   std::string_view b_name);

}  // namespace iommucheck::conform
