"""Which objects seed generation is about; apart from their models, which take time to import."""

from agent.kube import Kind

SEEDGEN = Kind("lca.openshift.io", "v1", "SeedGenerator")
SEEDGEN_NAME = "seedimage"
SECRET = Kind("", "v1", "Secret")
SECRET_NAME = "seedgen"  # noqa: S105 - the name of an object
"""Secret in the operator's namespace; its key `seedAuth` holds a container auth file with push rights."""

AUTH_KEY = "seedAuth"
UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
UPGRADE_NAME = "upgrade"
