"""Everything that imports torch. Nothing outside this folder does, so the probe works without it."""
