"""Stand-in for LVM Storage (LVMS) and topolvm."""
