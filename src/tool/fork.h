// SPDX-License-Identifier: Apache-2.0
//
// fork() beside the thread of WatchSignals(): a lock that this thread holds at that moment would stay
// locked in the child for ever, since the child has no such thread.
#pragma once

#include <sys/types.h>

#include <mutex>

namespace iommucheck::tool {

// As fork(). The child is not told of signals, so the parent ends it where it is stopped; and it shows
// no progress.
pid_t Fork();

// The locks that Fork() holds meanwhile, where they are.
std::unique_lock<std::mutex> HoldWatch();
std::unique_lock<std::mutex> HoldProgress();
// Precondition: HoldProgress() is held.
void SilenceProgress();

}  // namespace iommucheck::tool
