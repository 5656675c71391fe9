# What an upgrade does with a seed image, in its shortest form; runs on the node as `bash pivot.bash IMAGE STATEROOT`.
set -euo pipefail
image=$1 stateroot=$2
mount /sysroot -o remount,rw
podman pull --quiet "$image" >/dev/null
seed=$(podman image mount "$image")
mkdir -p /var/tmp/ostree
tar xzf "$seed/ostree.tgz" -C /var/tmp/ostree
commit=$(jq -r '.deployments[0].checksum' "$seed/rpm-ostree.json")
ostree pull-local /var/tmp/ostree
ostree admin os-init "$stateroot"
ostree admin deploy --os "$stateroot" --no-prune --not-as-default --karg ibu=yes "$commit"
root=/ostree/deploy/$stateroot/deploy/$commit.0
tar xzf "$seed/var.tgz" -C "/ostree/deploy/$stateroot"
tar xzf "$seed/etc.tgz" -C "$root"
podman image umount "$image" >/dev/null
systemctl --root "$root" disable installation-configuration.service lca-init-monitor.service
crypto=/ostree/deploy/$stateroot/var/opt/openshift/kubeconfig-crypto
mkdir -p "$crypto"
field() { kubectl -n "$1" get "$2" "$3" -o json | jq -r ".data[\"$4\"]"; }
field openshift-config configmap admin-kubeconfig-client-ca ca-bundle.crt >"$crypto/client-ca.crt"
field openshift-kube-apiserver-operator secret loadbalancer-serving-signer tls.key | base64 -d >"$crypto/lb.key"
ostree admin set-default 1
