// SPDX-License-Identifier: Apache-2.0
#include "src/tool/fork.h"

#include <unistd.h>

namespace iommucheck::tool {

pid_t Fork() {
  const std::unique_lock<std::mutex> watch = HoldWatch();
  const std::unique_lock<std::mutex> progress = HoldProgress();
  const pid_t child = fork();
  if (child == 0) SilenceProgress();
  return child;
}

}  // namespace iommucheck::tool
