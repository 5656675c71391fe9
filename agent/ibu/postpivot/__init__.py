"""The Upgrade stage in the new release: from the first healthy operator to the completed upgrade."""
