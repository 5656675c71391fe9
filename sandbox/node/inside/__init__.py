"""Programs inside the booted node: systemd's stand-in and its clients. They start in milliseconds: few imports."""
