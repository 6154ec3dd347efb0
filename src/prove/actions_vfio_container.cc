// SPDX-License-Identifier: Apache-2.0
//
// Groups that join and leave a container.
#include "src/prove/actions.h"

namespace iommucheck::prove::actions {

void System::Containers() {
  Put(kEnterContainer, "VFIO_GROUP_SET_CONTAINER", {g, c},
      ForAll({any_c}, !Holds(kInContainer, {g, any_c})), {Add(kInContainer, {g, c})});
  Put(kLeaveContainer, "VFIO_GROUP_UNSET_CONTAINER", {g, c}, {}, {Remove(kInContainer, {g, c})});
}

}  // namespace iommucheck::prove::actions
