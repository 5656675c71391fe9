"""recert's stand-in: gives a stopped cluster another identity by editing its etcd and its files.

It keeps the contract of the real tool (configuration file, strictness, summary, exit codes) and does what the
API server and the agent can tell; certificates that nothing in a sandbox uses are left alone.
"""
