# SPDX-License-Identifier: Apache-2.0
# What the attach target must notice: rules and assumptions without which a kernel's promise does
# not hold. Two rules on a line: either alone suffices, so that only dropping both is noticed.
expect_trap(v5.15 type1.same_ops no-cross-driver-reuse)
expect_trap(v5.15 assume.bus_ops_not_replaced no-cross-driver-attach)
expect_trap(v5.18 type1.same_ops no-cross-driver-reuse)
expect_trap(v5.18 assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v5.18 assume.bus_ops_not_replaced no-cross-driver-attach)
expect_trap(v6.0 type1.same_ops no-cross-driver-reuse)
expect_trap(v6.0 assume.tables_not_shared no-cross-driver-reuse)
expect_trap(v6.0 assume.bus_ops_not_replaced no-cross-driver-attach)
expect_trap(v6.1 register.single_driver no-cross-driver-attach)
expect_trap(v6.1 register.sticky_ops no-cross-driver-attach)
expect_trap(v6.8 assume.homogeneous_groups no-cross-driver-attach)
expect_trap(v6.12 assume.homogeneous_groups no-cross-driver-attach)
expect_trap(v7.1 assume.homogeneous_groups no-cross-driver-attach)
