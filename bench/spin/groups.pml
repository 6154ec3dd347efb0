/* SPDX-License-Identifier: Apache-2.0
 *
 * A small scope of the model in Promela, as a peer for the explorer: v7.1, every instance with a
 * fwnode, each device alone in its group behind one instance, no instance unregisters under a
 * group that is in a container. No two devices can be in one group, so their order on the bus does
 * not matter. docs/explore.md says how it follows from docs/model.md.
 *
 * A device is served as soon as it is present and its instance registered (probe.dma_configure), so
 * only the steps of VFIO are left to choose. A group is its device. Its domain is the default one,
 * the blocking one while it is owned, and the type1 domain of its class while the container has an
 * iommu. A class is what vfio_iommu_type1_attach_group() compares, ops and coherency; a container
 * has at most one domain of each class.
 *
 * Instances: a0, a1 of driver A, the second not enforcing coherency; b0 of driver B. Device i is
 * behind instance i % 3, so that an instance is a class.
 */
#ifndef NDEV
#define NDEV 3
#endif
/* Instances that no device is behind: they only add states. */
#ifndef SPARE
#define SPARE 0
#endif
#define NONE 255
#define DRIVER(c) ((c) / 2) /* the driver of a class: a0 and a1 are A's, b0 is B's */

bool registered[3 + SPARE];
bool present[NDEV];
bool blocking[NDEV];  /* group->blocking_domain was allocated */
byte groups[NDEV];    /* container->group_list, newest first; NONE beyond count */
byte count;
byte domains[3];      /* iommu->domain_list, newest first, by class; NONE beyond */
byte doms;
bool iommu;
hidden byte i, j, c, at;

#define SERVED(d) (present[d] && registered[(d) % 3])

inline find(d) { /* at: the place of a group in the container, count: none */
  at = 0;
  do
  :: at < count && groups[at] != d -> at++
  :: else -> break
  od
}

inline type1_attach(d) { /* attaches to the domain of the class, made if needed */
  c = (d) % 3;
  i = 0;
  do
  :: i < doms && domains[i] != c -> i++
  :: else -> break
  od;
  if
  :: i < doms -> assert(DRIVER(domains[i]) == DRIVER(c))
  :: else ->
    i = doms;
    do
    :: i > 0 -> domains[i] = domains[i - 1]; i--
    :: else -> break
    od;
    domains[0] = c;
    doms++
  fi
}

inline type1_detach(d) { /* frees a domain without groups */
  c = (d) % 3;
  j = 0;
  for (i : 0 .. count - 1) {
    j = j + (groups[i] != d && groups[i] % 3 == c)
  }
  if
  :: j == 0 ->
    i = 0;
    do
    :: domains[i] != c -> i++
    :: else -> break
    od;
    do
    :: i + 1 < doms -> domains[i] = domains[i + 1]; i++
    :: else -> break
    od;
    doms--;
    domains[doms] = NONE
  :: else
  fi
}

inline unset(d) {
  if
  :: iommu -> type1_detach(d)
  :: else
  fi;
  find(d);
  do
  :: at + 1 < count -> groups[at] = groups[at + 1]; at++
  :: else -> break
  od;
  count--;
  groups[count] = NONE;
  if
  :: count == 0 -> iommu = false
  :: else
  fi
}

/* A group that is freed frees its domains. */
inline release_all(n) {
  for (i : 0 .. NDEV - 1) {
    blocking[i] = blocking[i] && i % 3 != n
  }
}

#define FREE(n) \
  !((NDEV > n && IN(n)) || (NDEV > n + 3 && IN(n + 3)) || (NDEV > n + 6 && IN(n + 6)))
/* Whether a group is in the container. */
#define AT(p, d) (NDEV > p && groups[(p) % NDEV] == (d))
#define IN(d) (AT(0, d) || AT(1, d) || AT(2, d) || AT(3, d) || AT(4, d) || AT(5, d) || \
               AT(6, d) || AT(7, d) || AT(8, d))

#define INSTANCE(n)                                                       \
  :: d_step { !registered[n] -> registered[n] = true }                    \
  :: d_step { registered[n] && FREE(n) -> registered[n] = false; release_all(n); i = 0 }

#define DEVICE(d)                                                         \
  :: d_step { !present[d] -> present[d] = true }                          \
  :: d_step {                                                             \
       present[d] ->                                                      \
       if                                                                 \
       :: IN(d) -> unset(d)                                               \
       :: else                                                            \
       fi;                                                                \
       blocking[d] = false;                                               \
       present[d] = false                                                 \
     }                                                                    \
  :: d_step { present[d] -> skip /* configure: nothing is left to do */ } \
  :: d_step {                                                             \
       SERVED(d) && !IN(d) ->                                             \
       blocking[d] = true;                                                \
       if                                                                 \
       :: iommu -> type1_attach(d)                                        \
       :: else                                                            \
       fi;                                                                \
       at = count;                                                        \
       do                                                                 \
       :: at > 0 -> groups[at] = groups[at - 1]; at--                     \
       :: else -> break                                                   \
       od;                                                                \
       groups[0] = d;                                                     \
       count++                                                            \
     }                                                                    \
  :: d_step { IN(d) -> unset(d) }

#define DEVICES_1 DEVICE(0)
#define DEVICES_2 DEVICES_1 DEVICE(1)
#define DEVICES_3 DEVICES_2 DEVICE(2)
#define DEVICES_4 DEVICES_3 DEVICE(3)
#define DEVICES_5 DEVICES_4 DEVICE(4)
#define DEVICES_6 DEVICES_5 DEVICE(5)
#define DEVICES_7 DEVICES_6 DEVICE(6)
#define DEVICES_8 DEVICES_7 DEVICE(7)
#define DEVICES_9 DEVICES_8 DEVICE(8)
#define PASTE(a, b) a##b
#define DEVICES(n) PASTE(DEVICES_, n)

init {
  d_step {
    for (i : 0 .. NDEV - 1) {
      present[i] = true;
      groups[i] = NONE
    }
    domains[0] = NONE;
    domains[1] = NONE;
    domains[2] = NONE;
    i = 0
  };
  do
  INSTANCE(0)
  INSTANCE(1)
  INSTANCE(2)
#if SPARE > 0
  :: d_step { registered[3] = !registered[3] }
#endif
#if SPARE > 1
  :: d_step { registered[4] = !registered[4] }
#endif
  DEVICES(NDEV)
  :: d_step {
       count > 0 && !iommu ->
       for (at : 0 .. count - 1) {
         type1_attach(groups[at])
       }
       iommu = true;
       at = 0
     }
  od
}
