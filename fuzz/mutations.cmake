# SPDX-License-Identifier: Apache-2.0
# Rules and assumptions without which a kernel's promise does not hold: the attach target must
# notice each line. Two on a line are dropped together: either alone suffices, or only both show the
# violation.
set(attach no-cross-driver-attach)
set(reuse no-cross-driver-reuse)

expect_trap(v5.15 type1.same_ops ${reuse})
expect_trap(v5.15 alloc.ops_per_driver,assume.tables_not_shared ${reuse})
expect_trap(v5.15 assume.bus_ops_not_replaced ${attach})
expect_trap(v5.18 type1.same_ops ${reuse})
expect_trap(v5.18 assume.tables_not_shared ${reuse})
expect_trap(v5.18 assume.bus_ops_not_replaced ${attach})

expect_trap(v6.0 type1.same_ops ${reuse})
expect_trap(v6.0 assume.tables_not_shared ${reuse})
expect_trap(v6.0 assume.bus_ops_not_replaced ${attach})
expect_trap(v6.0 bus.one_ops,assume.bus_ops_not_replaced ${reuse})
expect_trap(v6.0 assume.address_not_reused,assume.bus_ops_not_replaced ${reuse})
expect_trap(v6.0 assume.probe_rejects_foreign,assume.bus_ops_not_replaced ${reuse})

expect_trap(v6.1 register.single_driver ${attach})
expect_trap(v6.1 register.single_driver ${reuse})
expect_trap(v6.1 register.sticky_ops ${attach})
expect_trap(v6.1 assume.address_not_reused ${attach})

expect_trap(v6.8 core.owner_first,type1.same_ops ${reuse})
expect_trap(v6.8 core.owner_first,alloc.bus_unique ${reuse})
expect_trap(v6.8 core.owner_first,assume.tables_not_shared ${reuse})
expect_trap(v6.8 assume.address_not_reused ${attach})
expect_trap(v6.8 assume.homogeneous_groups ${attach})
expect_trap(v6.8 assume.probe_rejects_foreign ${attach})

foreach(version v6.12 v7.1)
  expect_trap(${version} core.owner_first,type1.same_ops ${reuse})
  expect_trap(${version} core.owner_first,alloc.by_device ${reuse})
  expect_trap(${version} core.owner_first,assume.tables_not_shared ${reuse})
  expect_trap(${version} assume.address_not_reused ${attach})
  expect_trap(${version} assume.homogeneous_groups ${attach})
  expect_trap(${version} assume.probe_rejects_foreign ${attach})
endforeach()
