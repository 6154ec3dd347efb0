// SPDX-License-Identifier: Apache-2.0
//
// VFIO_GROUP_SET_CONTAINER, VFIO_GROUP_UNSET_CONTAINER and VFIO_SET_IOMMU.
#include <algorithm>

#include "src/smt/encoder.h"

namespace iommucheck::smt {

// Whether the driver that VFIO asks about the device is coherent.
Bit Encoder::AskedCoherent(int d) const {
  Bits in_slot = Zeros(sizes_.drivers);
  for (Bus bus : topology_.buses)
    in_slot =
        Or(in_slot, And(topology_.devices[d].on(bus), state_.bus_ops[static_cast<size_t>(bus)]));
  const Bits asked = Ite(has(Rule::kVfioCoherencyOfBus), in_slot, state_.devices[d].driver);
  Bit coherent = false;
  for (int r = 0; r < sizes_.drivers; ++r) coherent |= asked[r] & topology_.drivers[r].coherent;
  return coherent;
}

// Whether VFIO has the device in the group, if anybody needs the group's file.
Bit Encoder::VfioHas(int d, int group) const {
  const SymbolicDeviceState& device = state_.devices[d];
  const Bit known = has(Rule::kVfioCoherencyOfBus) & Any(state_.groups[group].container);
  return device.vfio_in[group] | (Registers(d, group) & ~known);
}

// Whether VFIO's driver, when it binds, registers the device in the group.
Bit Encoder::Registers(int d, int group) const {
  const SymbolicDeviceState& device = state_.devices[d];
  return device.group[group] & None(device.vfio_in) &
         (~has(Rule::kVfioCacheCoherency) | AskedCoherent(d));
}

// Whether /dev/vfio/N of the group exists.
Bit Encoder::HasVfioDevice(const Bits& group) const {
  Bit found = false;
  for (int d = 0; d < sizes_.devices; ++d)
    for (int g = 0; g < sizes_.groups; ++g)
      if (!group[g].is_false()) found |= group[g] & VfioHas(d, g);
  return found;
}

// The device's IOMMU is about to let it go, which VFIO is not told.
void Encoder::StayVfios(Bit condition, int d) {
  for (int g = 0; g < sizes_.groups; ++g) {
    const Bit contained = Any(state_.groups[g].container);
    const Bit stays = condition & contained & state_.devices[d].group[g] & VfioHas(d, g);
    state_.devices[d].vfio_in[g] |= stays;
  }
}

// VFIO_GROUP_UNSET_CONTAINER of a group that is in a container.
void Encoder::LeaveContainer(Bit condition, const Bits& group) {
  if (condition.is_false()) return;
  GroupView view = Load(group);
  const Bits container = And(condition, view.group.container);
  const Bit detach = Meet(container, state_.container_iommu);
  GroupSetCoreDomain(detach, view);
  Assign(detach, view.group.type1, Zeros(sizes_.type1));
  ReleaseDmaOwner(condition, view);
  Assign(condition, view.group.container, Zeros(sizes_.containers));
  Store(condition, view);
  FreeUnusedType1();
  for (int c = 0; c < sizes_.containers; ++c) {
    Bit empty = container[c];
    for (const SymbolicGroup& other : state_.groups) empty &= ~other.container[c];
    Assign(empty, state_.container_iommu[c], false);
  }
}

// VFIO_GROUP_SET_CONTAINER up to the call into the container's iommu.
Result Encoder::SetContainerChecks(Bit condition, GroupView& view) {
  Result result;
  Bit go = condition;
  result.Stop(go, Any(view.group.container), Errno::kInval);
  result.Stop(go, ~HasVfioDevice(view.selected), Errno::kNoEnt);
  step_.no_effect |= result.failed();
  result.Merge(ClaimDmaOwner(go, view));
  return result;
}

// VFIO_GROUP_SET_CONTAINER and VFIO_SET_IOMMU: the group of the first and the head of the second
// go through one copy of the type1 attach; the rest of the container's groups follow.
Result Encoder::ContainerOps(const SymbolicOp& op) {
  Result result;
  Bit set_container = op.is(OpKind::kSetContainer);
  Bit set_iommu = op.is(OpKind::kSetIommu);
  if (set_container.is_false() && set_iommu.is_false()) return result;
  Bits waiting = Zeros(sizes_.groups);
  for (int g = 0; g < sizes_.groups; ++g)
    waiting[g] = set_iommu & Meet(state_.groups[g].container, op.container);
  const Bit has_iommu = Meet(op.container, state_.container_iommu);
  const Bit refused = set_iommu & (has_iommu | None(waiting));
  result.Fail(refused, Errno::kInval);
  step_.no_effect |= refused;
  set_iommu &= ~refused;

  Bits head = And(set_iommu, state_.in_container.Last(waiting));
  GroupView view = Load(Or(head, And(set_container, op.group)));
  result.Merge(SetContainerChecks(set_container, view));
  set_container &= ~result.failed();
  const Result first = Type1Attach(set_iommu | (set_container & has_iommu), view, op.container);
  ReleaseDmaOwner(set_container & first.failed(), view);
  const Bit joined = set_container & ~first.failed();
  Assign(joined, view.group.container, op.container);
  Store(true, view);
  for (int g = 0; g < sizes_.groups; ++g) state_.in_container.Append(joined & op.group[g], g);
  result.Merge(first);

  Bits done = head;
  for (int n = 1; n < std::min(most_contained_, sizes_.type1); ++n) {
    set_iommu &= ~result.failed();
    for (int g = 0; g < sizes_.groups; ++g) waiting[g] &= ~head[g];
    head = And(set_iommu, state_.in_container.Last(waiting));
    if (Any(head).is_false()) break;
    view = Load(head);
    result.Merge(Type1Attach(Any(head), view, op.container));
    Store(true, view);
    done = Or(done, head);
  }
  UndoType1Attach(op.is(OpKind::kSetIommu) & ~refused & result.failed(), done);
  Assign(op.is(OpKind::kSetIommu) & ~result.failed(), state_.container_iommu,
         Or(state_.container_iommu, op.container));
  return result;
}

// A failed VFIO_SET_IOMMU. Each detach touches domains of its own group only, so that their order
// makes no difference. The group that failed has no type1 domain.
void Encoder::UndoType1Attach(Bit condition, const Bits& groups) {
  if (condition.is_false()) return;
  for (int g = 0; g < sizes_.groups; ++g) {
    const Bit go = condition & groups[g] & Any(state_.groups[g].type1);
    if (go.is_false()) continue;
    GroupView view = Load(OneHot(sizes_.groups, g));
    GroupSetCoreDomain(go, view);
    Assign(go, view.group.type1, Zeros(sizes_.type1));
    Store(go, view);
  }
  FreeUnusedType1();
}

}  // namespace iommucheck::smt
