# SPDX-License-Identifier: Apache-2.0
# What the commands of tests/hostile/*.txt change: run by tests/hostile_test.cc in an empty folder,
# where $B is the tool and $S the source folder.
set -e
cp "$S/corpus/litmus/v6.0+one-bus+walk-error.case" ok.case
"$B" convert ok.case --to json >ok.json
cp "$S/tests/golden/input/v6.1-reuse.inv" ok.inv
cp "$S/corpus/systems/qemu-vtd-virtio-6.12.tar.gz" ok.tar.gz
cat >ok.claim <<'END'
claim one
says Nobody, 2022-06-24
query no-cross-driver-reuse kernel v6.1 devices 1 steps 5 -> holds
case ok.case
finding True.
END
for i in 1 2 3; do
  "$B" explore no-cross-driver-reuse --kernel v6.1 --scope devices=1,instances=1,steps=5 \
    --shard $i/3 --json >s$i.json
done
"$B" explore no-cross-driver-reuse --kernel v6.1 --scope devices=1,instances=1,steps=5 \
  --checkpoint ok.ck >/dev/null
"$B" query no-cross-driver-reuse --kernel v6.1 --devices 1 --steps 5 --certificate cert >/dev/null
# A shell function: the same without the rights of root, who may read everything.
cat >as_user.sh <<'END'
as_user() {
  if [ "$(id -u)" = 0 ]; then
    chmod o+rx . && setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
  else
    "$@"
  fi
}
END
