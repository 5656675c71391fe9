"""Recorded runs of the original operator, performed again on ours: what differs, and which of it is meant to."""
