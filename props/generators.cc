// SPDX-License-Identifier: Apache-2.0
#include "props/generators.h"

#include <algorithm>

#include "fuzz/fuzzing.h"
#include "model/attributes.h"
#include "src/case/encoded.h"
#include "src/case/run.h"

namespace iommucheck {
namespace {

// The run with the ops that are still possible in it.
Scenario OnlyPossible(Scenario s) {
  std::vector<Op> possible;
  ForEachStep(s, [&](const StepView& step) {
    if (step.result.outcome == Outcome::kDone) possible.push_back(step.op);
  });
  s.ops = std::move(possible);
  return s;
}

// --- shrinking ---

// The new value of an index when entry `gone` is removed.
uint8_t Renumbered(uint8_t index, uint8_t gone) {
  if (index == gone) return kNoId;
  return index != kNoId && index > gone ? static_cast<uint8_t>(index - 1) : index;
}

bool Names(const Op& op, DeviceId dev) {
  const auto names = [dev](const Fault& f) { return NamesDevice(f) && f.target == dev; };
  return (InfoOf(op.kind).a == Operand::kDevice && op.a == dev) ||
         (InfoOf(op.kind).b == Operand::kDevice && op.b == dev) ||
         std::ranges::any_of(op.faults, names);
}

Scenario WithoutDevice(Scenario s, DeviceId gone) {
  auto& devices = s.topology.devices;
  std::move(devices.begin() + gone + 1, devices.end(), devices.begin() + gone);
  --s.topology.devices_count;
  for (Device& d : devices) d.alias = Renumbered(d.alias, gone);
  std::erase_if(s.ops, [gone](const Op& op) { return Names(op, gone); });
  for (Op& op : s.ops) {
    if (InfoOf(op.kind).a == Operand::kDevice) op.a = Renumbered(op.a, gone);
    if (InfoOf(op.kind).b == Operand::kDevice) op.b = Renumbered(op.b, gone);
    for (Fault& f : op.faults)
      if (NamesDevice(f)) f.target = Renumbered(f.target, gone);
  }
  return s;
}

Scenario WithoutInstance(Scenario s, InstanceId gone) {
  auto& instances = s.topology.instances;
  std::move(instances.begin() + gone + 1, instances.end(), instances.begin() + gone);
  --s.topology.instances_count;
  for (Device& d : s.topology.devices) {
    for (InstanceId& master : d.masters) master = Renumbered(master, gone);
    if (d.masters[0] == kNoId) std::swap(d.masters[0], d.masters[1]);
  }
  const auto is_of = [](const Op& op) { return InfoOf(op.kind).a == Operand::kInstance; };
  std::erase_if(s.ops, [&](const Op& op) { return is_of(op) && op.a == gone; });
  for (Op& op : s.ops)
    if (is_of(op)) op.a = Renumbered(op.a, gone);
  return s;
}

rc::Seq<Scenario> Smaller(const Scenario& s) {
  std::vector<Scenario> candidates;
  const auto add = [&](auto change) {
    Scenario smaller = s;
    change(smaller);
    if (smaller.topology != s.topology || smaller.ops != s.ops)
      candidates.push_back(OnlyPossible(std::move(smaller)));
  };
  for (size_t chunk = s.ops.size(); chunk > 0; chunk /= 2)
    for (size_t from = 0; from < s.ops.size(); from += chunk)
      add([&](Scenario& to) {
        const auto first = to.ops.begin() + static_cast<std::ptrdiff_t>(from);
        const size_t length = std::min(chunk, s.ops.size() - from);
        to.ops.erase(first, first + static_cast<std::ptrdiff_t>(length));
      });
  for (DeviceId d = 0; d < s.topology.devices_count; ++d)
    add([&](Scenario& to) { to = WithoutDevice(s, d); });
  for (InstanceId i = 0; i < s.topology.instances_count; ++i)
    add([&](Scenario& to) { to = WithoutInstance(s, i); });
  // Attributes that only the model has get their plain values.
  add([&](Scenario& to) { to.topology = EncodedPart(to.topology); });
  for (const AttributeInfo& attribute : AllAttributes())
    for (int n = 0; !attribute.encoded() && n < CountOf(s.topology, attribute.owner); ++n)
      add([&](Scenario& to) { MakePlain(attribute, EntryOf(to.topology, attribute.owner, n)); });
  for (size_t i = 0; i < s.ops.size(); ++i) {
    for (size_t n = 0; n < kMaxFaults; ++n) add([&](Scenario& to) { to.ops[i].faults[n] = {}; });
    for (const OpFlag& flag : InfoOf(s.ops[i].kind).flags)
      add([&](Scenario& to) { to.ops[i].flags &= static_cast<uint8_t>(~flag.bit); });
    if (s.ops[i].at.count > 1) add([&](Scenario& to) { to.ops[i].at.count = 1; });
    add([&](Scenario& to) { to.ops[i].vaddr = 0; });
    if (InfoOf(s.ops[i].kind).b == Operand::kIommuType) add([&](Scenario& to) { to.ops[i].b = 0; });
  }
  return rc::seq::fromContainer(std::move(candidates));
}

}  // namespace

Case ToCase(const Scenario& scenario) {
  Case c;
  c.kernel = scenario.kernel;
  c.topology = scenario.topology;
  c.names = DefaultNames(c.topology);
  for (const Op& op : scenario.ops)
    c.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  Normalize(c);
  return c;
}

void showValue(const Scenario& scenario, std::ostream& os) {
  const Case c = ToCase(scenario);
  os << '\n' << PrintCase(Asserted(c, Play(c)));
}

KernelSpec DrawPromisedKernel(Words& words) {
  return fuzzing::PromisedKernel(kKernelVersions[words.Below(kKernelVersionCount)], {});
}

KernelSpec DrawPatchedKernel(Words& words) {
  KernelSpec spec;
  spec.version = kKernelVersions[words.Below(kKernelVersionCount)];
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (IsEncoded(info.rule) && words.OneIn(6))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

KernelSpec DrawAnyKernel(Words& words) {
  KernelSpec spec = DrawPatchedKernel(words);
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (!IsEncoded(info.rule) && words.OneIn(12))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

Scenario DrawScenario(Words& words, const DrawKernel& draw_kernel, const Shape& shape) {
  const KernelSpec kernel = draw_kernel(words);
  const DecodedCase run = draw::DrawRun(words, ProfileOf(kernel), shape);
  return {.kernel = kernel,
          .topology = run.topology,
          .ops = {run.ops.begin(), run.ops.begin() + run.ops_count}};
}

rc::Gen<Scenario> Scenarios(DrawKernel draw_kernel, Shape shape) {
  return [draw_kernel = std::move(draw_kernel), shape](const rc::Random& random, int /*size*/) {
    Words words(rc::Random(random).next());
    return rc::shrinkable::shrinkRecur(DrawScenario(words, draw_kernel, shape),
                                       [](const Scenario& s) { return Smaller(s); });
  };
}

}  // namespace iommucheck
