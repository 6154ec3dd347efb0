# SPDX-License-Identifier: Apache-2.0
# Rules and assumptions without which a kernel's promise does not hold: the attach target must
# notice each line. Two on a line are dropped together: either alone suffices, or only both show the
# violation. tests/mutations.h reads this list, too.

expect_trap(v5.10.y type1.same_ops no-cross-driver-reuse)
expect_trap(v5.10.y alloc.ops_per_driver,assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v5.10.y assume.bus_ops_not_replaced no-cross-driver-attach)

expect_trap(v5.15 type1.same_ops no-cross-driver-reuse)
expect_trap(v5.15 alloc.ops_per_driver,assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v5.15 assume.bus_ops_not_replaced no-cross-driver-attach)

expect_trap(v5.18 type1.same_ops no-cross-driver-reuse)
expect_trap(v5.18 assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v5.18 assume.bus_ops_not_replaced no-cross-driver-attach)

expect_trap(v6.0 type1.same_ops no-cross-driver-reuse)
expect_trap(v6.0 assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v6.0 assume.bus_ops_not_replaced no-cross-driver-attach)
expect_trap(v6.0 bus.one_ops,assume.bus_ops_not_replaced no-cross-driver-reuse)
expect_trap(v6.0 core.dma_owner,assume.bus_ops_not_replaced no-cross-driver-reuse)
expect_trap(v6.0 assume.address_not_reused,assume.bus_ops_not_replaced no-cross-driver-reuse)
expect_trap(v6.0 assume.probe_rejects_foreign,assume.bus_ops_not_replaced no-cross-driver-reuse)

expect_trap(v6.1 register.single_driver no-cross-driver-attach)
expect_trap(v6.1 register.single_driver no-cross-driver-reuse)
expect_trap(v6.1 register.sticky_ops no-cross-driver-attach)
expect_trap(v6.1 assume.address_not_reused no-cross-driver-attach)

expect_trap(v6.8 core.owner_first,type1.same_ops no-cross-driver-reuse)
expect_trap(v6.8 core.owner_first,alloc.bus_unique no-cross-driver-reuse)
expect_trap(v6.8 core.owner_first,assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v6.8 assume.address_not_reused no-cross-driver-attach)
expect_trap(v6.8 assume.homogeneous_groups no-cross-driver-attach)
expect_trap(v6.8 assume.probe_rejects_foreign no-cross-driver-attach)

expect_trap(v6.12 core.owner_first,type1.same_ops no-cross-driver-reuse)
expect_trap(v6.12 core.owner_first,alloc.by_device no-cross-driver-reuse)
expect_trap(v6.12 core.owner_first,assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v6.12 assume.address_not_reused no-cross-driver-attach)
expect_trap(v6.12 assume.homogeneous_groups no-cross-driver-attach)
expect_trap(v6.12 assume.probe_rejects_foreign no-cross-driver-attach)

expect_trap(v7.1 core.owner_first,type1.same_ops no-cross-driver-reuse)
expect_trap(v7.1 core.owner_first,alloc.by_device no-cross-driver-reuse)
expect_trap(v7.1 core.owner_first,assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v7.1 assume.address_not_reused no-cross-driver-attach)
expect_trap(v7.1 assume.homogeneous_groups no-cross-driver-attach)
expect_trap(v7.1 assume.probe_rejects_foreign no-cross-driver-attach)
expect_trap(v7.1 assume.address_not_reused,vfio.cache_coherency no-cross-driver-reuse)

expect_trap(v7.3 core.owner_first,type1.same_ops no-cross-driver-reuse)
expect_trap(v7.3 core.owner_first,alloc.by_device no-cross-driver-reuse)
expect_trap(v7.3 core.owner_first,assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v7.3 assume.address_not_reused no-cross-driver-attach)
expect_trap(v7.3 assume.homogeneous_groups no-cross-driver-attach)
expect_trap(v7.3 assume.probe_rejects_foreign no-cross-driver-attach)
expect_trap(v7.3 assume.address_not_reused,vfio.cache_coherency no-cross-driver-reuse)
