# What the program after the pivot does with recert; runs on the node as `bash recert.bash NAME INFRA_ID`.
set -euo pipefail
hostnamectl set-hostname "$1"
cat >/opt/openshift/recert_config.json <<END
{"etcd_endpoint": "localhost:2379", "cluster_rename": "$1:example.com:$2", "hostname": "$1", "ip": ["192.168.126.10"],
 "cluster_customization_dirs": ["/kubelet", "/kubernetes", "/machine-config-daemon"],
 "kubeadmin_password_hash": "", "extend_expiration": true, "summary_file_clean": "/var/tmp/recert-summary.yaml",
 "use_key_rules": ["kube-apiserver-lb-signer /opt/openshift/kubeconfig-crypto/lb.key"],
 "use_cert_rules": ["/opt/openshift/kubeconfig-crypto/client-ca.crt"]}
END
podman run --rm --network=host --privileged --replace --detach --name recert_etcd --entrypoint etcd \
  -v /var/lib/etcd:/store quay.io/etcd --name editor --data-dir /store
code=0
podman run --rm --network=host --privileged --replace --name recert -v /etc:/host-etc -v /etc/ssh:/ssh \
  -v /etc/kubernetes:/kubernetes -v /var/lib/kubelet:/kubelet -v /var/tmp:/var/tmp \
  -v /etc/machine-config-daemon:/machine-config-daemon -v /opt/openshift:/opt/openshift \
  -e RECERT_CONFIG=/opt/openshift/recert_config.json quay.io/recert || code=$?
podman stop recert_etcd
exit "$code"
