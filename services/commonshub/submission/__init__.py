"""The data model and its records (Gen3: Sheepdog)."""
