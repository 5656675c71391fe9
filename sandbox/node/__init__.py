"""The node: an ostree sysroot, booted by bubblewrap, with a small systemd inside and a supervisor outside."""
