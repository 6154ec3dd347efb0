// SPDX-License-Identifier: Apache-2.0
#include "fuzz/call_log.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iommucheck::fuzzing {
namespace {

const char* NameOfExtra(uint8_t kind) {
  static constexpr const char* kNames[] = {"ioctl",  "extension", "dma-rw", "claim",  "release",
                                           "attach", "detach",    "kmap",   "kunmap", "store-type",
                                           "show",   "task",      "file",   "group",  "close",
                                           "gone",   "device"};
  static_assert(std::size(kNames) == HARNESS_EXTRA_KINDS);
  return kNames[kind];
}

}  // namespace

std::string Text(const LoggedCall& call) {
  std::string text;
  switch (call.kind) {
    case LoggedCall::Kind::kCase:
      text = absl::StrFormat("  case op %u a %u b %u pages %u+%u vaddr %u flags %#x", call.op.kind,
                             call.op.a, call.op.b, call.op.first, call.op.count, call.op.vaddr,
                             call.op.flags);
      break;
    case LoggedCall::Kind::kExtra:
      text = absl::StrFormat(
          "  %s container %u a %u flags %#x count %u iova %#x size %#x paddr %#x",
          NameOfExtra(call.extra.kind), call.extra.container, call.extra.a, call.extra.flags,
          call.extra.count, call.extra.iova, call.extra.size, call.extra.paddr);
      if (call.extra.kind == HARNESS_EXTRA_IOCTL)
        for (uint64_t word : call.extra.argument) absl::StrAppendFormat(&text, " %#x", word);
      break;
    case LoggedCall::Kind::kArm:
      return absl::StrFormat("  arm %u %u\n", call.op.a, call.op.b);
  }
  if (call.ret == LoggedCall::kUnderWay) return text + " is under way\n";
  return text + absl::StrFormat(" = %d\n", call.ret);
}

void CallLog::Start(std::span<const uint8_t> input) {
  input_ = input;
  count_ = 0;
}

LoggedCall& CallLog::Add(const LoggedCall& call) {
  if (count_ == calls_.size()) --count_;
  return calls_[count_++] = call;
}

std::string CallLog::Report() const {
  if (input_.empty()) return "";
  std::string text =
      absl::StrFormat("start %#x shape %#x %#x, then:\n", input_[0], input_[1], input_[2]);
  for (const LoggedCall& call : std::span(calls_).first(count_)) text += Text(call);
  text += "input, to save and give to kernel_ioctl:\n  echo ";
  for (uint8_t byte : input_) absl::StrAppendFormat(&text, "%02x", byte);
  return text + " | xxd -r -p >input\n";
}

std::string CallLog::LastOp() const {
  for (size_t n = count_; n > 0; --n) {
    const LoggedCall& last = calls_[n - 1];
    if (last.kind == LoggedCall::Kind::kExtra) return NameOfExtra(last.extra.kind);
    if (last.kind == LoggedCall::Kind::kCase) return absl::StrCat("case op ", last.op.kind);
  }
  return "the beginning";
}

}  // namespace iommucheck::fuzzing
