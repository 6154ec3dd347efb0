// SPDX-License-Identifier: Apache-2.0
//
// A table whose columns are kernels, in at most 75 columns of text.
#pragma once

#include <string>
#include <vector>

namespace iommucheck::report {

struct KernelTable {
  struct Row {
    std::string head;
    std::vector<std::string> cells;       // one a kernel
    std::vector<std::string> below = {};  // paragraphs under the row
    [[nodiscard]] bool differs() const;   // whether two cells do
  };
  std::vector<std::string> kernels;  // oldest first
  std::vector<Row> rows;
};

// The table: neighbours and others that are alike in every row share a column, rows that differ have
// a '*' in front, and columns that do not fit beside each other come in a second table below.
std::string KernelTableText(const KernelTable& table);

}  // namespace iommucheck::report
