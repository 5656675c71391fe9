"""Which object the upgrade is about; apart from its model, which takes time to import."""

from agent.kube import Kind

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
IBU_NAME = "upgrade"
