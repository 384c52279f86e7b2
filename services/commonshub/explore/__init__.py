"""Flattened documents built from the graph, and GraphQL over them (Gen3: Tube and Guppy)."""
