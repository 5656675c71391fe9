#!/usr/bin/bash
# Makes dnsmasq resolve the names of the cluster that this node is. Runs before each start of dnsmasq.
# The values of the installation are in this script; those of a node that was made from a seed image in the overrides.
set -euo pipefail

overrides=/etc/default/sno_dnsmasq_configuration_overrides
if [ -r "$overrides" ]; then
  # shellcheck source=/dev/null
  source "$overrides"
fi
address=${SNO_DNSMASQ_IP_OVERRIDE:-@ADDRESS@}
domain=${SNO_CLUSTER_NAME_OVERRIDE:-@CLUSTER@}.${SNO_BASE_DOMAIN_OVERRIDE:-@DOMAIN@}

folder=/etc/dnsmasq.d
mkdir -p "$folder"
# dnsmasq does not read files whose names begin with a dot.
new=$(mktemp "$folder/.single-node.XXXXXX")
trap 'rm -f "$new"' EXIT
{
  echo "bind-dynamic"
  for name in apps api api-int; do
    echo "address=/$name.$domain/$address"
  done
} >"$new"
chmod 0644 "$new"
mv -f "$new" "$folder/single-node.conf"
